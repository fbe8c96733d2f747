"""Queues: where threads wait for a slot, each with a limit on those that are driven at once, whatever the number of processes.

The queue `default` is bounded by each process's own slots only, until somebody gives it a limit of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from app.domain.errors import Conflict

DEFAULT: Final = "default"
NAMED_LIMIT: Final = 5
"""Threads of a named queue that are driven at once, unless it says otherwise."""
MAX_QUEUES: Final = 1_000
"""Named queues that there may be: each look for due threads goes through all that have some."""
MAX_PRIORITY: Final = 1_000
"""Priorities go from -MAX_PRIORITY to MAX_PRIORITY; the higher goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What a queue is told to be; None is the usual.

    `max_running`: threads driven at once over all processes (usual: QUEUE_LIMIT, for the default queue no bound).
    `max_depth`: due threads that may wait (usual: QUEUE_MAX_DEPTH).  The rate is a bucket of `rate_count` tokens that fills
    in `rate_seconds`: each time that a thread is taken up costs one, also when it had slept in between.
    """

    name: str
    max_running: int | None = None
    max_depth: int | None = None
    rate_count: int | None = None
    rate_seconds: float | None = None

    @property
    def limited(self) -> bool:
        """Whether its threads have to be counted before one is taken up."""
        return self.name != DEFAULT or self.max_running is not None or self.rate_count is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad:
    """How full a queue is: `depth` threads are due and wait for a slot, `running` hold one."""

    depth: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReport:
    """How a queue is: `depth` threads are due and wait for a slot, `delayed` are not due yet, `running` hold a slot;
    the longest due has waited for `oldest_wait` seconds.
    """

    settings: QueueSettings
    depth: int
    delayed: int
    running: int
    oldest_wait: float | None


def too_many() -> Conflict:
    """No further named queue can be made."""
    return Conflict(f"there are {MAX_QUEUES:,} queues already: use one of them", code="too_many_queues")


class Queues(Protocol):
    """The stored queues; all raise Unavailable while the store is away."""

    def assume(self, usual: int) -> None:
        """The limit, from now on, of a named queue that is told nothing else."""
        ...

    async def ensure(self, name: str) -> QueueSettings:
        """The settings of a queue, which is made with the usual ones if it is new.

        Raises Conflict (too_many_queues).
        """
        ...

    async def prune(self) -> None:
        """Forget queues that are told nothing, hold nobody and are not new."""
        ...

    async def configure(self, settings: QueueSettings) -> QueueSettings:
        """Make a queue, or change what it is told to be.  Raises Conflict (too_many_queues)."""
        ...

    async def load(self, name: str, at_most: int) -> QueueLoad:
        """How full a queue is; the waiting are counted up to `at_most`."""
        ...

    async def report(self, name: str | None = None) -> list[QueueReport]:
        """How the queues are (or one of them, if it exists), by name; `default` is always among them."""
        ...
