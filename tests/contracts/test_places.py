"""How far followers have come, on both stores."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from app.domain.ports import FeedPosition
from app.store.db import open_pool
from app.store.followers import PostgresPlaces
from app.store.memory_followers import MemoryPlaces
from app.store.memory_tables import MemoryTables

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.domain.messages import Places


@asynccontextmanager
async def opened(dsn: str | None) -> AsyncGenerator[Places]:
    if dsn is None:
        yield MemoryPlaces(MemoryTables())
        return
    async with open_pool(dsn) as pool:
        yield PostgresPlaces(pool)


@pytest.fixture
async def places(store_dsn: str | None) -> AsyncIterator[Places]:
    async with opened(store_dsn) as found:
        yield found


async def test_a_new_follower_begins_at_the_present_end_and_goes_on_where_it_was(places: Places) -> None:
    begin = await places.take("one", "a", 10)
    assert begin is not None
    assert begin > FeedPosition(0, "", 0)
    further = FeedPosition(begin.xact + 5, "thread", 7)
    assert await places.move("one", "a", further)
    assert await places.take("one", "a", 10) == further


async def test_one_process_follows_at_a_time(places: Places) -> None:
    begin = await places.take("one", "a", 10)
    assert await places.take("one", "b", 10) is None
    assert await places.take("two", "b", 10) is not None
    await places.release("one", "b")
    assert await places.take("one", "b", 10) is None
    await places.release("one", "a")
    assert await places.take("one", "b", 10) == begin


async def test_a_silent_one_is_followed_by_another_and_moves_nothing_any_more(places: Places) -> None:
    begin = await places.take("one", "a", -1)
    assert begin is not None
    assert await places.take("one", "b", 10) == begin
    assert not await places.move("one", "a", FeedPosition(begin.xact + 1, "", 0))
    assert await places.take("one", "b", 10) == begin


async def test_who_renews_stays_and_is_told_when_another_follows_by_now(places: Places) -> None:
    begin = await places.take("one", "a", -1)
    assert await places.take("two", "a", 10) is not None
    assert await places.renew("one", "a", 10)
    assert await places.renew("two", "a", 10)
    assert await places.take("one", "b", 10) is None
    await places.release("one", "a")
    assert not await places.renew("one", "a", 10)
    assert await places.renew("two", "a", 10)
    assert await places.take("one", "b", 10) == begin


async def test_what_has_begun_is_not_before_the_present_end(places: Places) -> None:
    begin = await places.take("one", "a", 10)
    assert begin is not None
    assert await places.begun() >= begin
