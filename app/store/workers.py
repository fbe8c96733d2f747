"""The serving processes on PostgreSQL: their rows of `incarnations`, and the threads that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.workers import WorkerRecord, Workers
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from asyncpg import Record

_SQL: Final = load("workers")


class PostgresWorkers(Workers):
    """See domain.workers.Workers."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def listed(self, limit: int = 50) -> list[WorkerRecord]:
        """See Workers."""
        try:
            return [_worker(row) for row in await self._pool.fetch(_SQL["listed"], limit)]
        except db.LOST as error:
            raise db.unavailable(error) from error


def _worker(row: Record) -> WorkerRecord:
    values: dict[str, Any] = dict(row)
    threads: dict[str, int] = {} if row["threads"] is None else jsontext.loads(row["threads"])
    values |= {"id": str(row["id"]), "threads": threads}
    return WorkerRecord(**values)
