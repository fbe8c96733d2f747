"""The group commit: while one batch is being flushed on a held connection, the next gathers; no timer, alone means at once.

An item that is fenced or at fault fails alone.  On a lost connection the outcome of a batch is looked up under the row
locks, never assumed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain.errors import BackstitchError, Fenced, Unavailable
from app.domain.histogram import Distribution
from app.domain.transition import Start, Transition
from app.store import db, flush
from app.store.gathering import BATCH, Gathering, Item
from app.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.store.hints import PostgresHints

_QUERIES: Final = load("journal")
_SESSION: Final = """
SET plan_cache_mode = force_generic_plan; -- planning anew for each batch costs more than it gains
SET enable_seqscan = off -- the one plan is made while the tables may still be empty, and kept as they grow
"""
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PAUSE: Final = 0.2
"""Seconds between two looks at what became of a batch."""
_log = logging.getLogger(__name__)


class Refused(BackstitchError):
    """The database will not take what an item says; sending it again cannot help."""

    code = "journal_refused"


class _Leaving(Exception):
    """The service stops while the database is away: what is not written stays for the next incarnation."""


@dataclass(slots=True)
class WriterStats:
    """What the writer has done since it began."""

    batches: int = 0
    items: int = 0
    retried: int = 0
    reconnects: int = 0
    largest: int = field(default=0)
    sizes: Distribution = field(default_factory=lambda: Distribution(SIZES))
    """Items of each batch."""
    flushes: Distribution = field(default_factory=lambda: Distribution(SECONDS))
    """Seconds that the database took for each batch that it answered."""
    saves: Distribution = field(default_factory=lambda: Distribution(SECONDS))
    """Seconds from the handing over of a checkpoint until it is durable, waiting for its batch included."""


class Statement(Protocol):
    """A prepared statement, as asyncpg gives it."""

    async def fetch(self, *args: Any) -> list[Any]:
        """Run it."""
        ...


class GroupWriter:
    """One lane: one connection, one batch in flight."""

    def __init__(
        self, connect: Callable[[], Awaitable[db.Connection]], hints: PostgresHints, *, batch: int = BATCH
    ) -> None:
        self._connect = connect
        self._hints = hints
        self._waiting = Gathering(batch)
        self._arrived = asyncio.Event()
        self._connection: db.Connection | None = None
        self._statement: Statement | None = None
        self._with_webhooks: Statement | None = None
        self._closing = False
        self.stats = WriterStats()
        self.available = True
        self.busy_since: float | None = None
        """Since when a batch is on its way, by the monotonic clock; None: none is."""
        self.flushed_at: float | None = None

    def submit(self, what: Start | Transition) -> asyncio.Future[Any]:
        """Queue an item for the next batch.  The future raises Fenced or Refused."""
        item = Item(what, asyncio.get_running_loop().create_future())
        self._waiting.add(item)
        self._arrived.set()
        return item.done

    @property
    def depth(self) -> int:
        """Items that wait for a batch."""
        return len(self._waiting)

    async def run(self) -> None:
        """Flush until closed; everything queued is written first, unless the database is away by then."""
        try:
            await self._run()
        except _Leaving:
            for item in self._waiting:
                item.fail(Unavailable("the service is stopping and the database is away"))

    async def _run(self) -> None:
        busy_for = 0.0
        while True:
            if not self._waiting:
                self._arrived.clear()
                if self._closing:
                    return
                await self._arrived.wait()
                continue
            batch = self._waiting.take()
            before, self.busy_since = self.stats.retried, monotonic()
            await self._flush(batch)
            self.busy_since, self.flushed_at = None, monotonic()
            busy_for = min(0.05, busy_for * 2 or 0.001) if self.stats.retried - before == len(batch) else 0.0
            if busy_for:
                await asyncio.sleep(busy_for)

    def close(self) -> None:
        """Let `run` end once the queue is empty."""
        self._closing = True
        self._arrived.set()

    async def drop_connection(self) -> None:
        """Close the held connection, if any."""
        connection, self._connection, self._statement, self._with_webhooks = self._connection, None, None, None
        if connection is not None:
            connection.terminate()

    async def open(self) -> None:
        """Connect and prepare the statement.  Raises what is in db.LOST."""
        connection = await self._connect()
        try:
            await connection.execute(_SESSION)
            self._statement = await connection.prepare(_QUERIES["flush"])
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def _flush(self, batch: list[Item]) -> None:
        try:
            rows = await self._send(batch)
        except _Leaving:
            self._waiting.put_back(batch)
            raise
        except db.AGAIN:
            self._put_back(batch)
        except (*db.LOST, *db.REFUSED) as error:
            if _client_error(error) or isinstance(error, db.REFUSED):
                await self._bisect(batch, error)
            else:
                _log.warning("the database connection was lost during a flush: %s", db.describe(error))
                await self._recover(batch)
        except Exception as error:  # noqa: BLE001 - the lane must live; each item is told
            _log.exception("a flush failed in an unknown way")
            await self._bisect(batch, error)
        else:
            self._settle(batch, rows)
            self._hints.note([item.what for item in batch])

    async def _send(self, batch: Sequence[Item]) -> list[Any]:
        if self._statement is None:
            await self._reconnect()
        assert self._statement is not None
        self.stats.batches += 1
        self.stats.items += len(batch)
        self.stats.largest = max(self.stats.largest, len(batch))
        self.stats.sizes.note(len(batch))
        began = time.monotonic()
        items = [item.what for item in batch]
        webhooks = flush.webhooks(items)
        if webhooks:
            rows = await (await self._other()).fetch(*flush.arguments(items), webhooks)
        else:
            rows = await self._statement.fetch(*flush.arguments(items))
        self.stats.flushes.note(time.monotonic() - began)
        return rows

    async def _other(self) -> Statement:
        """The statement that writes webhooks too, prepared when it is wanted first."""
        if self._with_webhooks is None:
            assert self._connection is not None
            self._with_webhooks = await self._connection.prepare(_QUERIES["flush_webhooks"])
        return self._with_webhooks

    def _settle(self, batch: Sequence[Item], rows: Sequence[Any]) -> None:
        outcomes: dict[int, tuple[str, str | None]] = {row["ord"]: (row["outcome"], row["signal"]) for row in rows}
        busy: list[Item] = []
        now, saved = time.monotonic(), self.stats.saves.note
        for ord_, item in enumerate(batch):
            if ord_ not in outcomes:
                item.succeed(True if isinstance(item.what, Start) else None)
                if isinstance(item.what, Start) or item.what.checkpoints:
                    saved(now - item.since)
                continue
            outcome, signal = outcomes[ord_]
            if outcome == "signal":
                item.succeed(signal)
            elif outcome == "refused":
                item.succeed(False)
            elif outcome == "busy":
                busy.append(item)
            else:
                item.fail(Fenced(f"thread {item.thread_id} has another driver"))
        if busy:
            self._put_back(busy)

    def _put_back(self, items: Sequence[Item]) -> None:
        self.stats.retried += len(items)
        self._waiting.put_back(items)

    async def _bisect(self, batch: list[Item], error: BaseException) -> None:
        if len(batch) == 1:
            _log.error("the database refused a write of thread %s: %s", batch[0].thread_id, db.describe(error))
            batch[0].fail(Refused(db.describe(error)))
            return
        middle = len(batch) // 2
        try:
            await self._flush(batch[:middle])
        except _Leaving:
            self._waiting.put_back(batch[middle:])
            raise
        await self._flush(batch[middle:])

    async def _reconnect(self) -> None:
        pause = 0.05
        while True:
            try:
                await self.open()
            except Exception as error:
                if self._closing:
                    raise _Leaving from error
                if self.available:
                    _log.warning("the database is away: %s", db.describe(error))
                self.available = False
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)
            else:
                self.available = True
                self.stats.reconnects += 1
                return

    async def _recover(self, batch: list[Item]) -> None:
        """Find out what became of a batch whose answer never came; send again what did not happen."""
        while True:
            await self.drop_connection()
            try:
                await self._reconnect()
                threads, executions = await self._look_up(batch)
            except _Leaving:
                self._waiting.put_back(batch)
                raise
            except Exception as error:  # noqa: BLE001 - the outcome has to be known, however long it takes
                _log.warning("the outcome of a flush cannot be looked up yet: %s", db.describe(error))
                await asyncio.sleep(_PAUSE)
                continue
            break
        lost: list[Item] = []
        for item in batch:
            what = item.what
            if isinstance(what, Start):
                item.succeed(True) if what.execution.id in executions else lost.append(item)
                continue
            found = threads.get(what.thread_id)
            if found == (what.new_epoch, what.rev + 1, what.execution_id):
                item.succeed(None)
            elif found == (what.epoch, what.rev, what.held_execution_id):
                lost.append(item)
            else:
                item.fail(Fenced(f"thread {what.thread_id} has another driver"))
        self._put_back(lost)

    async def _look_up(self, batch: Sequence[Item]) -> tuple[dict[str, tuple[int, int, str]], set[str]]:
        assert self._connection is not None
        moves = [item.what.thread_id for item in batch if isinstance(item.what, Transition)]
        starts = [item.what.execution.id for item in batch if isinstance(item.what, Start)]
        rows = await self._connection.fetch(_QUERIES["look_up"], moves)
        born = await self._connection.fetch(_QUERIES["look_up_starts"], starts) if starts else []
        held = {row["thread_id"]: (row["epoch"], row["rev"], str(row["execution_id"])) for row in rows}
        return held, {str(row[0]) for row in born}


def _client_error(error: BaseException) -> bool:
    """asyncpg could not encode an argument: the connection is fine, the value is not."""
    return isinstance(error, ValueError)
