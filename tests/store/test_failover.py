"""A server that takes no writes, as an old primary is after a failover: no connection to it is kept."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.domain.errors import StartupError
from app.store.db import LOST, connect, open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def standing_by(dsn: str) -> AsyncGenerator[None]:
    """The database looks like one that only replays what another does."""
    connection = await asyncpg.connect(dsn)
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        yield
    finally:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await connection.close()


async def test_no_connection_is_made_to_a_server_that_takes_no_writes(database_url: str) -> None:
    async with standing_by(database_url):
        with pytest.raises(LOST):
            await connect(database_url)
        with pytest.raises(StartupError, match="cannot be reached"):
            async with open_pool(database_url):
                raise AssertionError
    connection = await connect(database_url)
    await connection.close()


async def test_a_pool_makes_new_connections_once_the_failover_is_over(database_url: str) -> None:
    async with open_pool(database_url, size=2) as pool:
        async with standing_by(database_url):
            await pool.expire_connections()
            with pytest.raises(LOST):
                await pool.fetchval("SELECT 1")
        assert await pool.fetchval("SHOW transaction_read_only") == "off"
