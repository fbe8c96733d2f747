"""The kind `workflow`: a sub-workflow is a thread of its own, whose parent waits for its end without a slot.

Its thread id is derived from the parent's step run, so that starting it again after a crash starts nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.commands import StartCommand
from app.domain.errors import Conflict, InvalidRequest, NotFound, Unavailable
from app.domain.records import ErrorInfo
from app.domain.retry import CHILD_FAILED, CONFIGURATION, VALIDATION
from app.domain.runner import Asleep, Completed, Failed
from app.domain.status import ENDED, Status

if TYPE_CHECKING:
    from app.domain.commands import Accepted
    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

LOOK_AGAIN: Final = 60.0
"""Seconds after which a waiting parent looks at its child even if nobody woke it."""


class Starter(Protocol):
    """Who starts threads: engine.control."""

    async def start(self, command: StartCommand) -> Accepted:
        """Start a thread."""
        ...


class WorkflowRunner:
    """`starter` and `reads` come when the engine is wired: it needs the runners first."""

    def __init__(self) -> None:
        self.starter: Starter | None = None
        self.reads: Reads | None = None

    async def perform(self, attempt: Attempt) -> Outcome:
        """Start the child, or see how it is."""
        assert self.reads is not None
        child_id = child_thread_id(attempt.context.run_id, attempt.context.attempt)
        child = await self.reads.thread(child_id)
        if child is None:
            failure = await self._start(attempt, child_id)
            if failure is not None:
                return failure
        elif child.status in ENDED:
            return await self._ended(child)
        return Asleep(seconds=LOOK_AGAIN, thread_id=child_id)

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """Whether the workflow exists shows when the step runs: it may be registered later."""
        return []

    async def _start(self, attempt: Attempt, child_id: str) -> Failed | None:
        assert self.starter is not None
        command = StartCommand(
            workflow=str(attempt.target),
            input=attempt.input,
            has_input=True,
            thread_id=child_id,
            triggered_by=f"thread:{attempt.context.thread_id}",
            parent_thread_id=attempt.context.thread_id,
            parent_run_id=attempt.context.run_id,
        )
        try:
            await self.starter.start(command)
        except NotFound as error:
            return Failed(error=ErrorInfo(kind=CONFIGURATION, message=str(error)))
        except InvalidRequest as error:
            return Failed(error=ErrorInfo(kind=VALIDATION, message=str(error)))
        except Conflict:
            return None
        except Unavailable as error:
            return Failed(error=ErrorInfo(kind="unavailable", message=str(error), retryable=True))
        return None

    async def _ended(self, child: ThreadRecord) -> Outcome:
        assert self.reads is not None
        execution = await self.reads.execution(child.execution_id)
        if child.status is Status.COMPLETED:
            output = execution.output if execution is not None else None
            return Completed(output=jsontext.loads(output or "null"))
        error: dict[str, Any] = jsontext.loads(execution.error) if execution is not None and execution.error else {}
        message = f"thread {child.thread_id} is {child.status}: {error.get('message', 'no reason given')}"
        return Failed(error=ErrorInfo(kind=CHILD_FAILED, message=message, retryable=bool(error.get("retryable"))))


def child_thread_id(run_id: str, attempt: int) -> str:
    """The id of the thread that an attempt of a step run starts: a retry is a new child."""
    return f"sub:{run_id}" if attempt == 1 else f"sub:{run_id}:{attempt}"
