"""The keys of the service, on PostgreSQL for all processes, and in memory for one."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from app.domain.tickets import KEY_BYTES, Keys
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from asyncpg import Record

_SQL: Final = load("keys")


class PostgresKeys(Keys):
    """See domain.tickets.Keys.  Of several processes that make a key at once the first one's holds."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def key(self, name: str) -> bytes:
        """See Keys."""
        found = await self._fetch("find", name)
        if not found:
            await self._fetch("make", name, secrets.token_bytes(KEY_BYTES))
            found = await self._fetch("find", name)
        return bytes(found[0]["key"])

    async def _fetch(self, query: str, *arguments: Any) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


class MemoryKeys(Keys):
    """See domain.tickets.Keys.  They last as long as the process."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}

    async def key(self, name: str) -> bytes:
        """See Keys."""
        return self._keys.setdefault(name, secrets.token_bytes(KEY_BYTES))
