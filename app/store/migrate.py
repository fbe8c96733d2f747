"""Brings a database to the schema that this version knows, safely with several processes that start at once.

Alembic and SQLAlchemy take half a second to import: they are loaded only when there is something to do.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Literal

import asyncpg

from app.domain.errors import StartupError

MIGRATIONS = Path(__file__).parents[2] / "migrations"
_one_at_a_time = threading.Lock()  # alembic keeps its context in module globals


def newest_revision() -> str:
    """The revision that this version knows as the newest: files of migrations/versions are named REVISION_TITLE.py."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


async def current_revision(dsn: str, schema: str = "public") -> str | None:
    """The revision of the database, or None when it has none of our tables."""
    connection = await asyncpg.connect(dsn)
    try:
        table = f'"{schema}".alembic_version'
        if await connection.fetchval("SELECT to_regclass($1)", table) is None:
            return None
        return await connection.fetchval(f"SELECT version_num FROM {table}")  # noqa: S608 - the settings check the name
    finally:
        await connection.close()


async def upgrade(dsn: str, schema: str = "public", revision: str = "head") -> bool:
    """Brings the database up to `revision`, making `schema` if it is missing; whether there was anything to do.

    Any DSN that asyncpg takes will do, unix sockets too. Processes that do it at once wait for each other. Raises
    StartupError when the database is newer than this version, and what asyncpg raises when it cannot be reached.
    """
    current = await current_revision(dsn, schema)
    newest = newest_revision()
    if current == newest:
        return False
    if current is not None and current > newest:
        message = f"the database is at revision {current}, this version knows {newest}: start a newer version"
        raise StartupError(message)
    await asyncio.to_thread(_run, "upgrade", dsn, schema, revision)
    return True


async def downgrade(dsn: str, schema: str = "public", revision: str = "base") -> None:
    """Takes the database back to `revision`; what newer revisions added is lost."""
    await asyncio.to_thread(_run, "downgrade", dsn, schema, revision)


def _run(direction: Literal["upgrade", "downgrade"], dsn: str, schema: str, revision: str) -> None:
    """In a thread with a loop of its own: alembic is synchronous, and even to import it would block."""
    from app.store import migration_run  # noqa: PLC0415 - only when there is something to do

    with _one_at_a_time:
        asyncio.run(migration_run.run(direction, dsn, schema, revision, MIGRATIONS))
