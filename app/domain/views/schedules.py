"""Schedules and firings as the API shows them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.domain.schedules import OPEN, Outcome
from app.domain.times import duration_ms
from app.domain.views.common import Document, when
from app.domain.views.status import links

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.schedules import Firing, Schedule


def schedule_document(schedule: Schedule, last: Firing | None = None) -> Document:
    """A schedule, with its last firing."""
    plan, timing = schedule.plan, schedule.plan.timing
    return {
        "name": schedule.name,
        "id": schedule.id,
        "state": state(schedule),
        "revision": schedule.revision,
        "cron": timing.cron,
        "every_ms": _ms(timing.every),
        "timezone": timing.timezone,
        "workflow": plan.workflow,
        "input": plan.input,
        "context": dict(plan.context),
        "queue": plan.queue,
        "priority": plan.priority,
        "overlap": plan.overlap.value,
        "catchup_window_ms": _ms(plan.catchup_window),
        "start_at": when(timing.start_at),
        "end_at": when(timing.end_at),
        "jitter_ms": _ms(timing.jitter),
        "max_firings": plan.max_firings,
        "description": plan.description,
        "paused": schedule.paused,
        "pause_reason": schedule.pause_reason,
        "next_fire_at": when(schedule.next_fire_at),
        "next_due_at": when(schedule.next_due_at),
        "last_fire_at": when(schedule.last_fire_at),
        "fired": schedule.fired,
        "last_firing": None if last is None else firing_document(last),
        "created_at": when(schedule.created_at),
        "updated_at": when(schedule.updated_at),
    }


def state(schedule: Schedule) -> str:
    """active, paused, or ended: no time of it lies ahead."""
    if schedule.paused:
        return "paused"
    return "ended" if schedule.next_fire_at is None else "active"


def firing_document(firing: Firing) -> Document:
    """What became of one time of a schedule."""
    there = firing.outcome is Outcome.STARTED
    return {
        "fire_time": when(firing.fire_time),
        "kind": firing.kind.value,
        "outcome": firing.outcome.value,
        "reason": firing.reason,
        "error": None if firing.error is None else dict(firing.error),
        "thread_id": firing.thread_id if there or firing.outcome in OPEN else None,
        "thread_status": firing.thread_status.value if there and firing.thread_status is not None else None,
        "due_at": when(firing.due_at),
        "decided_at": when(firing.decided_at),
        "started_at": when(firing.started_at),
        "late_ms": None if firing.started_at is None else duration_ms(firing.due_at, firing.started_at),
        "attempts": firing.attempts,
        "missed": firing.missed,
        "until": when(firing.until),
        "links": links(firing.thread_id) if there else None,
    }


def times_document(times: list[datetime], timezone: str) -> list[Document]:
    """Times in UTC and by the clock of a zone."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    return [{"fire_time": when(at), "local": at.astimezone(zone).isoformat(timespec="seconds")} for at in times]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
