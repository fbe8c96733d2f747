"""One line of the list of threads: how far it is, what it is at, what it is about, what it has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, parameters
from app.domain.errors import JsonError
from app.domain.status import Status
from app.domain.views.common import Document, raw, short_error, when
from app.domain.views.title import title_of

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord
    from app.domain.thread_list import ListedThread, OpenRun

_SHORT: Final = 500
"""Characters of an error that is told as it is stored."""


def thread_entry(of: ListedThread) -> Document:
    """Without values."""
    thread, execution = of.thread, of.execution
    total, done, progress = _progress(of)
    return {
        "thread_id": thread.thread_id,
        "execution_id": execution.id,
        "workflow": execution.workflow_name,
        "workflow_version": execution.workflow_version,
        "kind": execution.kind,
        "status": thread.status.value,
        "version": thread.head_version,
        "last_seq": thread.last_seq,
        "title": title_of(of.head),
        "steps_total": total,
        "steps_done": done,
        "progress": progress,
        "open": [_open(run) for run in of.open],
        "open_more": of.open_more,
        "error": _error(execution.error),
        "usage": None if of.usage is None else of.usage.value(),
        "created_at": when(execution.created_at),
        "started_at": when(execution.started_at),
        "completed_at": when(execution.completed_at),
        "updated_at": when(thread.updated_at),
        "triggered_by": execution.triggered_by,
        "parent_thread_id": thread.parent_thread_id,
    }


def _progress(of: ListedThread) -> tuple[int | None, int, float]:
    """Of how many steps how many have ended, and which share that is; of a workflow in Python the first is not known."""
    footing = of.footing
    if footing.total is None:
        return None, footing.ended, footing.progress
    if of.thread.status is Status.COMPLETED:
        return footing.total, footing.total, 1.0
    done = round(footing.progress * footing.total)
    if footing.execution_id != of.execution.id:  # the execution has written nothing yet: these are about to run again
        done -= _reset(of.execution)
    done = min(max(0, done), footing.total)
    return footing.total, done, round(done / footing.total, 4) if footing.total else 1.0


def _reset(execution: ExecutionRecord) -> int:
    try:
        return len(parameters.parse(execution.parameters).reset)
    except (KeyError, ValueError, JsonError):  # that is somebody else's to see
        return 0


def _open(run: OpenRun) -> Document:
    return {
        "id": run.step_id,
        "status": run.status.value,
        "agent": run.agent,
        "attempt": run.attempt,
        "started_at": when(run.started_at),
        "next_attempt_at": when(run.next_attempt_at),
        "waits": run.waits,
    }


def _error(text: str | None) -> Any:
    """As it is stored, a long message cut."""
    if text is None or len(text) <= _SHORT:
        return raw(text)
    return short_error(jsontext.loads(text))
