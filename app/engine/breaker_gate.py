"""One agent's breaker as a process holds it, and the ticket of one attempt, which tells of its end exactly once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, Self

from app.domain.records import ErrorInfo
from app.domain.retry import TIMEOUT
from app.domain.runner import Asleep, Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.domain.breakers import BreakerPolicy, BreakerRecord
    from app.engine.openstep import OpenStep
    from app.engine.step import Ending


class Book(Protocol):
    """Where tickets are entered when their attempts have ended; `outcomes` is told the agent, the ending and the seconds."""

    outcomes: Callable[[str, Ending, float], None]

    def succeeded(self, ticket: Ticket, /) -> None:
        """Its agent works."""
        ...

    def failed(self, ticket: Ticket, error: ErrorInfo, /) -> None:
        """Its failure speaks against the agent."""
        ...

    def released(self, ticket: Ticket, /) -> None:
        """Nothing can be said."""
        ...


class Ticket:
    """Let in since `since` (the breakers' clock); `token` if it is a probe.  A context that ends settles it if nothing has."""

    __slots__ = ("_began", "_book", "_step", "_task", "agent", "settled", "since", "token")

    def __init__(self, book: Book, agent: str, step: OpenStep, token: str | None, since: float) -> None:
        self._book = book
        self._step = step
        self._task = asyncio.current_task()
        self._began = asyncio.get_running_loop().time()
        self.agent = agent
        self.token = token
        self.since = since
        self.settled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.settled:
            self.settled = True
            self._book.released(self)

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the attempt any more, though it may not stop."""
        task = self._task
        return task is None or task.done() or task.cancelling() > 0 or self.abandoned

    @property
    def abandoned(self) -> bool:
        """Whether the attempt did not stop when it had to and was left behind."""
        return self._step.task is not self._task

    def settle(self, ending: Ending) -> None:
        """The attempt has ended; only the first word counts.

        A failure that a retry cannot mend (of the input, say) does not speak against the agent; from a probe it shows that
        the agent answers.
        """
        if self.settled:
            return
        self.settled = True
        self._tell(ending)
        if isinstance(ending, Failed) and ending.error.retryable:
            self._book.failed(self, ending.error)
        elif isinstance(ending, Asleep) or (isinstance(ending, Failed) and self.token is None):
            self._book.released(self)
        else:
            self._book.succeeded(self)

    def check(self) -> None:
        """Settle it as failed if it was left behind."""
        if not self.settled and self.abandoned:
            self.settled = True
            message = f"an attempt of step {self._step.spec.id} does not stop"
            error = ErrorInfo(kind=TIMEOUT, message=message, retryable=True)
            self._tell(Failed(error=error))
            self._book.failed(self, error)

    def _tell(self, ending: Ending) -> None:
        self._book.outcomes(self.agent, ending, asyncio.get_running_loop().time() - self._began)


class Gate:
    """An agent whose breaker is more than closed: open, closed a short while ago, or with failures counted.

    `taking`: this process is asking for the probe.
    """

    __slots__ = ("failures", "inside", "record", "taking")

    def __init__(self, record: BreakerRecord) -> None:
        self.record = record
        self.failures = 0
        self.inside: set[Ticket] = set()
        self.taking = False

    def turn(self, record: BreakerRecord) -> None:
        """The breaker is in this state from now on."""
        if record.closed and not self.record.closed:
            self.inside.clear()
        if not record.closed:
            self.failures = 0
        self.record = record

    def free(self, policy: BreakerPolicy, now: datetime) -> bool:
        """Whether it lets one more in: it is closed, and has been for long enough or has few inside."""
        room = self._room(policy, now)
        if room is None or len(self.inside) < room:
            return True
        self.inside = {ticket for ticket in self.inside if not ticket.gone}
        return len(self.inside) < room

    def idle(self, policy: BreakerPolicy, now: datetime) -> bool:
        """Whether it is as good as none."""
        return self.failures == 0 and self._room(policy, now) is None

    def _room(self, policy: BreakerPolicy, now: datetime) -> int | None:
        record = self.record
        if not record.closed:
            return 0
        return None if record.closed_at is None else policy.ramp((now - record.closed_at).total_seconds())
