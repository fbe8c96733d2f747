"""How far those who follow a log have come, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.messages import Places
from app.domain.ports import FeedPosition
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from asyncpg import Record

_SQL: Final = load("followers")


class PostgresPlaces(Places):
    """See domain.messages.Places."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def take(self, name: str, owner: str, seconds: float) -> FeedPosition | None:
        """See Places."""
        found = await self._fetch("take", name, owner, seconds)
        return FeedPosition(*found[0].values()) if found else None

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        """See Places."""
        return bool(await self._fetch("move", name, owner, place.xact, place.thread_id, place.seq))

    async def release(self, name: str, owner: str) -> None:
        """See Places."""
        await self._fetch("release", name, owner)

    async def _fetch(self, query: str, *arguments: Any) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
