"""The examples that OpenAPI shows: one run of content-strategy, told from every side."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

THREAD: Final = "01993c5e-7c1f-7d3a-9a55-0d5a1c3b7e42"
EXECUTION: Final = "01993c5e-7c1f-7d3a-9a55-0d5b2f6c8d11"
AT: Final = "2026-11-21T09:30:00.123Z"

WORKFLOW_DOCUMENT: Final = {
    "name": "content-strategy",
    "steps": [{"id": "analyst", "agent": "analyst", "input": {"topic": "{input.topic}"}}],
}
LINKS: Final = {
    "status": f"/api/invoke/status/{THREAD}",
    "stream": f"/api/invoke/stream/{THREAD}",
    "history": f"/api/invoke/history/{THREAD}",
}
ACCEPTED: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "status": "pending",
    "version": 1,
    "durable": True,
    "estimated_duration_ms": None,
    "links": LINKS,
}
STATUS: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "workflow": "content-strategy",
    "workflow_version": 1,
    "kind": "invoke",
    "status": "running",
    "version": 2,
    "last_seq": 5,
    "current_step": "marketer",
    "completed_steps": ["analyst"],
    "progress": 0.5,
    "steps": [
        {
            "id": "analyst",
            "index": 0,
            "status": "completed",
            "agent": "analyst",
            "variant": None,
            "attempt": 1,
            "retry_count": 0,
            "session_id": None,
            "started_at": AT,
            "completed_at": AT,
            "duration_ms": 12,
            "error": None,
            "reused": False,
            "agent_version": 1,
            "usage": None,
        }
    ],
    "output": None,
    "error": None,
    "last_update": AT,
    "started_at": AT,
    "completed_at": None,
    "usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0},
    "forked_from": None,
}
HISTORY_ENTRY: Final[Json] = {
    "version": 2,
    "parent_version": 1,
    "created_at": AT,
    "current_step": "analyst",
    "completed_steps": ["analyst"],
    "state_summary": {"num_agent_results": 1, "context_keys": ["insights"]},
    "execution_id": EXECUTION,
    "trigger": "step",
    "progress": 0.5,
    "size_bytes": 812,
    "on_timeline": True,
}
EXECUTION_ENTRY: Final[Json] = {
    "id": EXECUTION,
    "workflow_id": "01993c5e-0000-7d3a-9a55-0d5b2f6c8d11",
    "workflow": "content-strategy",
    "workflow_version": 1,
    "thread_id": THREAD,
    "kind": "invoke",
    "status": "completed",
    "created_at": AT,
    "started_at": AT,
    "completed_at": AT,
    "duration_ms": 1200,
    "error": None,
    "triggered_by": "me@example",
    "external_run_id": None,
}
WORKFLOW_ENTRY: Final[Json] = {
    "id": "01993c5e-0000-7d3a-9a55-0d5b2f6c8d11",
    "name": "content-strategy",
    "version": 1,
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "description": None,
    "steps": ["analyst"],
    "created_at": AT,
}
GRAPH: Final[Json] = {
    "nodes": [
        {
            "id": "analyst",
            "index": 0,
            "kind": "agent",
            "agent": "analyst",
            "label": "analyst",
            "condition": None,
            "parts": None,
            "effect": None,
            "compensate": None,
            "on_error": None,
            "rescues": [],
            "timeout_ms": 300_000,
        }
    ],
    "edges": [],
}
WORKFLOW: Final[Json] = {**WORKFLOW_ENTRY, "document": WORKFLOW_DOCUMENT, "graph": GRAPH}
RESUMED: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "status": "pending",
    "resumed_from_version": 3,
    "durable": True,
    "links": LINKS,
}
ROLLED_BACK: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "status": "pending",
    "rolled_back_to_version": 2,
    "rolled_back_from_version": 4,
    "durable": True,
    "links": LINKS,
}
VERSION: Final[Json] = {
    "thread_id": THREAD,
    **HISTORY_ENTRY,
    "state": {
        "input": {"topic": "AI in Education"},
        "context": {"insights": {"score": 0.9}},
        "steps": {"analyst": {"output": {"score": 0.9}, "status": "completed"}},
        "metadata": {"current_step": "analyst", "completed_steps": ["analyst"], "progress": 0.5, "trigger": "step"},
    },
}
EXECUTION_DETAIL: Final[Json] = {
    "execution": {
        **EXECUTION_ENTRY,
        "input": {"topic": "AI in Education"},
        "output": {"plan": {}},
        "context": {},
        "parameters": None,
    },
    "steps": [],
    "metadata": {"total_steps": 1, "completed_steps": 1, "failed_steps": 0, "skipped_steps": 0},
}
GATE: Final[Json] = {
    "thread_id": THREAD,
    "step_id": "approve",
    "item": None,
    "round": 0,
    "status": "open",
    "title": "Publish?",
    "show": {"draft": "..."},
    "form": {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}},
    "assignees": ["ana"],
    "opened_at": AT,
    "timeout_at": "2026-11-22T09:30:00.123Z",
    "answer": None,
    "answered_by": None,
    "answered_at": None,
    "via": None,
}
GATE_ANSWERED: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "step_id": "approve",
    "status": "waiting",
    "durable": True,
    "links": LINKS,
}
QUEUE: Final[Json] = {
    "name": "mail",
    "limit": 3,
    "limit_scope": "all",
    "running": 3,
    "depth": 12,
    "delayed": 1,
    "oldest_wait_ms": 4200,
    "max_depth": 100,
    "rate_limit": {"count": 10, "per_ms": 60000},
}
QUEUES: Final[Json] = {"depth": 12, "delayed": 1, "running": 3, "oldest_wait_ms": 4200, "queues": [QUEUE]}
VALIDATION: Final[Json] = {
    "valid": False,
    "name": None,
    "hash": None,
    "steps": [],
    "graph": None,
    "diagram": None,
    "problems": [{"pointer": "/steps/0/agent", "message": "no agent analist", "line": 3, "column": 19}],
}
