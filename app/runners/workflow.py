"""The kind `workflow`: a sub-workflow is a thread of its own, whose parent waits for its end without a slot.

Its thread id is derived from the step run's key, so that starting it again after a crash starts nothing twice, and a retry
or a resume of the parent resumes the child: what had completed in it does not run again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.commands import ResumeCommand, StartCommand
from app.domain.errors import Conflict, InvalidRequest, NotFound, Unavailable
from app.domain.integrity import is_text
from app.domain.records import ErrorInfo
from app.domain.retry import CHILD_FAILED, CONFIGURATION, CORRUPT, VALIDATION
from app.domain.runner import Asleep, Completed, Failed
from app.domain.status import ENDED, Status
from app.runners.aside import aside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.commands import Accepted
    from app.domain.ports import Reads
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

LOOK_AGAIN: Final = 60.0
"""Seconds after which a waiting parent looks at its child even if nobody woke it."""
_OUTAGE_PAUSE: Final = 2.0


class Starter(Protocol):
    """Who starts threads: engine.control."""

    async def start(self, command: StartCommand) -> Accepted:
        """Start a thread."""
        ...

    async def resume(self, command: ResumeCommand) -> Accepted:
        """Go on with a thread that ended unfinished."""
        ...

    async def cancel(self, thread_id: str, reason: str | None = None) -> ThreadRecord:
        """End a thread."""
        ...


class WorkflowRunner:
    """`starter` and `reads` come when the engine is wired: it needs the runners first."""

    def __init__(self) -> None:
        self.starter: Starter | None = None
        self.reads: Reads | None = None

    async def perform(self, attempt: Attempt) -> Outcome:
        """Start the child, or see how it is; one that an earlier attempt left unfinished goes on where it was."""
        try:
            return await self._perform(attempt)
        except Unavailable:  # an outage of the store spends no attempt
            return Asleep(seconds=_OUTAGE_PAUSE)

    async def _perform(self, attempt: Attempt) -> Outcome:
        assert self.reads is not None
        child_id, mark = child_thread_id(attempt), f"{attempt.context.run_id}:{attempt.context.attempt}"
        child = await self.reads.thread(child_id)
        if attempt.overdue is not None and child is not None and child.status not in ENDED:
            await self._try(lambda starter: starter.cancel(child_id, "its parent waited for longer than its timeout"))
            return attempt.overdue
        if child is None:
            parent = await self.reads.thread(attempt.context.thread_id)
            command = _start(attempt, child_id, mark, parent.priority if parent is not None else None)
            failure = await self._try(lambda starter: starter.start(command))
        elif child.status in ENDED:
            execution = await self.reads.execution(child.execution_id)
            if execution is None or child.status is Status.COMPLETED or execution.triggered_by == mark:
                size = len((execution and execution.output) or "")
                return await aside(partial(_ended, child, execution), size)
            again = ResumeCommand(thread_id=child_id, triggered_by=mark)
            failure = await self._try(lambda starter: starter.resume(again))
        else:
            failure = None
        return failure or Asleep(seconds=LOOK_AGAIN, thread_id=child_id)

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """Whether the workflow exists shows when the step runs: it may be registered later."""
        return []

    async def _try(self, ask: Callable[[Starter], Awaitable[object]]) -> Failed | None:
        assert self.starter is not None
        try:
            await ask(self.starter)
        except NotFound as error:
            return Failed(error=ErrorInfo(kind=CONFIGURATION, message=str(error)))
        except InvalidRequest as error:
            return Failed(error=ErrorInfo(kind=VALIDATION, message=str(error)))
        except Conflict:
            return None
        return None


def child_thread_id(attempt: Attempt) -> str:
    """The id of the child: of the step run's key, which retries, recovery and resume keep, and of what it is to do."""
    asked = jsontext.dumps([attempt.context.idempotency_key, attempt.target, attempt.input])
    return f"sub:{jsontext.sha256(asked).hex()[:32]}"


def _start(attempt: Attempt, child_id: str, mark: str, priority: int | None) -> StartCommand:
    return StartCommand(
        workflow=str(attempt.target),
        input=attempt.input,
        has_input=True,
        thread_id=child_id,
        triggered_by=mark,
        priority=priority,
        parent_thread_id=attempt.context.thread_id,
        parent_run_id=attempt.context.run_id,
        traceparent=attempt.context.traceparent,
    )


def _ended(child: ThreadRecord, execution: ExecutionRecord | None) -> Outcome:
    if child.status is Status.COMPLETED:
        output = execution.output if execution is not None else None
        digest = execution.output_sha256 if execution is not None else None
        if digest is not None and not is_text(output, digest):
            message = (
                f"the output of thread {child.thread_id} is damaged: roll that thread back by one version, then resume"
            )
            return Failed(error=ErrorInfo(kind=CORRUPT, message=message))
        return Completed(output=jsontext.loads(output or "null"))
    error: dict[str, Any] = jsontext.loads(execution.error) if execution is not None and execution.error else {}
    message = f"thread {child.thread_id} is {child.status}: {error.get('message', 'no reason given')}"
    return Failed(error=ErrorInfo(kind=CHILD_FAILED, message=message, retryable=bool(error.get("retryable"))))
