"""The examples of OpenAPI about events, timelines and log entries."""

from __future__ import annotations

from typing import Any, Final

from app.api.examples import EXECUTION, THREAD

Json = dict[str, Any]

_RUN: Final = "01993c5e-7c1f-7d3a-9a55-0d5c00000001"
_AT: Final = "2026-11-21T09:30:00.123Z"
_LENGTH: Final[Json] = {"started_at": _AT, "ended_at": _AT, "duration_ms": 12}

EVENTS: Final[Json] = {
    "events": [
        {
            "seq": 5,
            "thread_id": THREAD,
            "execution_id": EXECUTION,
            "type": "status",
            "event": "step_complete",
            "step_id": "analyst",
            "attempt": 1,
            "version": 2,
            "at": _AT,
            "data": {"status": "completed", "progress": 0.5, "session_id": None, "result": {"score": 0.9}},
            "workflow": "content-strategy",
        }
    ],
    "next_cursor": None,
    "cursor": "WzQyLDIsInQtMSJd",
}
TIMELINE: Final[Json] = {
    "thread_id": THREAD,
    "status": "running",
    "now": _AT,
    "executions": [
        {
            "execution_id": EXECUTION,
            "kind": "invoke",
            "status": "running",
            "started_at": _AT,
            "ended_at": None,
            "duration_ms": 24,
            "waiting": False,
            "spans": [
                {"state": "queued", **_LENGTH},
                {"state": "running", "started_at": _AT, "ended_at": None, "duration_ms": 12},
            ],
        }
    ],
    "steps": [
        {
            "step_id": "analyst",
            "run_id": _RUN,
            "execution_id": EXECUTION,
            "step_index": 0,
            "kind": "agent",
            "agent": "analyst",
            "status": "completed",
            "attempt": 1,
            "error": None,
            **_LENGTH,
            "spans": [{"state": "running", **_LENGTH, "attempt": 1, "outcome": "completed"}],
            "items": [],
        }
    ],
    "whole": True,
    "next_cursor": None,
}
LOGS: Final[Json] = {
    "logs": [
        {
            "id": "01993c5e-7c1f-7d3a-9a55-0d5c00000002",
            "at": _AT,
            "level": "info",
            "logger": "agents.analyst",
            "message": "12 sources read",
            "thread_id": THREAD,
            "execution_id": EXECUTION,
            "workflow": "content-strategy",
            "step_id": "analyst",
            "index": None,
            "attempt": 1,
            "agent": "analyst",
            "context": {"sources": 12},
            "process": EXECUTION,
        }
    ],
    "dropped": 0,
    "next_cursor": None,
}
