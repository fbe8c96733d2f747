"""The examples of schedules that OpenAPI shows."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_THREAD: Final = "0b8ce0fb-9d5e-8d8b-b1c9-4f0d8e1c2a77"
NO_SCHEDULE: Final = "there is no schedule 'morning-briefing'"
INVALID: Final = (
    "/cron: bad hour: should be of 0 to 23; the order is minute hour day month weekday, 6 with seconds first"
)
DOCUMENT: Final[Json] = {
    "name": "morning-briefing",
    "cron": "0 9 * * MON-FRI",
    "timezone": "Europe/Vienna",
    "workflow": "content-strategy",
    "input": {"topic": "news since {schedule.previous_fire_time}"},
    "overlap": "buffer_one",
    "catchup_window": "6h",
}
FIRING: Final[Json] = {
    "fire_time": "2026-11-20T08:00:00.000Z",
    "kind": "schedule",
    "outcome": "started",
    "reason": None,
    "error": None,
    "thread_id": _THREAD,
    "thread_status": "completed",
    "due_at": "2026-11-20T08:00:00.000Z",
    "decided_at": "2026-11-20T08:00:00.004Z",
    "started_at": "2026-11-20T08:00:00.011Z",
    "late_ms": 11,
    "attempts": 0,
    "missed": None,
    "until": None,
    "links": {
        "status": f"/api/invoke/status/{_THREAD}",
        "stream": f"/api/invoke/stream/{_THREAD}",
        "history": f"/api/invoke/history/{_THREAD}",
    },
}
SKIPPED: Final[Json] = {
    **FIRING,
    "fire_time": "2026-11-19T08:00:00.000Z",
    "outcome": "skipped",
    "reason": f"thread {_THREAD} has not ended",
    "thread_id": None,
    "thread_status": None,
    "started_at": None,
    "late_ms": None,
    "links": None,
}
SCHEDULE: Final[Json] = {
    "name": "morning-briefing",
    "id": "01993c5e-7c1f-7d3a-9a55-0d5a1c3b7e42",
    "state": "active",
    "revision": 1,
    "cron": "0 9 * * MON-FRI",
    "every_ms": None,
    "timezone": "Europe/Vienna",
    "workflow": "content-strategy",
    "input": {"topic": "news since {schedule.previous_fire_time}"},
    "context": {},
    "queue": None,
    "priority": None,
    "overlap": "buffer_one",
    "catchup_window_ms": 21_600_000,
    "start_at": None,
    "end_at": None,
    "jitter_ms": 0,
    "max_firings": None,
    "description": None,
    "paused": False,
    "pause_reason": None,
    "next_fire_at": "2026-11-23T08:00:00.000Z",
    "next_due_at": "2026-11-23T08:00:00.000Z",
    "last_fire_at": "2026-11-20T08:00:00.000Z",
    "fired": 14,
    "last_firing": FIRING,
    "created_at": "2026-11-02T10:12:44.120Z",
    "updated_at": "2026-11-02T10:12:44.120Z",
}
PAUSED: Final[Json] = {
    **SCHEDULE,
    "state": "paused",
    "revision": 2,
    "paused": True,
    "pause_reason": "the editors are away",
    "next_fire_at": None,
    "next_due_at": None,
}
SCHEDULES: Final[Json] = {"schedules": [SCHEDULE], "next_cursor": None}
FIRINGS: Final[Json] = {"firings": [FIRING, SKIPPED], "next_cursor": None}
MANUAL: Final[Json] = {**FIRING, "kind": "manual", "thread_status": "running"}
BUFFERED: Final[Json] = {
    **SKIPPED,
    "kind": "backfill",
    "outcome": "buffered",
    "reason": None,
    "thread_id": _THREAD,
}
BACKFILL: Final[Json] = {"dry_run": False, "firings": [BUFFERED], "there": [FIRING]}
PREVIEW: Final[Json] = {
    "timezone": "Europe/Vienna",
    "times": [
        {"fire_time": "2026-03-28T01:30:00.000Z", "local": "2026-03-28T02:30:00+01:00"},
        {"fire_time": "2026-03-29T01:00:00.000Z", "local": "2026-03-29T03:00:00+02:00"},
        {"fire_time": "2026-03-30T00:30:00.000Z", "local": "2026-03-30T02:30:00+02:00"},
    ],
}
DELETED: Final[Json] = {"name": "morning-briefing", "deleted": True}
