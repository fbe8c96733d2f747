"""The figures of the service's parts, read when they are asked for: journal, pool, worker, breakers, streams, the store."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.breakers import BreakerState
from app.domain.errors import Unavailable
from app.domain.histogram import Distribution
from app.domain.status import Status
from app.domain.waits import Got
from app.store.pool import BOUNDS
from app.store.writer import SECONDS, SIZES
from app.telemetry.figures import Figure, Names, counter, gauge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from app.domain.breakers import BreakerRecord
    from app.domain.metrics import MetricsStore
    from app.domain.queues import QueueReport
    from app.engine.waits import Waits
    from app.engine.worker import Worker
    from app.store.pool import Pool
    from app.store.writer import GroupWriter

AGENTS: Final = 200
QUEUES: Final = 100
_REST: Final = 5.0
"""Seconds for which what the store was asked is good."""
_SHARE: Final = 100
"""So many times as long as the store took it is left alone: whatever there is to count, that takes 1 % of a connection."""
_RETRY: Final = 20.0
"""Seconds after which a store that did not answer is asked again, however long it was waited for."""
_LATE: Final = 20.0
"""Seconds without an answer, or a connection to ask over, after which there is none: a statement may take 15."""
_PATIENCE: Final = 2.0
"""Seconds that a scrape waits for the store; then it shows what is known."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalFigures:
    """What the lanes of the journal have done; there are none without a database."""

    writers: Sequence[GroupWriter]

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        sizes, flushes, saves = Distribution(SIZES), Distribution(SECONDS), Distribution(SECONDS)
        for writer in self.writers:
            sizes.include(writer.stats.sizes)
            flushes.include(writer.stats.flushes)
            saves.include(writer.stats.saves)
        told = "Writes of threads in one batch of the journal."
        yield Figure("backstitch_journal_batch_size", "histogram", told, [((), sizes)])
        told = "How long the database took for a batch of the journal."
        yield Figure("backstitch_journal_flush_seconds", "histogram", told, [((), flushes)])
        told = "From the handing over of a checkpoint until it was durable."
        yield Figure("backstitch_checkpoint_save_seconds", "histogram", told, [((), saves)])
        stats = [writer.stats for writer in self.writers]
        told = "Writes that had to be sent again: their thread was locked, or the connection lost."
        yield counter("backstitch_journal_retried_total", told, sum(one.retried for one in stats))
        told = "Times that the journal's connection was opened anew."
        yield counter("backstitch_journal_reconnects_total", told, sum(one.reconnects for one in stats))
        told = "Writes that wait for a batch."
        yield gauge("backstitch_journal_waiting", told, sum(writer.depth for writer in self.writers))
        told = "1 while the journal can write."
        yield gauge("backstitch_journal_up", told, float(all(writer.available for writer in self.writers)))


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """How the pool of connections is used, and what waiting for one costs; nothing without a database."""

    pool: Pool | None

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        size = in_use = most = waiting = 0
        waits = Distribution(BOUNDS)
        if self.pool is not None:
            stats = self.pool.stats()
            size, in_use, most, waiting, waits = stats.size, stats.in_use, stats.max_size, stats.waiting, stats.waits
        samples = [(("in_use",), in_use), (("idle",), size - in_use)]
        told = "Connections of the pool to the database."
        yield Figure("backstitch_pool_connections", "gauge", told, samples, ("state",))
        yield gauge("backstitch_pool_limit", "How many the pool may have (DATABASE_POOL_SIZE).", most)
        yield gauge("backstitch_pool_waiting", "Who waits for a connection of the pool.", waiting)
        told = "How long whoever wanted a connection of the pool waited for one."
        yield Figure("backstitch_pool_wait_seconds", "histogram", told, [((), waits)])


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """The slots of this process."""

    worker: Worker

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        yield gauge("backstitch_worker_threads", "Threads that this process drives.", self.worker.running)
        yield gauge("backstitch_worker_free_slots", "Slots for threads that nobody holds.", self.worker.free)


@dataclass(frozen=True, slots=True)
class WaitFigures:
    """What became of messages that steps wait for."""

    waits: Waits

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        told = "Messages that this process gave to steps which wait for them, by what became of that."
        samples = [((got.value,), float(self.waits.offers[got.value])) for got in Got]
        yield Figure("backstitch_wait_offers_total", "counter", told, samples, ("outcome",))


class BreakerFigures:
    """The circuit breakers that are, or have been, anything but closed."""

    def __init__(self, listed: Callable[[], list[BreakerRecord]]) -> None:
        self._listed = listed
        self._name = Names(AGENTS)

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        found: dict[tuple[str, ...], float] = {}
        for record in self._listed():
            for state in BreakerState:
                key = (self._name(record.agent), state.value)
                found[key] = found.get(key, 0) + (record.state is state)
        told = "1 in the state that the agent's circuit breaker is in (`_other`: how many are)."
        yield Figure("backstitch_breaker_state", "gauge", told, [*found.items()], ("agent", "state"))


class StoreFigures:
    """What only the store knows, all processes together.  It is asked when somebody scrapes, by `run`, and not too often."""

    def __init__(self, store: MetricsStore, queues: Callable[[], Awaitable[list[QueueReport]]]) -> None:
        self._store = store
        self._queues = queues
        self._name = Names(QUEUES)
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._next, self._took = 0.0, math.inf
        self._threads: dict[str, int] = {}
        self._reports: list[QueueReport] = []
        self._read_at: float | None = None
        self._up = True
        self._asked_at: float | None = None
        """Since when an answer is waited for."""

    async def look(self) -> None:
        """Have the store asked if what is known is too old, and wait a little for that."""
        if monotonic() < self._next:
            return
        self._news.clear()
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._news.wait()

    async def run(self) -> None:
        """Ask when it is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            began = self._asked_at = monotonic()
            try:
                self._threads, self._reports = await self._store.thread_counts(), await self._queues()
                self._up, self._read_at = True, monotonic()
            except Unavailable:
                self._up = False
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("the store's figures could not be read")
                self._up = False
            took, self._asked_at = monotonic() - began, None
            self._next = monotonic() + max(_REST, self._rest(took))
            self._wanted.clear()
            self._news.set()

    def _rest(self, took: float) -> float:
        """How long it is left alone after a look; one that only had to wait, for a connection say, was not dear."""
        if not self._up:
            return min(took * _SHARE, _RETRY)
        before, self._took = self._took, took
        return min(took, before) * _SHARE

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        waits = self._asked_at is not None and monotonic() - self._asked_at > _LATE
        told = "1 when the store answered the last time that it was asked."
        yield gauge("backstitch_store_up", told, float(self._up and not waits))
        if self._read_at is None:
            return
        age = monotonic() - self._read_at
        yield gauge("backstitch_store_figures_age_seconds", "How old the numbers of threads and queues are.", age)
        threads = [((status.value,), self._threads.get(status, 0)) for status in Status]
        yield Figure("backstitch_threads", "gauge", "Threads in the store.", threads, ("status",))
        yield from self._of_queues()

    def _of_queues(self) -> Iterator[Figure]:
        columns: dict[str, dict[tuple[str, ...], float]] = {"depth": {}, "delayed": {}, "running": {}}
        oldest: dict[tuple[str, ...], float] = {}
        for report in self._reports:
            key = (self._name(report.settings.name),)
            for column, counts in columns.items():
                counts[key] = counts.get(key, 0) + getattr(report, column)
            oldest[key] = max(oldest.get(key, 0.0), report.oldest_wait or 0.0)
        told = {
            "depth": "Threads that are due and wait for a slot.",
            "delayed": "Threads that are not due yet: delayed, asleep, or waiting for a retry.",
            "running": "Threads that hold a slot.",
        }
        for column, counts in columns.items():
            yield Figure(f"backstitch_queue_{column}", "gauge", told[column], [*counts.items()], ("queue",))
        help_ = "How long the thread that is due for longest has waited for a slot."
        yield Figure("backstitch_queue_oldest_wait_seconds", "gauge", help_, [*oldest.items()], ("queue",))
