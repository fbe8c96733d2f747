"""What a log record says, and where it comes from: what is said while a thread is driven, or in an attempt, knows its place."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from app.domain.logs import Place
from app.engine.watch import Watcher

if TYPE_CHECKING:
    from logging import LogRecord

    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.engine.watch import AttemptFact

PLACE: Final[ContextVar[Place | None]] = ContextVar("PLACE", default=None)
"""Tasks and threads that a step begins by the usual ways have it too."""


class Places(Watcher):
    """Sets the place in the task of each thread that is driven, and in that of each attempt."""

    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:
        """See Watcher."""
        PLACE.set(Place(thread_id=thread.thread_id, execution_id=execution.id, workflow=spec.name))

    def began(self, attempt: AttemptFact) -> None:
        """See Watcher."""
        context = attempt.context
        place = Place(  # not the context's with another workflow: that takes thrice as long, and every attempt has one
            thread_id=context.thread_id,
            execution_id=context.execution_id,
            workflow=attempt.spec.name,
            step_id=context.step_id,
            item=context.index,
            attempt=context.attempt,
            agent=attempt.step.agent,
        )
        PLACE.set(place)


def place_of(record: LogRecord) -> Place | None:
    """Where a record comes from: what it says itself, else where it was made."""
    said: Any = getattr(record, "place", None)
    here = PLACE.get()
    if isinstance(said, Place):
        same = here is not None and here.thread_id == said.thread_id and said.workflow is None
        return replace(said, workflow=here.workflow) if same and here is not None else said
    return here


def message_of(record: LogRecord) -> str:
    """What a record says, also when its arguments do not fit, or cannot be told."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whoever logs must not fail because of it
        return record.msg if isinstance(record.msg, str) else f"({type(record.msg).__name__}: cannot be told)"
