"""Databases for tests, each as the migrations leave it: one that a test left in form is emptied for the next, not made anew."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_GROWTH: Final = 20_000_000
"""Bytes by which a database may grow before it is not worth emptying."""
_CATALOGS: Final = """
pg_attrdef pg_attribute pg_class pg_constraint pg_depend pg_description pg_enum pg_extension pg_index pg_inherits
pg_namespace pg_policy pg_proc pg_publication pg_rewrite pg_statistic pg_trigger pg_type
"""
_FORM: Final = (
    "SELECT concat_ws(' ', (SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting), "
    "(SELECT xmin::text FROM pg_database WHERE datname = current_database()), "
    + ", ".join(f"(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM {one})" for one in _CATALOGS.split())
    + ")"
)
"""Differs after every change of the schema, of settings and of what ANALYZE knows."""
_TABLES: Final = (
    "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
_SEQUENCES: Final = (
    "SELECT format('%I.%I', schemaname, sequencename) AS name, start_value, last_value FROM pg_sequences"
)
_TURN_OUT: Final = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, kw_only=True)
class _Database:
    """A database, and how to make it again what it was."""

    name: str
    form: str
    size: int
    restore: str
    """Empties all tables and puts back what the migrations have written."""


@dataclass
class Databases:
    """Those of one server; `template` has all migrations."""

    server: str
    template: str
    free: list[_Database] = field(default_factory=list)

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[str]:
        """The DSN of one that is as good as new."""
        lent = self.free.pop() if self.free else await self._make()
        try:
            yield dsn_of(self.server, lent.name)
        finally:
            if await self._is_restored(lent):
                self.free.append(lent)
            else:
                await execute(self.server, f"DROP DATABASE {lent.name} WITH (FORCE)")

    async def _make(self) -> _Database:
        name = f"test_{uuid.uuid4().hex}"
        await execute(self.server, f'CREATE DATABASE {name} TEMPLATE "{self.template}" STRATEGY file_copy')
        connection = await asyncpg.connect(dsn_of(self.server, name))
        try:
            form, size = await _form_and_size(connection)
            return _Database(name=name, form=form, size=size, restore=await _restore(connection))
        finally:
            await connection.close()

    async def _is_restored(self, lent: _Database) -> bool:
        try:
            connection = await asyncpg.connect(dsn_of(self.server, lent.name), timeout=30, command_timeout=30)
        except (asyncpg.PostgresError, OSError, TimeoutError):
            return False
        try:
            await connection.execute(_TURN_OUT)
            form, size = await _form_and_size(connection)
            if form != lent.form or size > lent.size + _GROWTH:
                return False
            await connection.execute(lent.restore)
        except (asyncpg.PostgresError, OSError, TimeoutError):
            return False
        finally:
            await connection.close()
        return True


async def _form_and_size(connection: Any) -> tuple[str, int]:
    return tuple(await connection.fetchrow(f"SELECT ({_FORM}), pg_database_size(current_database())"))


async def _restore(connection: Any) -> str:
    lines = ["BEGIN", "SET LOCAL session_replication_role = replica"]  # no triggers
    for [table] in await connection.fetch(_TABLES):
        lines.append(f"DELETE FROM {table}")
        rows = await connection.fetchval(f"SELECT quote_literal(json_agg(one)) FROM {table} AS one")
        if rows is not None:
            lines.append(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, {rows})")
    for name, start, last in await connection.fetch(_SEQUENCES):
        lines.append(
            f"SELECT setval('{name}', {start if last is None else last}, {'false' if last is None else 'true'})"
        )
    return ";\n".join([*lines, "COMMIT"])


async def execute(dsn: str, statement: str) -> None:
    """One statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def dsn_of(server: str, database: str) -> str:
    """Where a database of a server is."""
    return server.replace("/postgres?", f"/{database}?")
