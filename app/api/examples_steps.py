"""The examples of OpenAPI about items, usage and what a rollback would undo."""

from __future__ import annotations

from typing import Any, Final

from app.api.examples import EXECUTION, THREAD

Json = dict[str, Any]

_RUN: Final = "01993c5e-7c1f-7d3a-9a55-0d5c00000001"
_AT: Final = "2026-11-21T09:30:00.123Z"
_SPENT: Final[Json] = {"step_runs": 12, "input_tokens": 9120, "output_tokens": 2400, "cost_usd": 0.0231}

PREVIEW: Final[Json] = {
    "thread_id": THREAD,
    "from_version": 4,
    "to_version": 2,
    "undone": [
        {
            "step_id": "publish",
            "run_id": EXECUTION,
            "status": "completed",
            "agent": None,
            "effect": "irreversible",
            "compensate": False,
        },
        {
            "step_id": "reserve",
            "run_id": _RUN,
            "status": "completed",
            "agent": None,
            "effect": "idempotent",
            "compensate": True,
        },
    ],
    "status": "pending",
    "irreversible": ["publish"],
    "compensations": [],
    "kept": ["analyst"],
    "runs_again": ["reserve", "publish"],
}
RESUME_PREVIEW: Final[Json] = {
    "thread_id": THREAD,
    "status": "pending",
    "resumed_from_version": 4,
    "would_run": ["publish"],
    "kept": ["analyst", "reserve"],
    "skipped": [],
    "compensations": [],
    "again": [PREVIEW["undone"][0]],
    "irreversible": ["publish"],
}
STEP_RUN: Final[Json] = {
    "thread_id": THREAD,
    "id": "publish",
    "index": 2,
    "status": "completed",
    "agent": None,
    "variant": None,
    "attempt": 2,
    "retry_count": 1,
    "session_id": None,
    "started_at": _AT,
    "completed_at": _AT,
    "duration_ms": 812,
    "error": None,
    "reused": False,
    "agent_version": None,
    "usage": None,
    "run_id": _RUN,
    "execution_id": EXECUTION,
    "current": True,
    "kind": "http",
    "effect": "irreversible",
    "compensates": None,
    "call": None,
    "next_attempt_at": None,
    "gate": None,
    "wait": None,
    "input_bytes": 4,
    "output_bytes": 12,
    "runs": [],
    "more_runs": False,
    "input": None,
    "output": {"id": 4711},
}
_ITEM: Final[Json] = {
    "index": 0,
    "status": "completed",
    "attempt": 1,
    "retry_count": 0,
    "agent": "reader",
    "agent_version": 3,
    "session_id": None,
    "output": {"words": 812},
    "error": None,
    "started_at": _AT,
    "completed_at": _AT,
    "duration_ms": 12,
}
ITEMS: Final[Json] = {
    "thread_id": THREAD,
    "step_id": "read",
    "run_id": _RUN,
    "status": "running",
    "counts": {"total": 40, "completed": 7, "failed": 0, "open": 1},
    "items": [_ITEM],
    "next_cursor": "1",
}
ITEM: Final[Json] = {"thread_id": THREAD, "step_id": "read", "run_id": _RUN, **_ITEM}
USAGE: Final[Json] = {
    "by": ["agent", "day"],
    "since": "2026-11-01T00:00:00.000Z",
    "until": None,
    "usage": [{"day": "2026-11-21", "agent": "writer", **_SPENT}],
    "total": _SPENT,
    "next_cursor": None,
}
