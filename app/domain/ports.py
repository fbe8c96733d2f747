"""What the engine and the service ask of a store: a Journal that writes, Reads that look back (and a domain.registry.Registry).

PostgreSQL (store/) and memory satisfy them and pass one contract suite (tests/contracts).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from app.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.domain.events import Event
    from app.domain.integrity import Quarantined
    from app.domain.items import ItemFilter, ItemPage
    from app.domain.records import (
        CheckpointRecord,
        ExecutionRecord,
        IdempotencyRecord,
        IncarnationRecord,
        ItemRecord,
        NoteRecord,
        PartMarks,
        StepRecord,
        ThreadRecord,
        Usage,
    )
    from app.domain.transition import Start, Transition
    from app.domain.usage import UsageFilter, UsageSum


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions; `before` is (created_at, id) of the last one seen, newest first (`oldest`: they come oldest first)."""

    status: Status | None = None
    workflow: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    thread_id: str | None = None
    triggered_by: str | None = None
    before: tuple[datetime, str] | None = None
    oldest: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFilter:
    """Which events of the feed of all threads: of a workflow by name, of threads now in a status."""

    workflow: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True, order=True)
class FeedPosition:
    """A place in the feed: (transaction id, thread id, seq). `FeedPosition(0, "", 0)` is before everything."""

    xact: int
    thread_id: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """An event of the feed with its place, its workflow's name and its thread's present status."""

    position: FeedPosition
    event: Event
    workflow: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """How the store is: `latency_ms` of one round trip, `size_bytes` of what it holds, `error` when unreachable.

    `error_rate` is the share of the last requests to it that failed, 0 to 1.
    """

    kind: str
    durable: bool
    reachable: bool
    latency_ms: float | None
    error_rate: float
    size_bytes: int | None
    error: str | None = None


class Reads(Protocol):
    """Looking back.  Nothing here waits for a writer; lists are in the order that their docstring says."""

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """The thread's row."""
        ...

    async def threads(self, thread_ids: Sequence[str]) -> list[ThreadRecord]:
        """The rows of these threads, as far as they exist, in no order."""
        ...

    async def children(self, thread_id: str) -> list[ThreadRecord]:
        """The threads whose parent this is."""
        ...

    async def execution(self, execution_id: str) -> ExecutionRecord | None:
        """One execution with its input and output."""
        ...

    async def executions(self, where: ExecutionFilter) -> list[ExecutionRecord]:
        """Newest first by (created_at, id); without input, output and context."""
        ...

    async def count_executions(self, where: ExecutionFilter, at_most: int) -> int:
        """How many there are in all, whatever the cursor; counting stops at `at_most`."""
        ...

    async def checkpoints(
        self, thread_id: str, *, first: int = 1, last: int | None = None, limit: int | None = None
    ) -> list[CheckpointRecord]:
        """Versions first..last of the thread, oldest first."""
        ...

    async def steps(
        self, thread_id: str, *, execution_id: str | None = None, ids: Sequence[str] | None = None, values: bool = True
    ) -> list[StepRecord]:
        """Step runs of an execution, or those with the given ids, by (step_index, id); without `values` no input or output."""
        ...

    async def items(
        self, thread_id: str, key: tuple[str, str], *, first: int = 0, limit: int | None = None
    ) -> list[ItemRecord]:
        """The items of a step from `first` on, by their places; `key` is (key_execution_id, step id)."""
        ...

    async def part_marks(self, thread_id: str, key: tuple[str, str]) -> PartMarks:
        """Which parts of a step have ended, and those that have begun and not, by their places."""
        ...

    async def item_page(self, thread_id: str, run_id: str, key: tuple[str, str], where: ItemFilter) -> ItemPage:
        """The items of a step run as people see them, by their places, long outputs shortened."""
        ...

    async def notes(self, thread_id: str, key: tuple[str, str], item: int) -> list[NoteRecord]:
        """What attempts of a step (`item` -1: of no item) have remembered, in that order."""
        ...

    async def spent(self, thread_id: str) -> Usage:
        """What all step runs of a thread have cost."""
        ...

    async def usage(self, where: UsageFilter) -> list[UsageSum]:
        """What the step runs that have ended have cost, by day, workflow and agent as far as it is summed by them."""
        ...

    async def quarantined(self, thread_id: str) -> list[Quarantined]:
        """What was found damaged of a thread and put aside, in the order of its finding."""
        ...

    async def events(self, thread_id: str, *, after: int, limit: int = 1000) -> list[Event]:
        """Events with seq > after, oldest first, results filled in."""
        ...

    async def feed(self, after: FeedPosition, limit: int = 1000, *, results: bool = True) -> list[FeedItem]:
        """Events of all threads after a position, with their `results` if wanted.  None that commits late is ever skipped."""
        ...

    async def feed_end(self) -> FeedPosition:
        """The present end of the feed."""
        ...

    async def idempotency(self, tenant: str, key: str) -> IdempotencyRecord | None:
        """The start that a key belongs to."""
        ...

    async def health(self) -> StoreHealth:
        """Never raises: an unreachable store says so."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOutcome:
    """What became of a start: `created`, or an existing thread of that id, or the start that owns the Idempotency-Key."""

    created: bool
    thread_exists: bool = False
    idempotency: IdempotencyRecord | None = None


class Journal(Protocol):
    """Every write of the engine.  A call that returns has committed; one that raises Fenced has written nothing."""

    async def start(self, start: Start) -> StartOutcome:
        """Write a new thread, unless its id or its Idempotency-Key is taken."""
        ...

    async def commit(self, transition: Transition) -> str | None:
        """Write a driver's transition; returns the thread's pending signal.  Raises Fenced."""
        ...

    async def steer(
        self,
        thread_id: str,
        decide: Callable[[ThreadRecord, Reads], Awaitable[Transition | None]],
        idempotency: IdempotencyRecord | None = None,
    ) -> ThreadRecord:
        """Lock the thread, let `decide` look and choose a transition, write it at once, with the key if there is one,
        which then stands for the execution that the transition leaves.

        `decide` may raise (nothing is written) or return None (nothing to do).  Returns the row afterwards.
        Raises NotFound; Conflict when the key is taken.
        """
        ...

    async def signal(self, thread_id: str, signal: str) -> ThreadRecord:
        """Leave a wish for the thread's driver without fencing it.  Raises NotFound."""
        ...

    async def wake(self, thread_id: str) -> None:
        """Make a waiting thread that nobody drives due now; nothing happens to any other."""
        ...

    async def driven(self, incarnation_id: str) -> list[ThreadRecord]:
        """The threads that a process drives, by what the store knows."""
        ...

    async def claim(self, incarnation_id: str, limit: int) -> list[ThreadRecord]:
        """Take up to `limit` threads that are due (wake_at has come, nobody drives them), raising their epochs.

        A wish to look at gates is met with that, and gone.
        """
        ...

    async def next_due(self) -> float | None:
        """Seconds until the next thread is due by the store's clock (0 when one is already), None when none waits."""
        ...

    async def open_incarnation(self, incarnation: IncarnationRecord) -> None:
        """Enter this process."""
        ...

    async def heartbeat(self, incarnation_id: str) -> bool:
        """Renew the lease of a process; False when its row is gone."""
        ...

    async def incarnations(self) -> list[tuple[IncarnationRecord, float]]:
        """All processes with the seconds since their last heartbeat, by the store's clock."""
        ...

    async def close_incarnation(
        self, incarnation_id: str, heard_at: datetime | None = None, *, crashed: bool = False
    ) -> int:
        """Take a process that is dead or leaving off, make its threads due now; how many those were.

        With `heard_at`, its last known heartbeat, nothing happens if it has been heard of since.  What a `crashed` one
        was driving counts one recovery more.
        """
        ...

    async def sweep(self) -> int:
        """Make threads due whose process is not entered any more, as crashed; how many those were."""
        ...
