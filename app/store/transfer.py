"""Threads out of PostgreSQL, from one snapshot, and into it, in one transaction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.domain.errors import Conflict, InvalidRequest, NotFound
from app.domain.ids import uuid7
from app.domain.transfer import ROWS, Archive, KnownDefinition, Snapshot
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence

    from app.domain.transfer import Batch, Row

_SQL: Final = load("transfer")
_TABLES: Final = {
    "execution": "workflow_executions",
    "step": "workflow_steps",
    "item": "workflow_items",
    "note": "workflow_notes",
    "checkpoint": "checkpoints",
    "event": "workflow_events",
    "gate": "gates",
    "wait": "waits",
    "signal": "signals",
    "quarantine": "quarantine",
    "graph_run": "langgraph_runs",
    "graph_checkpoint": "langgraph_checkpoints",
    "graph_value": "langgraph_blobs",
    "graph_write": "langgraph_writes",
}
_TENANT: Final = "default"
_BATCH: Final = 4 * 1024 * 1024
"""Bytes of rows that are in memory at a time, if one alone has no more."""
_MOST: Final = 500
_READERS: Final = 2
"""Threads that are read at a time: each holds a connection of the pool meanwhile."""


class PostgresArchive(Archive):
    """See domain.transfer.Archive."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._reading = asyncio.Semaphore(_READERS)
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def snapshot(self, thread_id: str) -> AsyncGenerator[Snapshot]:
        """See Archive."""
        try:
            async with (
                self._reading,
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield await _Snapshot.of(connection, thread_id)
        except db.LOST as error:
            raise db.unavailable(error) from error

    async def taken(self, execution_ids: Collection[str]) -> bool:
        """See Archive."""
        try:
            return await self._pool.fetchval(_SQL["taken"], list(execution_ids))
        except db.LOST as error:
            raise db.unavailable(error) from error

    async def restore(
        self,
        thread_id: str,
        definitions: Sequence[Row],
        rows: Callable[[Mapping[str, KnownDefinition]], AsyncIterator[Batch]],
    ) -> None:
        """See Archive."""
        try:
            async with self._writing, self._pool.acquire() as connection, connection.transaction():
                known = await _define(connection, definitions)
                async for what, page in rows(known):
                    await _write(connection, thread_id, what, page)
        except asyncpg.UniqueViolationError as error:
            raise _exists(thread_id) from error
        except db.REFUSED as error:
            told = f"the database does not take a row of the file: {db.describe(error)}"
            raise InvalidRequest(told, code="invalid_export") from error
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


class _Snapshot(Snapshot):
    """Over a transaction that sees one moment; so many rows at a time that the largest of them would not be too many."""

    def __init__(self, connection: Any, thread_id: str, sizes: Mapping[str, tuple[int, int]], children: int) -> None:
        self._connection = connection
        self._thread_id = thread_id
        self._sizes = sizes
        self.children = children

    @classmethod
    async def of(cls, connection: Any, thread_id: str) -> _Snapshot:
        """Raises NotFound."""
        sizes: dict[str, tuple[int, int]] = {}
        for what in ROWS:
            row = await connection.fetchrow(_SQL[f"{what}_size"], thread_id)
            sizes[what] = (row["rows"], row["largest"])
        if not sizes["thread"][0]:
            raise NotFound(f"there is no thread {thread_id}", code="thread_not_found")
        return cls(connection, thread_id, sizes, await connection.fetchval(_SQL["children"], thread_id))

    @property
    def counts(self) -> Mapping[str, int]:
        """See Snapshot."""
        return {what: rows for what, (rows, _) in self._sizes.items()}

    async def batches(self) -> AsyncIterator[Batch]:
        """See Snapshot."""
        for what, (rows, largest) in self._sizes.items():
            if not rows:
                continue
            cursor = await self._connection.cursor(_SQL[what], self._thread_id)
            page = max(1, min(_MOST, _BATCH // max(1, largest)))
            while found := await cursor.fetch(page):
                yield what, [dict(row) for row in found]


async def _define(connection: Any, definitions: Sequence[Row]) -> dict[str, KnownDefinition]:
    """Store those that are not known yet; how each is known now, by its id in the file."""
    known: dict[str, KnownDefinition] = {}
    for one in definitions:
        await connection.execute(_SQL["define"], uuid7(), _TENANT, one["name"], one["hash"], one["document"])
        row = await connection.fetchrow(_SQL["defined"], _TENANT, one["hash"])
        known[one["id"]] = KnownDefinition(id=str(row["id"]), version=row["version"])
    return known


async def _write(connection: Any, thread_id: str, what: str, page: list[Row]) -> None:
    if what == "thread":
        [row] = page
        if await connection.fetchval(_SQL["born"], *row.values()) is None:
            raise _exists(thread_id)
        return
    fields = list(ROWS[what])
    columns = ["thread_id", *("step_name" if name == "step_id" else name for name in fields)]
    more: tuple[int, ...] = ()
    if what == "event":  # the feed is in the order of transactions: these events are new to it
        columns.append("xact")
        more = (await connection.fetchval(_SQL["xact"]),)
    records = [(thread_id, *(row[name] for name in fields), *more) for row in page]
    await connection.copy_records_to_table(_TABLES[what], records=records, columns=columns)


def _exists(thread_id: str) -> Conflict:
    return Conflict(f"thread {thread_id} exists: give the imported one another id", code="thread_exists")
