"""Runs alembic over one asyncpg connection. Imported only when there is something to migrate: its imports are slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

_LOCK = 0x6261636B7374  # "backst": any constant that nobody else takes
_LOCK_WAIT = "120s"


async def run(direction: Literal["upgrade", "downgrade"], dsn: str, schema: str, revision: str, scripts: Path) -> None:
    """Goes to `revision` in one transaction, alone: others that do the same wait for it."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))

    def migrate(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
        # In the transaction of the changes: let go by commit, rollback or a dead client.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
        config.attributes.update(connection=connection, schema=schema)
        getattr(command, direction)(config, revision)

    async def connect(*_: Any, **__: Any) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(dsn)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()
