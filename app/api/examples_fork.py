"""The examples that OpenAPI shows of forks, comparisons and single tasks."""

from __future__ import annotations

from typing import Final

from app.api.examples import AT, EXECUTION, LINKS, THREAD, Json

FORKED: Final[Json] = {
    "thread_id": "01993c5e-7c1f-7d3a-9a55-000000000000",
    "version": 2,
    "forks": [
        {
            "variant": "b",
            "thread_id": THREAD,
            "execution_id": EXECUTION,
            "status": "pending",
            "version": 1,
            "links": LINKS,
        }
    ],
    "failed": [],
    "durable": True,
}
_COMPARED: Final[Json] = {
    "execution_id": EXECUTION,
    "thread_id": THREAD,
    "workflow": "content-strategy",
    "workflow_version": 1,
    "kind": "fork",
    "status": "completed",
    "version": 3,
    "forked_from": {"thread_id": "01993c5e-7c1f-7d3a-9a55-000000000000", "version": 2, "variant": "b"},
    "started_at": AT,
    "completed_at": AT,
    "error": None,
    "duration_ms": 950,
    "steps_ms": 900,
    "attempts": 1,
    "usage": {"input_tokens": 812, "output_tokens": 240, "cost_usd": 0.0021},
    "steps": {"total": 2, "completed": 2, "failed": 0, "skipped": 0, "reused": 1},
}
_RUN: Final[Json] = {
    "status": "completed",
    "agent": "marketer-v2",
    "agent_version": 1,
    "variant": None,
    "attempt": 1,
    "retry_count": 0,
    "duration_ms": 900,
    "usage": {"input_tokens": 812, "output_tokens": 240, "cost_usd": 0.0021},
    "reused": False,
    "error": None,
}
_SAME: Final[Json] = {"equal": True, "a": None, "b": None, "patch": [], "omitted": None}
COMPARED: Final[Json] = {
    "a": {**_COMPARED, "duration_ms": 700, "steps_ms": 650, "usage": None},
    "b": _COMPARED,
    "ancestor": {"thread_id": "01993c5e-7c1f-7d3a-9a55-000000000000", "version": 2},
    "difference": {
        "duration_ms": 250,
        "steps_ms": 250,
        "attempts": 0,
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
    },
    "steps": [
        {
            "id": "marketer",
            "a": {**_RUN, "agent": "marketer", "duration_ms": 650, "usage": None},
            "b": _RUN,
            "output": {
                "equal": False,
                "a": {"plan": "short"},
                "b": {"plan": "long"},
                "patch": [{"op": "replace", "path": "/plan", "value": "long"}],
                "omitted": None,
            },
        }
    ],
    "input": _SAME,
    "context": _SAME,
    "output": {"equal": None, "a": None, "b": None, "patch": None, "omitted": "not_written"},
}
_TASK_LINKS: Final = {
    "task": f"/api/tasks/{THREAD}",
    "stream": f"/api/tasks/{THREAD}/stream",
    "thread": f"/api/invoke/status/{THREAD}",
}
TASK_ACCEPTED: Final[Json] = {
    "task_id": THREAD,
    "execution_id": EXECUTION,
    "status": "pending",
    "durable": True,
    "links": _TASK_LINKS,
}
TASK: Final[Json] = {
    "task_id": THREAD,
    "execution_id": EXECUTION,
    "agent": "writer",
    "status": "completed",
    "output": {"text": "..."},
    "error": None,
    "attempts": 1,
    "session_id": None,
    "started_at": AT,
    "completed_at": AT,
    "last_update": AT,
    "duration_ms": 840,
    "usage": {"input_tokens": 812, "output_tokens": 240, "cost_usd": 0.0021},
    "links": _TASK_LINKS,
}
TASK_ENTRY: Final[Json] = {
    "task_id": THREAD,
    "execution_id": EXECUTION,
    "agent": "writer",
    "status": "completed",
    "created_at": AT,
    "started_at": AT,
    "completed_at": AT,
    "duration_ms": 850,
    "error": None,
    "triggered_by": None,
    "external_run_id": None,
}
