"""A look at a database for `backstitch doctor`: what its server is set to, who may do what, what holds it up."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.store import queries
from app.store.db import LOST, refusal
from app.store.migrate import current_revision, newest_revision

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from app.store.db import Connection

_SQL: Final = queries.load("checkup")
_PATIENCE: Final = 5.0
LONG: Final = 60.0
"""Seconds after which a transaction is long."""


class Unreachable(Exception):
    """The database cannot be reached, or will not answer; the message is one line without a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found; the rows are those of sql/checkup.sql.

    `revision` None: there are no tables of ours, "": this role may not read which.  `skew` is how far the server's clock is
    ahead, in seconds, less what the question itself may have taken.
    """

    server: Mapping[str, Any]
    schema: Mapping[str, Any]
    revision: str | None
    newest: str
    skew: float
    tables: Sequence[Mapping[str, Any]]
    long_transactions: Sequence[Mapping[str, Any]]
    prepared: Sequence[Mapping[str, Any]]


async def examine(dsn: str, schema: str) -> Checkup:
    """Look.  Raises Unreachable."""
    try:
        async with _connection(dsn) as connection:
            [server] = await connection.fetch(_SQL["server"])
            [its_schema] = await connection.fetch(_SQL["schema"], schema)
            return Checkup(
                server=dict(server),
                schema=dict(its_schema),
                revision=await _revision(dsn, schema) if its_schema["may_use"] else None,
                newest=newest_revision(),
                skew=await _skew(connection),
                tables=await _rows(connection, "tables", schema),
                long_transactions=await _rows(connection, "long_transactions", LONG),
                prepared=await _rows(connection, "prepared"),
            )
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise Unreachable(refusal(error)) from None


@asynccontextmanager
async def _connection(dsn: str) -> AsyncGenerator[Connection]:
    connection = await asyncpg.connect(
        dsn, timeout=_PATIENCE, command_timeout=_PATIENCE, server_settings={"application_name": "backstitch-doctor"}
    )
    try:
        yield connection
    finally:
        await connection.close()


async def _revision(dsn: str, schema: str) -> str | None:
    try:
        return await current_revision(dsn, schema)
    except asyncpg.InsufficientPrivilegeError:
        return ""


async def _rows(connection: Connection, query: str, *arguments: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(_SQL[query], *arguments)]


async def _skew(connection: Connection) -> float:
    """How far the server's clock is ahead of ours, less what the question itself may have taken."""
    before = datetime.now(UTC)
    there = await connection.fetchval(_SQL["clock"])
    after = datetime.now(UTC)
    if before <= there <= after:
        return 0.0
    return (there - (after if there > after else before)).total_seconds()
