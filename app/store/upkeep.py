"""Upkeep on PostgreSQL: statements that touch few rows at a time, so that they can go on beside the threads that run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from app.domain import formats
from app.domain.state import FORMAT
from app.domain.upkeep import Upgraded, Upkeep
from app.store import db, queries
from app.store.rows import checkpoint_as_stored, thread_from_row

if TYPE_CHECKING:
    from app.domain.moving import ThreadsOf
    from app.domain.records import CheckpointRecord, ThreadRecord

_SQL: Final = queries.load("upkeep")


class PostgresUpkeep(Upkeep):
    """See domain.upkeep.Upkeep; all raise Unavailable without a server."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def formats(self) -> dict[int, int]:
        """How many versions are stored in each format; this reads the whole table."""
        return {row["format"]: row["versions"] for row in await self._fetch("formats")}

    async def upgrade(self, after: tuple[str, int], limit: int, *, dry_run: bool) -> Upgraded:
        """Write the next versions of old formats in the newest one, in a transaction of its own.

        A row that retention deletes meanwhile is locked out or gone: nothing comes back.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                found = await connection.fetch(_SQL["outdated"], FORMAT, *after, limit)
                stored = [checkpoint_as_stored(row) for row in found]
                new = await asyncio.to_thread(formats.upgraded_all, stored)
                if new and not dry_run:
                    await connection.execute(_SQL["rewrite"], *_columns(new))
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        last = (stored[-1].thread_id, stored[-1].version) if len(stored) == limit else None
        return Upgraded(seen=len(stored), upgraded=len(new), damaged=len(stored) - len(new), after=last)

    async def threads_of(self, where: ThreadsOf) -> list[ThreadRecord]:
        """The threads of a registered workflow, by id."""
        of = (where.tenant, where.workflow, where.version, sorted(where.statuses), where.beside)
        return [thread_from_row(row) for row in await self._fetch("threads_of", *of, where.after, where.limit)]

    async def missing_events(self, thread_id: str, last: int) -> list[tuple[int, int]]:
        """Which of a thread's events 1..last are not there."""
        return [(row["first"], row["last"]) for row in await self._fetch("missing_events", thread_id, last)]

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _columns(new: list[CheckpointRecord]) -> tuple[list[Any], ...]:
    return (
        [one.thread_id for one in new],
        [one.version for one in new],
        [one.manifest for one in new],
        [one.sha256 for one in new],
        [one.format for one in new],
    )
