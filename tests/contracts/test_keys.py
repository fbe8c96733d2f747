"""Keys: made when they are first asked for, the same ever after, and shared by all processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from app.store.db import open_pool
from app.store.keys import MemoryKeys, PostgresKeys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.tickets import Keys


@pytest.fixture
async def processes(store_dsn: str | None) -> AsyncGenerator[list[Keys]]:
    """The keys as two processes see them; in memory there is one."""
    if store_dsn is None:
        keys = MemoryKeys()
        yield [keys, keys]
        return
    async with open_pool(store_dsn, size=2) as one, open_pool(store_dsn, size=2) as other:
        yield [PostgresKeys(one), PostgresKeys(other)]


async def test_processes_that_ask_at_once_get_the_same_key(processes: list[Keys]) -> None:
    found = await asyncio.gather(*(keys.key("streams") for keys in processes * 3))
    assert len(set(found)) == 1
    assert len(found[0]) == 32


async def test_each_name_has_a_key_of_its_own(processes: list[Keys]) -> None:
    keys = processes[0]
    assert await keys.key("one") != await keys.key("other")
    assert await keys.key("one") == await keys.key("one")
