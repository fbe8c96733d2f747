"""What a runner is given and what comes of it: outcomes are data, a failing step tears nothing down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from app.domain.fresh import empty
from app.domain.records import NO_USAGE, ErrorInfo, Usage
from app.domain.retry import TIMEOUT

__all__ = [
    "NO_USAGE",
    "Asleep",
    "Attempt",
    "Completed",
    "Failed",
    "ModelCall",
    "Outcome",
    "Runner",
    "StepContext",
    "StepFailure",
    "Usage",
]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.spec import StepSpec
    from app.domain.waiting import WaitRecord


@dataclass(slots=True, kw_only=True)
class Completed:
    """The step's output, a JSON value."""

    output: Any
    session_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Failed:
    """Why not.  `retry_after` in seconds when the other side asked for a pause."""

    error: ErrorInfo
    retry_after: float | None = None


@dataclass(slots=True, kw_only=True)
class Asleep:
    """Nothing to do until a time, another thread's end or an answer: the step waits and needs no slot.

    `seconds` until it should be looked at again, None for not before it is woken; `thread_id` of the child whose end it
    waits for; `gate`: the question whose answer wakes it, or what else is given to it.
    """

    seconds: float | None = None
    thread_id: str | None = None
    gate: WaitRecord | None = None


Outcome = Completed | Failed | Asleep


class StepContext(Protocol):
    """What a running step may use.  What is no coroutine is safe from any thread.

    `index` is the place of the item (`for_each`) or the iteration (`repeat`), None for a plain step; `session_id` is what an
    earlier attempt of it kept; `epoch` is the fencing token of its thread's driver; whoever performs for an agent writes that
    agent's version into `agent_version`; `traceparent` is the header with which other services carry its trace on, None
    where it is not traced.
    """

    thread_id: str
    execution_id: str
    epoch: int
    step_id: str
    index: int | None
    run_id: str
    attempt: int
    idempotency_key: str
    session_id: str | None
    agent_version: int | None
    traceparent: str | None

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the attempt any more (cancelled, timed out): a plain function should return then."""
        ...

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Tell how far the step is (0 to 1): a durable event, at most two a second."""
        ...

    def chunk(self, text: str) -> None:
        """Stream a piece of text to whoever watches; it is not stored piece by piece."""
        ...

    def spend(self, usage: Usage) -> None:
        """Count tokens and money to the step; they are written with whatever of it is written next, its failure too."""
        ...

    def called_model(self, call: ModelCall) -> None:
        """Tell of one call of a model that is over, whatever became of it: for traces, nothing of it is stored."""
        ...

    def keep_session(self, session_id: str) -> None:
        """Name the session that the next attempt should go on with: it is written soon, and handed on as `session_id`."""
        ...

    def log(self, level: str, message: str, **context: Any) -> None:
        """Write a log entry that tells of this attempt, with a context of JSON values.

        `level` is debug, info, warning, error or critical; raises ValueError for another.
        """
        ...

    async def remembered(self) -> Mapping[str, Any]:
        """What attempts under this idempotency key have remembered, by name, in the order of remembering."""
        ...

    async def remember(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name that is new to this idempotency key; returns once it is durable.

        Whatever comes after a crash, a retry or a resume finds it with `remembered`, and need not do that part again.
        Raises ValueError for a name that is taken, JsonError for a value that JSON cannot carry.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call of a model: `began` in nanoseconds since the epoch, `error` the kind of the failure if it was one.

    Neither what was asked nor what was answered is in it.
    """

    provider: str
    model: str
    answered_by: str | None
    began: int
    usage: Usage
    stop: str | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try of a step run, resolved: `target` is the kind's own part of the document with its templates filled in.

    `waited` is how many seconds have passed since the step run began; `asked` are the gates (see
    domain.gates.ask) and waits that it looked at, of which the thread's events tell.
    """

    step: StepSpec
    target: Any
    input: Any
    context: StepContext
    waited: float = 0.0
    asked: list[WaitRecord] = field(default_factory=empty)

    @property
    def overdue(self) -> Failed | None:
        """The failure of a step run that has waited for longer than its timeout."""
        limit = self.step.timeout
        if limit is None or self.waited < limit:
            return None
        return Failed(error=ErrorInfo(kind=TIMEOUT, message=f"waited for more than {limit:g} s"))


class Runner(Protocol):
    """Performs the steps of one kind.

    It returns an outcome, or raises: TimeoutError, StepFailure, or anything else, which counts as a retryable failure.
    """

    async def perform(self, attempt: Attempt) -> Outcome:
        """Carry out one attempt.  Cancelled when the thread is steered away or the timeout passes."""
        ...

    def check(self, step: StepSpec) -> list[str]:
        """What is wrong with such a step here (an unknown function, say); told at registration and at start."""
        ...


class StepFailure(Exception):
    """Raised by a step's own code to fail with a `kind` of its own; `retryable` False ends it at once."""

    def __init__(
        self, message: str, *, kind: str = "failure", retryable: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.retry_after = retry_after
