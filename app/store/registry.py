"""The registry of definitions on PostgreSQL.

The newest version of a name is the one with the highest number: registering the content of an older version again gives
that version back and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.ids import uuid7
from app.domain.registry import Registry
from app.store import queries, rows
from app.store.db import LOST, unavailable
from app.store.reads import is_uuid

if TYPE_CHECKING:
    from asyncpg import Record

    from app.domain.records import WorkflowRecord
    from app.store.pool import Pool

_SQL: Final = queries.load("registry")


class PostgresRegistry(Registry):
    """See domain.registry.Registry; all raise Unavailable while the server is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def register(
        self,
        *,
        name: str,
        document: str,
        hash: str,  # noqa: A002 - the port's word
        ad_hoc: bool = False,
        tenant: str = "default",
    ) -> WorkflowRecord:
        """Store a definition: the same hash gives the same version, another the next; ad hoc ones get no version.

        An ad hoc document that is registered later gets its version then.
        """
        known = await self._one("by_hash", tenant, hash)
        if known is not None and known.version is not None:
            return known
        if known is not None and ad_hoc and await self._fetch("touch", known.id):  # else retention has just deleted it
            return known
        row = (uuid7(), tenant, name, hash, document, ad_hoc)
        if ad_hoc:
            return rows.workflow_from_row((await self._fetch("register", *row))[0])
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                # A statement of its own: the next one's snapshot must see what the last holder of the lock wrote.
                await connection.execute(_SQL["lock_name"], f"{tenant}/{name}")
                return rows.workflow_from_row((await connection.fetch(_SQL["register"], *row))[0])
        except LOST as error:
            raise unavailable(error) from error

    async def workflow(self, name: str, version: int | None = None, tenant: str = "default") -> WorkflowRecord | None:
        """A registered definition, the newest without `version`."""
        return await self._one("by_name", tenant, name, version)

    async def definition(self, definition_id: str) -> WorkflowRecord | None:
        """Any stored definition, ad hoc ones too."""
        return await self._one("by_id", definition_id) if is_uuid(definition_id) else None

    async def of_hash(self, hash: str, tenant: str = "default") -> WorkflowRecord | None:  # noqa: A002
        """The stored definition of that content, an ad hoc one too."""
        return await self._one("by_hash", tenant, hash)

    async def workflows(self, *, after: str = "", limit: int = 50, tenant: str = "default") -> list[WorkflowRecord]:
        """The newest version of each name above `after`, by name."""
        return [rows.workflow_from_row(row) for row in await self._fetch("newest_of_each", tenant, after, limit)]

    async def versions(
        self, name: str, *, before: int | None = None, limit: int = 50, tenant: str = "default"
    ) -> list[WorkflowRecord]:
        """The versions of a name below `before`, newest first."""
        return [rows.workflow_from_row(row) for row in await self._fetch("versions", tenant, name, before, limit)]

    async def _one(self, query: str, *args: object) -> WorkflowRecord | None:
        found = await self._fetch(query, *args)
        return rows.workflow_from_row(found[0]) if found else None

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except LOST as error:
            raise unavailable(error) from error
