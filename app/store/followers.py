"""How far those who follow a log have come, on PostgreSQL."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain.messages import Places
from app.domain.ports import FeedPosition
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from asyncpg import Record

_SQL: Final = load("followers")
_FRESH: Final = 0.25
"""Part of its lease for which what was renewed for one of a process's followers need not be for the next."""


class PostgresPlaces(Places):
    """See domain.messages.Places."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._renewing = asyncio.Lock()
        self._renewed: dict[str, tuple[float, set[str]]] = {}
        """Of each owner: when, by the time before it was sent, and what."""
        self._asked: dict[tuple[str, str], float] = {}
        """When, of each owner and name: one that hangs is not renewed for ever with the others."""

    async def take(self, name: str, owner: str, seconds: float) -> FeedPosition | None:
        """See Places."""
        self._asked[owner, name] = monotonic()
        found = await self._fetch("take", name, owner, seconds)
        return FeedPosition(*found[0].values()) if found else None

    async def renew(self, name: str, owner: str, seconds: float) -> bool:
        """See Places."""
        now = monotonic()
        self._asked[owner, name] = now
        async with self._renewing:
            at, held = self._renewed.get(owner, (0.0, set[str]()))
            if name not in held or monotonic() > at + _FRESH * seconds:
                names = [one for (whose, one), asked in self._asked.items() if whose == owner and asked > now - seconds]
                at = monotonic()
                held = {row["name"] for row in await self._fetch("renew", owner, names, seconds)}
                self._renewed[owner] = at, held
        return name in held

    async def begun(self) -> FeedPosition:
        """See Places."""
        return FeedPosition((await self._fetch("begun"))[0]["xact"], "", 0)

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        """See Places."""
        moved = bool(await self._fetch("move", name, owner, place.xact, place.thread_id, place.seq))
        if not moved:
            self._forget(name, owner)
        return moved

    async def release(self, name: str, owner: str) -> None:
        """See Places."""
        self._forget(name, owner)
        await self._fetch("release", name, owner)

    def _forget(self, name: str, owner: str) -> None:
        self._asked.pop((owner, name), None)
        self._renewed.get(owner, (0.0, set[str]()))[1].discard(name)

    async def _fetch(self, query: str, *arguments: Any) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
