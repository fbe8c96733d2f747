"""Versions as people see them, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.checkpoints import Versions
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from app.domain.transition import Transition

_SQL: Final = load("versions")


class PostgresVersions(Versions):
    """See domain.checkpoints.Versions."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def show_head(self, thread_id: str) -> int | None:
        """See Versions."""
        try:
            rows = await self._pool.fetch(_SQL["show_head"], thread_id)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        return rows[0]["head_version"] if rows else None


async def show(connection: Any, transition: Transition) -> None:
    """The version that a steering leaves is shown, in its transaction."""
    if transition.shown is not None:
        await connection.execute(_SQL["show"], transition.thread_id, transition.shown)
