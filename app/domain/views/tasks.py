"""Tasks: the status of a thread of one step, flat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.views.executions import execution_entry

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord
    from app.domain.views.common import Document


def task_links(task_id: str) -> dict[str, str]:
    """Where to look next; `thread` is the task as the thread that it is."""
    return {
        "task": f"/api/tasks/{task_id}",
        "stream": f"/api/tasks/{task_id}/stream",
        "thread": f"/api/invoke/status/{task_id}",
    }


def task_document(status: Document) -> Document:
    """A task, from the status document of its thread."""
    step: dict[str, Any] = status["steps"][0]
    return {
        "task_id": status["thread_id"],
        "execution_id": status["execution_id"],
        "agent": step["agent"],
        "status": status["status"],
        "output": status["output"],
        "error": status["error"],
        "attempts": step["attempt"],
        "session_id": step["session_id"],
        "started_at": status["started_at"],
        "completed_at": status["completed_at"],
        "last_update": status["last_update"],
        "duration_ms": step["duration_ms"],
        "usage": status["usage"],
        "links": task_links(status["thread_id"]),
    }


def task_entry(execution: ExecutionRecord, agent: str | None) -> Document:
    """One line of a list: without output."""
    entry = execution_entry(execution)
    names = ("status", "created_at", "started_at", "completed_at", "duration_ms", "error", "triggered_by")
    return {
        "task_id": execution.thread_id,
        "execution_id": execution.id,
        "agent": agent,
        **{name: entry[name] for name in (*names, "external_run_id")},
    }
