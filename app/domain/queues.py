"""Queues: where threads wait for a slot, each with a limit on those that are driven at once, whatever the number of processes.

The queue `default` is bounded by each process's own slots only, until somebody gives it a limit of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

DEFAULT: Final = "default"
NAMED_LIMIT: Final = 5
"""Threads of a named queue that are driven at once, unless it says otherwise."""
MAX_PRIORITY: Final = 1_000
"""Priorities go from -MAX_PRIORITY to MAX_PRIORITY; the higher goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What a queue is told to be.  None: `max_running` unbounded (default queue only), `max_depth` the service's own bound,
    no rate limit.  The rate: at most `rate_count` threads are taken up in any `rate_seconds`.
    """

    name: str
    max_running: int | None = None
    max_depth: int | None = None
    rate_count: int | None = None
    rate_seconds: float | None = None


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


class Queues(Protocol):
    """The stored queues; all raise Unavailable while the store is away."""

    async def ensure(self, name: str) -> QueueSettings:
        """The settings of a queue, which is made with the usual ones if it is new."""
        ...

    async def configure(self, settings: QueueSettings) -> QueueSettings:
        """Make a queue, or change what it is told to be."""
        ...

    async def depth(self, name: str, at_most: int) -> int:
        """How many of its threads are due and wait for a slot; counting stops at `at_most`."""
        ...

    async def report(self, name: str | None = None) -> list[QueueReport]:
        """How the queues are (or one of them, if it exists), by name; `default` is always among them."""
        ...
