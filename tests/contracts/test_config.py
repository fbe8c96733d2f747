"""ConfigStore: what was set over the API, and the record of what has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.config import ConfigChange, ConfigStore
from app.domain.ids import uuid7
from app.domain.times import utc_now
from app.store.config import PostgresConfig
from app.store.db import open_pool
from app.store.memory_config import MemoryConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def config(store_dsn: str | None) -> AsyncGenerator[ConfigStore]:
    if store_dsn is None:
        yield MemoryConfig()
        return
    async with open_pool(store_dsn) as pool:
        yield PostgresConfig(pool)


def change(name: str, new: Any, **more: Any) -> ConfigChange:
    return ConfigChange(
        **{"id": uuid7(), "at": utc_now(), "name": name, "old": None, "new": new, "source": "api"} | more
    )


async def test_values_are_set_changed_and_taken_back(config: ConfigStore) -> None:
    await config.put({"a": 1, "b": {"failed": 2.5}, "c": None}, [], [])
    await config.put({"a": "text"}, ["b", "nothing"], [])
    assert await config.overrides() == {"a": "text", "c": None}


async def test_changes_are_told_newest_first_page_by_page(config: ConfigStore) -> None:
    first = change("a", 1, at=utc_now() - timedelta(minutes=1), by="me")
    second, third = change("b", [None]), change("c", {"x": 1.5}, source="file", old=[1])
    await config.put({}, [], [first])
    await config.put({}, [], [second, third])
    told = await config.changes(None, 2)
    assert {one.id for one in told} == {second.id, third.id}
    assert await config.changes((told[-1].at, told[-1].id), 2) == [first]


async def test_a_change_that_is_told_twice_is_kept_once(config: ConfigStore) -> None:
    told = change("a", 1)
    await config.put({}, [], [told])
    await config.put({}, [], [told, change("b", 2)])
    assert sorted(one.name for one in await config.changes(None, 10)) == ["a", "b"]
