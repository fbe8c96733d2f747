"""The places of followers on PostgreSQL: who waits for another writes nothing, and a process renews all of its own at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.domain.ids import uuid7
from app.store.db import open_pool
from app.store.followers import PostgresPlaces

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

NAMES = ("one", "two", "three")


@pytest.fixture
async def places(database_url: str) -> AsyncGenerator[PostgresPlaces]:
    async with open_pool(database_url) as pool:
        yield PostgresPlaces(pool)


async def ask(database_url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_who_finds_another_at_it_locks_nothing(places: PostgresPlaces, database_url: str) -> None:
    assert await places.take("one", "a", 60)
    for _ in range(3):
        assert await places.take("one", "b", 60) is None
    assert await ask(database_url, "SELECT xmax::text FROM followers") == [("0",)]


async def test_a_process_renews_all_that_it_follows_in_one_statement(places: PostgresPlaces, database_url: str) -> None:
    for name in NAMES:
        await places.take(name, "a", 60)
    for name in NAMES:
        assert await places.renew(name, "a", 120)
    [(times, number)] = await ask(database_url, "SELECT count(DISTINCT xmin::text), count(*) FROM followers")
    assert (times, number) == (1, 3)


async def test_one_that_has_not_asked_for_as_long_as_its_lease_is_renewed_by_no_other(
    places: PostgresPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("app.store.followers.monotonic", lambda: now[0])
    for name in NAMES:
        await places.take(name, "a", 0)
    now[0] += 11
    assert await places.renew("one", "a", 10)
    assert await places.take("two", "b", 10)
    assert await places.take("one", "b", 10) is None


async def test_who_serves_takes_the_place_of_one_that_is_known_no_more_at_once(
    places: PostgresPlaces, database_url: str
) -> None:
    dead, alive, new = uuid7(), uuid7(), uuid7()
    connection = await asyncpg.connect(database_url)
    for one in (alive, new):
        await connection.execute("INSERT INTO incarnations (id, host, process) VALUES ($1::uuid, 'h', 'p')", one)
    await connection.close()
    assert await places.take("one", dead, 60)
    assert await places.take("two", alive, 60)
    assert await places.take("one", new, 60)
    assert await places.take("two", new, 60) is None
