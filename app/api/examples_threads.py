"""Examples of the answers about threads as a list."""

from __future__ import annotations

from typing import Any, Final

from app.api import examples

ENTRY: Final[dict[str, Any]] = {
    "thread_id": examples.THREAD,
    "execution_id": examples.EXECUTION,
    "workflow": "content-strategy",
    "workflow_version": 1,
    "kind": "invoke",
    "status": "running",
    "version": 3,
    "last_seq": 7,
    "title": "AI in Education",
    "steps_total": 4,
    "steps_done": 2,
    "progress": 0.5,
    "open": [
        {
            "id": "marketer",
            "status": "running",
            "agent": "marketer",
            "attempt": 1,
            "started_at": examples.AT,
            "next_attempt_at": None,
            "waits": None,
        }
    ],
    "open_more": 0,
    "error": None,
    "usage": {"input_tokens": 1200, "output_tokens": 310, "cost_usd": 0.0123},
    "created_at": examples.AT,
    "started_at": examples.AT,
    "completed_at": None,
    "updated_at": examples.AT,
    "triggered_by": "me@example",
    "parent_thread_id": None,
}
THREADS: Final[dict[str, Any]] = {"threads": [ENTRY], "next_cursor": None}
COUNTS: Final[dict[str, Any]] = {
    "counts": {
        "pending": 0,
        "running": 12,
        "waiting": 3,
        "paused": 0,
        "completed": 2318,
        "failed": 1,
        "cancelled": 0,
        "interrupted": 0,
    },
    "total": 2334,
    "capped_at": 10_000,
    "whole": True,
}
BULK: Final[dict[str, Any]] = {
    "matched": 2,
    "done": 1,
    "refused": [{"thread_id": "order-4711", "code": "thread_running", "detail": "thread order-4711 is running"}],
    "more": False,
    "next_cursor": None,
    "dry_run": False,
    "thread_ids": [examples.THREAD],
}
