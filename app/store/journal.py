"""The journal on PostgreSQL: group-committed starts and transitions, steering under the row lock, claims and leases."""

from __future__ import annotations

import asyncio
import logging
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Conflict, Fenced, NotFound, Unavailable
from app.domain.hints import Hint
from app.domain.ports import Journal, StartOutcome
from app.domain.queues import NAMED_LIMIT
from app.store import db, flush, quarantine, versions
from app.store.gathering import BATCH
from app.store.hints import PostgresHints
from app.store.queries import load
from app.store.queue import PostgresQueues
from app.store.reads import PostgresReads
from app.store.rows import incarnation_from_row, thread_from_row
from app.store.writer import GroupWriter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import datetime

    from app.domain.ports import Reads
    from app.domain.records import IdempotencyRecord, IncarnationRecord, ThreadRecord
    from app.domain.transition import Start, Transition

_QUERIES: Final = load("journal")
_PATIENCE: Final = 10.0
"""Seconds after which a start that could not be written is given up: it is dropped, or looked for later."""
_log = logging.getLogger(__name__)


class PostgresJournal(Journal):
    """All writes of the engine; `lanes` connections flush side by side, a thread always through the same."""

    def __init__(self, pool: db.Pool, writers: list[GroupWriter], hints: PostgresHints, queues: PostgresQueues) -> None:
        self._pool = pool
        self._writers = writers
        self.hints = hints
        self.queues = queues

    @property
    def writers(self) -> list[GroupWriter]:
        """The lanes, for their statistics."""
        return self._writers

    async def start(self, start: Start) -> StartOutcome:
        """See ports.Journal."""
        writer = self._writer(start.thread.thread_id)
        if not writer.available:
            raise Unavailable("the database is away", retry_after=2)
        try:
            async with asyncio.timeout(_PATIENCE):
                created = await writer.submit(start)
        except TimeoutError:
            raise Unavailable("the database does not answer", retry_after=2) from None
        if created:
            return StartOutcome(created=True)
        reads = PostgresReads(self._pool)
        if await reads.execution(start.execution.id) is not None:  # sent twice, after a lost answer
            return StartOutcome(created=True)
        key = start.idempotency
        owner = await reads.idempotency(key.tenant, key.key) if key else None
        if owner is not None and owner.execution_id != start.execution.id:
            return StartOutcome(created=False, idempotency=owner)
        if key is not None:  # the key was taken in the moment in which another start took the thread's id
            await self._fetch("forget_key", key.tenant, key.key, start.execution.id)
        return StartOutcome(created=False, thread_exists=True)

    async def commit(self, transition: Transition) -> str | None:
        """See ports.Journal."""
        return await self._writer(transition.thread_id).submit(transition)

    async def steer(
        self,
        thread_id: str,
        decide: Callable[[ThreadRecord, Reads], Awaitable[Transition | None]],
        idempotency: IdempotencyRecord | None = None,
    ) -> ThreadRecord:
        """See ports.Journal."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(_QUERIES["lock"], thread_id)
                if row is None:
                    raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
                thread = thread_from_row(row)
                transition = await decide(thread, PostgresReads(connection))
                if idempotency is not None:
                    await self._take_key(connection, idempotency, transition)
                if transition is not None:
                    rows = await self._written(connection, transition)
                    if any(row["outcome"] != "signal" for row in rows):
                        raise Fenced(f"thread {thread_id} moved under its lock")
                    await self._write_rest(connection, transition)
                    transition.apply_to(thread)
                steered = thread
        except (*db.LOST, *db.AGAIN) as error:
            if isinstance(error, ValueError):
                raise
            raise db.unavailable(error) from error
        if transition is not None:
            self.hints.note([transition])
            self.hints.note_steered(thread_id)
        return steered

    async def signal(self, thread_id: str, signal: str) -> ThreadRecord:
        """See ports.Journal."""
        rows = await self._fetch("signal", thread_id, signal)
        if not rows:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        self.hints.note_steered(thread_id)
        return thread_from_row(rows[0])

    async def wake(self, thread_id: str) -> None:
        """See ports.Journal."""
        await self._fetch("wake", thread_id)

    async def claim(self, incarnation_id: str, limit: int) -> list[ThreadRecord]:
        """See ports.Journal."""
        return await self.queues.claim(incarnation_id, limit)

    async def driven(self, incarnation_id: str) -> list[ThreadRecord]:
        """See ports.Journal."""
        return [thread_from_row(row) for row in await self._fetch("driven", incarnation_id)]

    async def next_due(self) -> float | None:
        """See ports.Journal."""
        return await self.queues.next_due()

    async def open_incarnation(self, incarnation: IncarnationRecord) -> None:
        """See ports.Journal."""
        await self._fetch("open_incarnation", incarnation.id, incarnation.host, incarnation.process)
        self.hints.wanted = True  # until it is known that nobody else is there
        await self.hints.tell(Hint(sender=self.hints.sender))

    async def heartbeat(self, incarnation_id: str) -> bool:
        """See ports.Journal."""
        try:
            return bool(await self.hints.fetch(_QUERIES["heartbeat"], incarnation_id))
        except db.LOST:  # the line is down: perhaps the pool has a connection that works
            pass
        try:
            async with asyncio.timeout(_PATIENCE / 2):
                return bool(await self._fetch("heartbeat", incarnation_id))
        except TimeoutError:
            raise Unavailable("no connection is free for the heartbeat") from None

    async def incarnations(self) -> list[tuple[IncarnationRecord, float]]:
        """See ports.Journal."""
        rows = await self._fetch("incarnations")
        return [(incarnation_from_row(row), row["silent_for"]) for row in rows]

    async def close_incarnation(
        self, incarnation_id: str, heard_at: datetime | None = None, *, crashed: bool = False
    ) -> int:
        """See ports.Journal."""
        return (await self._fetch("close_incarnation", incarnation_id, heard_at, crashed))[0][0]

    async def sweep(self) -> int:
        """See ports.Journal."""
        return len(await self._fetch("sweep"))

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(_QUERIES[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error

    def _writer(self, thread_id: str) -> GroupWriter:
        if len(self._writers) == 1:
            return self._writers[0]
        return self._writers[zlib.crc32(thread_id.encode()) % len(self._writers)]

    @staticmethod
    async def _written(connection: Any, transition: Transition) -> list[Any]:
        arguments, webhooks = flush.arguments([transition]), flush.webhooks([transition])
        if webhooks:
            return await connection.fetch(_QUERIES["flush_webhooks"], *arguments, webhooks)
        return await connection.fetch(_QUERIES["flush"], *arguments)

    @staticmethod
    async def _write_rest(connection: Any, transition: Transition) -> None:
        """What only a steering writes."""
        await quarantine.put_aside(connection, transition)
        await versions.show(connection, transition)
        if transition.moved is not None:
            await connection.execute(_QUERIES["move"], *flush.move(transition, transition.moved))

    @staticmethod
    async def _take_key(connection: Any, key: IdempotencyRecord, transition: Transition | None) -> None:
        execution_id = key.execution_id if transition is None else transition.execution_id
        taken = await connection.fetchval(
            _QUERIES["take_key"], key.tenant, key.key, key.request_sha256, key.thread_id, execution_id
        )
        if taken is None:
            raise Conflict("this Idempotency-Key is in use", code="idempotency_key_in_use")


@asynccontextmanager
async def open_journal(
    dsn: str,
    pool: db.Pool,
    *,
    schema: str | None = None,
    lanes: int = 1,
    batch: int = BATCH,
    queue_limit: int = NAMED_LIMIT,
) -> AsyncGenerator[PostgresJournal]:
    """A journal whose writers run until the block ends; what was submitted by then is written first."""
    hints = PostgresHints(lambda: db.connect(dsn, schema=schema, application="backstitch-line"), schema)
    writers = [GroupWriter(lambda: db.connect(dsn, schema=schema), hints, batch=batch) for _ in range(lanes)]
    for writer in writers:
        await writer.open()
    async with asyncio.TaskGroup() as tasks:
        line = tasks.create_task(hints.run())
        for writer in writers:
            tasks.create_task(writer.run())
        try:
            yield PostgresJournal(pool, writers, hints, PostgresQueues(pool, queue_limit))
        finally:
            line.cancel()
            for writer in writers:
                writer.close()
    for writer in writers:
        await writer.drop_connection()
