"""A replay beside what it does again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.events import shorten
from app.domain.integrity import is_text
from app.domain.status import STEP_OPEN
from app.domain.times import duration_ms
from app.domain.views.common import Document, raw, when
from app.domain.views.compare import DAMAGED, NOT_WRITTEN, told, values_of_texts
from app.domain.views.status import links

if TYPE_CHECKING:
    from app.domain.parameters import ReplayOf
    from app.domain.records import ExecutionRecord, ItemRecord, StepRecord, ThreadRecord


def replay_document(
    thread: ThreadRecord,
    execution: ExecutionRecord,
    origin: ReplayOf,
    recorded: StepRecord | ItemRecord | None,
    replayed: StepRecord | None,
) -> Document:
    """Where a replay stands; `same` is null until both have an output.  Large outputs take their time."""
    output = _compared(recorded, replayed)
    return {
        "thread_id": thread.thread_id,
        "execution_id": execution.id,
        "status": thread.status.value,
        "replay_of": origin.value(),
        "same": output["equal"],
        "recorded": _run(recorded),
        "replayed": _run(replayed),
        "output": output,
        "input": raw(shorten(execution.input)) if execution.input is not None else None,
        "error": raw(execution.error),
        "links": links(thread.thread_id),
    }


def _compared(recorded: StepRecord | ItemRecord | None, replayed: StepRecord | None) -> Document:
    for run in (recorded, replayed):
        if run is None or run.output is None or run.status in STEP_OPEN:
            return told(equal=None, omitted=NOT_WRITTEN)
        if not is_text(run.output, run.output_sha256):
            return told(equal=None, omitted=DAMAGED)
    assert recorded is not None
    assert replayed is not None
    return values_of_texts(recorded.output, replayed.output)


def _run(run: StepRecord | ItemRecord | None) -> Document | None:
    if run is None:
        return None
    ended = run.completed_at
    took = duration_ms(run.started_at, ended) if run.started_at is not None and ended is not None else None
    usage = getattr(run, "usage", None)
    return {
        "status": run.status.value,
        "agent": run.agent,
        "agent_version": run.agent_version,
        "attempt": run.attempt,
        "started_at": when(run.started_at),
        "completed_at": when(ended),
        "duration_ms": took,
        "usage": usage.value() if usage is not None else None,
        "output": raw(shorten(run.output)) if run.output is not None else None,
        "error": raw(run.error),
    }
