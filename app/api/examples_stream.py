"""Examples of the answers about the events of one thread."""

from __future__ import annotations

from typing import Any, Final

from app.api import examples

EVENT: Final[dict[str, Any]] = {
    "seq": 2,
    "thread_id": examples.THREAD,
    "execution_id": examples.EXECUTION,
    "type": "status",
    "event": "step_start",
    "step_id": "analyst",
    "attempt": 1,
    "version": 1,
    "at": "2026-11-21T09:30:00.123Z",
    "data": {"status": "running", "progress": 0.0},
}
EVENTS: Final[dict[str, Any]] = {
    "thread_id": examples.THREAD,
    "status": "running",
    "events": [EVENT],
    "next_cursor": 2,
    "last_seq": 2,
    "done": False,
}
_TICKET: Final = "v1.1795253400.MDE5OS4uLg.8kqTz0Jp3vWcR4xYb1nLdU7hGfE2sAaQ9mVoKiXyZtw"
TOKEN: Final[dict[str, Any]] = {
    "thread_id": examples.THREAD,
    "token": _TICKET,
    "expires_at": "2026-11-21T09:45:00.000Z",
    "stream": f"/api/invoke/stream/{examples.THREAD}?token={_TICKET}",
}
MONITOR: Final[dict[str, Any]] = {
    "now": examples.AT,
    "counts": {"running": 0, "waiting": 1, "pending": 0, "paused": 0},
    "service": {"able": True, "detail": None},
    "threads": [
        {
            "thread_id": examples.THREAD,
            "workflow": "content-strategy",
            "status": "waiting",
            "progress": 0.5,
            "current_steps": ["approve"],
            "queue": "default",
            "started_at": examples.AT,
            "last_update": examples.AT,
            "idle_ms": 90_000,
            "stuck": True,
            "why": [
                {
                    "reason": "gate",
                    "step_id": "approve",
                    "detail": "an answer of ana is waited for: Publish it?",
                    "until": None,
                    "item": None,
                    "round": 0,
                }
            ],
        }
    ],
    "more": False,
}
