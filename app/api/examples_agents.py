"""The examples of agents that OpenAPI shows."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_AT: Final = "2026-11-21T09:30:00.123Z"
NO_AGENT: Final = "no agent 'analist'"
BREAKER_CLOSED: Final[Json] = {
    "agent": "analyst",
    "state": "closed",
    "forced": False,
    "reason": None,
    "opened_at": None,
    "probe_at": None,
    "trips": 0,
    "changed_at": None,
}
DOCUMENT: Final[Json] = {
    "name": "analyst",
    "kind": "python",
    "description": "Finds what a text is about.",
    "config": {"function": "words"},
    "input": {"type": "object", "required": ["text"]},
    "output": {"type": "array"},
    "tags": ["text"],
}
CHANGE: Final[Json] = {"description": "Finds the words of a text.", "tags": ["text", "words"]}
ENTRY: Final[Json] = {
    "name": "analyst",
    "version": 2,
    "kind": "python",
    "description": "Finds what a text is about.",
    "tags": ["text"],
    "source": "api",
    "origin": None,
    "loaded": True,
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "current": True,
    "created_at": _AT,
    "enabled": True,
    "disabled_reason": None,
    "breaker": "closed",
}
AGENT: Final[Json] = {
    **ENTRY,
    "config": DOCUMENT["config"],
    "input": DOCUMENT["input"],
    "output": DOCUMENT["output"],
    "problems": [],
}
DISABLED: Final[Json] = {**AGENT, "enabled": False, "disabled_reason": "it costs too much", "breaker": "open"}
AGENTS: Final[Json] = {
    "agents": [ENTRY],
    "refused_files": [
        {"file": "marketer.yaml", "problems": [{"pointer": "/kind", "message": "no kind of agent 'lllm'"}]}
    ],
    "next_cursor": None,
}
DELETED: Final[Json] = {"name": "analyst", "version": 2, "deleted": True}
HEALTH: Final[Json] = {
    "agent": "analyst",
    "version": 2,
    "window_ms": 900_000,
    "attempts": 104,
    "succeeded": 99,
    "failed": 4,
    "rejected": 1,
    "success_rate": 0.9612,
    "duration_ms": {"p50": 12.3, "p95": 49.4, "p99": 198.0},
    "last_error": {"kind": "timeout", "message": "not done within 5 s", "step_id": "a", "retryable": True, "at": _AT},
    "enabled": True,
    "disabled_reason": None,
    "breaker": BREAKER_CLOSED,
}
EVENTS: Final[Json] = {
    "events": [
        {
            "id": "01993c5e-7c1f-7d3a-9a55-0d5a1c3b7e42",
            "at": _AT,
            "agent": "analyst",
            "event": "changed",
            "data": {"version": 2, "source": "api", "origin": None},
        }
    ],
    "next_cursor": None,
}
