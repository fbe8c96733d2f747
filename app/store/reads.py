"""Reads on PostgreSQL: over a pool, or over one connection so that it also looks from inside a transaction."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from asyncpg import AdminShutdownError, InternalClientError, PostgresConnectionError, PostgresError

from app.domain.items import ItemPage
from app.domain.ports import ExecutionFilter, FeedItem, FeedPosition, Reads, StoreHealth
from app.domain.records import PartMarks, Usage
from app.domain.status import Status, StepStatus
from app.domain.usage import GROUPS
from app.store import queries, rows
from app.store.db import LOST, unavailable
from app.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from app.domain.events import Event
    from app.domain.integrity import Quarantined
    from app.domain.items import ItemFilter
    from app.domain.records import (
        CheckpointRecord,
        ExecutionRecord,
        IdempotencyRecord,
        ItemRecord,
        NoteRecord,
        StepRecord,
        ThreadRecord,
    )
    from app.domain.usage import UsageFilter, UsageSum

HEALTH_TIMEOUT: Final = 5.0
"""Seconds after which a store that does not answer counts as unreachable."""

_SQL: Final = queries.load("reads")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_FIRST_SPAN: Final = 4096
_SPAN_GROWTH: Final = 16


class Fetcher(Protocol):
    """What a pool and a connection have in common."""

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """All rows of a query."""
        ...


class Tally:
    """Which of the last hundred requests failed; may be shared by all who make requests."""

    def __init__(self) -> None:
        self._failures: deque[bool] = deque(maxlen=100)

    def note(self, *, failed: bool) -> None:
        """One more request is over."""
        self._failures.append(failed)

    def rate(self) -> float:
        """The share of failures, 0 to 1."""
        return sum(self._failures) / len(self._failures) if self._failures else 0.0


class PostgresReads(Reads):
    """See domain.ports.Reads.  An id that is no UUID belongs to nothing.  All raise Unavailable without a server."""

    def __init__(self, fetcher: Fetcher, tally: Tally | None = None) -> None:
        self._fetcher = fetcher
        self._pool = fetcher if isinstance(fetcher, Pool) else None
        self._tally = tally or Tally()

    async def thread(self, thread_id: str) -> ThreadRecord | None:
        """The thread's row."""
        found = await self._fetch(_SQL["thread"], thread_id)
        return rows.thread_from_row(found[0]) if found else None

    async def threads(self, thread_ids: Sequence[str]) -> list[ThreadRecord]:
        """The rows of these threads, as far as they exist, in no order."""
        return [rows.thread_from_row(row) for row in await self._fetch(_SQL["threads"], list(thread_ids))]

    async def children(self, thread_id: str) -> list[ThreadRecord]:
        """The threads whose parent this is, by id."""
        return [rows.thread_from_row(row) for row in await self._fetch(_SQL["children"], thread_id)]

    async def execution(self, execution_id: str) -> ExecutionRecord | None:
        """One execution with its input and output."""
        found = await self._fetch(_SQL["execution"], execution_id) if is_uuid(execution_id) else []
        return rows.execution_from_row(found[0]) if found else None

    async def executions(self, where: ExecutionFilter) -> list[ExecutionRecord]:
        """Newest first by (created_at, id), since <= created_at < until; without input, output and context."""
        name = "oldest_executions" if where.oldest else "executions"
        query, values = executions_query(name, where, where.limit, cursor=True)
        return [rows.execution_from_row(row) for row in await self._fetch(query, *values)]

    async def count_executions(self, where: ExecutionFilter, at_most: int) -> int:
        """How many there are in all, whatever the cursor; counting stops at `at_most`."""
        query, values = executions_query("count_executions", where, at_most, cursor=False)
        return (await self._fetch(query, *values))[0]["total"]

    async def checkpoints(
        self, thread_id: str, *, first: int = 1, last: int | None = None, limit: int | None = None
    ) -> list[CheckpointRecord]:
        """Versions first..last of the thread, oldest first."""
        found = await self._fetch(_SQL["checkpoints"], thread_id, first, last, limit)
        return [rows.checkpoint_from_row(row) for row in found]

    async def steps(
        self, thread_id: str, *, execution_id: str | None = None, ids: Sequence[str] | None = None, values: bool = True
    ) -> list[StepRecord]:
        """Step runs by (step_index, id), of an execution or with the given ids; without `values` no input or output."""
        if execution_id is not None and not is_uuid(execution_id):
            return []
        known = None if ids is None else [run_id for run_id in ids if is_uuid(run_id)]
        query = _SQL["steps" if values else "steps_without_values"]
        return [rows.step_from_row(row) for row in await self._fetch(query, thread_id, execution_id, known)]

    async def items(
        self, thread_id: str, key: tuple[str, str], *, first: int = 0, limit: int | None = None
    ) -> list[ItemRecord]:
        """The items of a step from `first` on, by their places."""
        return [rows.item_from_row(row) for row in await self._fetch(_SQL["items"], thread_id, *key, first, limit)]

    async def part_marks(self, thread_id: str, key: tuple[str, str]) -> PartMarks:
        """Which parts of a step have ended, and those that have begun and not, by their places."""
        [ended] = await self._fetch(_SQL["parts_ended"], thread_id, *key)
        opened = await self._fetch(_SQL["parts_open"], thread_id, *key)
        return PartMarks(
            completed=ended["completed"], failed=ended["failed"], open=[rows.item_from_row(row) for row in opened]
        )

    async def item_page(self, thread_id: str, run_id: str, key: tuple[str, str], where: ItemFilter) -> ItemPage:
        """The items of a step run as people see them, by their places, long outputs shortened."""
        given = await self._fetch(_SQL["run_input"], thread_id, run_id)
        counts = await self._fetch(_SQL["item_counts"], thread_id, *key)
        found = await self._fetch(
            _SQL["item_page"], thread_id, *key, where.first, where.status, where.limit, where.longest
        )
        return ItemPage(
            items=[rows.item_from_row(row) for row in found],
            counts={StepStatus(row["status"]): row["number"] for row in counts},
            given=given[0]["input"] if given else None,
        )

    async def notes(self, thread_id: str, key: tuple[str, str], item: int) -> list[NoteRecord]:
        """What attempts of a step have remembered, in that order."""
        return [rows.note_from_row(row) for row in await self._fetch(_SQL["notes"], thread_id, *key, item)]

    async def spent(self, thread_id: str) -> Usage:
        """What all step runs of a thread have cost."""
        return Usage(**(await self._fetch(_SQL["spent"], thread_id))[0])

    async def usage(self, where: UsageFilter) -> list[UsageSum]:
        """What step runs have cost, by day, workflow and agent as far as it is summed by them."""
        by, after = [group in where.by for group in GROUPS], where.after or (None, None, None)
        found = await self._fetch(_SQL["usage"], *by, where.since, where.until, where.limit, *after)
        return [rows.usage_from_row(row) for row in found]

    async def quarantined(self, thread_id: str) -> list[Quarantined]:
        """What was found damaged of a thread and put aside, in the order of its finding."""
        return [rows.quarantined_from_row(row) for row in await self._fetch(_SQL["quarantined"], thread_id)]

    async def events(self, thread_id: str, *, after: int, limit: int = 1000) -> list[Event]:
        """Events with seq > after, oldest first, results filled in."""
        return [rows.event_from_row(row) for row in await self._fetch(_SQL["events"], thread_id, after, limit)]

    async def feed(self, after: FeedPosition, limit: int = 1000, *, results: bool = True) -> list[FeedItem]:
        """Events of all threads after a position, with their `results` if wanted.  None that commits late is ever skipped.

        Only transactions older than every open one are shown, so nothing can appear before a place once passed.
        They are read in growing spans, so that a page from far back sorts a span and not all that came since.
        """
        end = (await self.feed_end()).xact
        items: list[FeedItem] = []
        start, span, place = max(0, after.xact), _FIRST_SPAN, after
        while start < end and (wanted := limit - len(items)) > 0:
            stop = min(start + span, end)
            where = (place.xact, place.thread_id, place.seq)
            found = await self._fetch(_SQL["feed" if results else "feed_bare"], start, stop, *where, wanted)
            items.extend(rows.feed_item_from_row(row) for row in found if row["status"] is not None)
            if len(found) == wanted:  # fewer items than that, where a thread is gone: the span has more
                place = FeedPosition(found[-1]["xact"], found[-1]["thread_id"], found[-1]["seq"])
                start = place.xact
            else:
                start, span = stop, span * _SPAN_GROWTH
        return items

    async def feed_end(self) -> FeedPosition:
        """The present end of the feed: before all that is still open, after all else."""
        return FeedPosition((await self._fetch(_SQL["feed_end"]))[0]["xact"], "", 0)

    async def idempotency(self, tenant: str, key: str) -> IdempotencyRecord | None:
        """The start that a key belongs to."""
        found = await self._fetch(_SQL["idempotency"], tenant, key)
        return rows.idempotency_from_row(found[0]) if found else None

    async def health(self) -> StoreHealth:
        """Never raises: an unreachable store says so."""
        latency: float | None = None
        size: int | None = None
        fault: str | None = None
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                began = time.perf_counter()
                await self._fetch(_SQL["ping"])
                latency = (time.perf_counter() - began) * 1000
                size = (await self._fetch(_SQL["size"]))[0]["size_bytes"]
        except TimeoutError:
            fault = f"no {'connection is free' if self._is_busy() else 'answer'} within {HEALTH_TIMEOUT:g} s"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the store is the answer
            fault = f"{type(error).__name__}: {error}"[:200]
        return StoreHealth(
            kind="postgres",
            durable=True,
            reachable=latency is not None or self._is_busy(),
            latency_ms=latency,
            error_rate=self._tally.rate(),
            size_bytes=size,
            error=fault,
        )

    def _is_busy(self) -> bool:
        """Whether the store answers, and only a connection was not to be had in time."""
        return self._pool is not None and self._pool.busy

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            try:
                found = await self._fetcher.fetch(query, *args)
            except (PostgresConnectionError, InternalClientError, AdminShutdownError):
                if self._pool is None:
                    raise
                found = await self._fetcher.fetch(query, *args)  # that connection was dead: another may live
        except LOST as error:
            self._tally.note(failed=True)
            raise unavailable(error) from error
        except PostgresError:
            self._tally.note(failed=True)
            raise
        self._tally.note(failed=False)
        return found


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as this service writes them; asyncpg raises DataError for what is none."""
    return _UUID.match(text) is not None


def executions_query(query: str, where: ExecutionFilter, limit: int, *, cursor: bool) -> tuple[str, list[Any]]:
    """A query about executions (its name in reads.sql) with its parameters; a workflow's are looked up status by status."""
    by_status = where.workflow is not None and not where.oldest
    statuses = [where.status] if where.status is not None else list(Status)
    given = [
        ("workflow_name = $", where.workflow),
        ("status = $", None if by_status else where.status),
        ("created_at >= $", where.since),
        ("created_at < $", where.until),
        ("thread_id = $", where.thread_id),
        ("triggered_by = $", where.triggered_by),
        ("(created_at, id) < ($, $::uuid)", where.before if cursor else None),
    ]
    name = f"{query}_of_workflow" if by_status else query
    return queries.filtered(_SQL[name], given, limit, *([statuses] if by_status else []))
