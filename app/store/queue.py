"""Queues on PostgreSQL: their settings, and the claim of due threads within their limits.

A slot of a queue is a thread of it that somebody drives.  Whoever claims in a limited queue holds the lock of its row while
counting those, so no two count the same free slot (docs/decisions/0006-queue-slots-are-leases.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.queues import MAX_QUEUES, NAMED_LIMIT, QueueLoad, QueueReport, Queues, QueueSettings, too_many
from app.store import db
from app.store.queries import load
from app.store.rows import thread_from_row

if TYPE_CHECKING:
    from app.domain.records import ThreadRecord

_QUERIES: Final = load("queue")
_SPARE: Final = 20


class PostgresQueues(Queues):
    """See domain.queues.Queues; `usual` is the limit of a named queue that is told nothing else."""

    def __init__(self, pool: db.Pool, usual: int = NAMED_LIMIT) -> None:
        self._pool = pool
        self._usual = usual

    def assume(self, usual: int) -> None:
        """See Queues."""
        self._usual = usual

    async def ensure(self, name: str) -> QueueSettings:
        """See Queues."""
        rows = await self._fetch("settings", name)
        if rows:
            return _settings(rows[0])
        if not await self._fetch("make_if_room", name, MAX_QUEUES):
            raise too_many()
        return QueueSettings(name=name)

    async def configure(self, settings: QueueSettings) -> QueueSettings:
        """See Queues."""
        rate = (settings.rate_count, settings.rate_seconds)
        told = (settings.max_running, settings.max_depth, *rate)
        if not await self._fetch("configure", settings.name, *told, MAX_QUEUES):
            raise too_many()
        return settings

    async def prune(self) -> None:
        """See Queues."""
        await self._fetch("prune")

    async def load(self, name: str, at_most: int) -> QueueLoad:
        """See Queues."""
        [row] = await self._fetch("load", name, at_most)
        return QueueLoad(depth=row["depth"], running=row["running"])

    async def report(self, name: str | None = None) -> list[QueueReport]:
        """See Queues."""
        return [
            QueueReport(
                settings=_settings(row),
                depth=row["depth"],
                delayed=row["delayed"],
                running=row["running"],
                oldest_wait=row["oldest_wait"],
            )
            for row in await self._fetch("report", name)
        ]

    async def claim(self, incarnation_id: str, limit: int) -> list[ThreadRecord]:
        """See ports.Journal.claim: one round trip while only a default queue without a limit has due threads."""
        arguments = (incarnation_id, limit, self._usual)
        rows = await self._fetch("claim", *arguments, None)
        queues = rows[0]["queues"]
        if queues:  # those who are first, and some more, for another process may be claiming in them
            rows = await self._claim_locked(queues[: limit + _SPARE], arguments)
        return [thread_from_row(row) for row in rows if row["thread_id"] is not None]

    async def next_due(self) -> float | None:
        """See ports.Journal.next_due."""
        return (await self._fetch("next_due", self._usual))[0]["seconds"]

    async def _claim_locked(self, queues: list[str], arguments: tuple[str, int, int]) -> list[Any]:
        """The statement after the lock sees all that was taken under it before."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_QUERIES["make"], queues)
                locked = [row["name"] for row in await connection.fetch(_QUERIES["lock"], queues)]
                return await connection.fetch(_QUERIES["claim"], *arguments, locked)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(_QUERIES[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _settings(row: Any) -> QueueSettings:
    return QueueSettings(
        name=row["name"],
        max_running=row["max_running"],
        max_depth=row["max_depth"],
        rate_count=row["rate_count"],
        rate_seconds=row["rate_seconds"],
    )
