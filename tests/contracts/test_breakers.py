"""BreakerStore: breakers are kept, and of those who change one at once exactly one does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from app.domain.breakers import (
    BreakerPolicy,
    BreakerState,
    force_close,
    force_open,
    release_probe,
    renew_probe,
    settle_probe,
    take_probe,
    trip,
)
from app.domain.ids import uuid7
from app.store.breakers import PostgresBreakers
from app.store.db import open_pool
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_tables import MemoryTables

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.breakers import BreakerStore

POLICY = BreakerPolicy(open_seconds=0.0, probe_seconds=60.0)
"""What has opened may be probed at once."""


@pytest.fixture
async def breakers(store_dsn: str | None) -> AsyncGenerator[BreakerStore]:
    """An empty store."""
    if store_dsn is None:
        yield MemoryBreakers(MemoryTables())
        return
    async with open_pool(store_dsn, size=20) as pool:
        yield PostgresBreakers(pool)


async def test_without_any_breaker_the_time_is_told(breakers: BreakerStore) -> None:
    first, second = await breakers.load(), await breakers.load()
    assert first.records == []
    assert first.now <= second.now


async def test_a_breaker_is_kept_as_it_was_written(breakers: BreakerStore) -> None:
    tripped, _ = await breakers.change("b", trip(POLICY, "5 failures: 'x' \N{SNOWMAN}"))
    forced, written = await breakers.change("a", force_open("maintenance", 600))
    assert written
    table = await breakers.load()
    assert sorted(table.records, key=lambda record: record.agent) == [forced, tripped]
    assert forced.probe_at is not None
    assert forced.probe_at > table.now
    assert (tripped.rev, forced.rev) == (1, 1)


async def test_a_move_that_does_nothing_writes_nothing(breakers: BreakerStore) -> None:
    record, written = await breakers.change("analyst", force_close())
    assert (record.state, record.rev, written) == ("closed", 0, False)
    assert (await breakers.load()).records == []


async def test_failures_of_many_processes_at_once_open_it_once(breakers: BreakerStore) -> None:
    found = await asyncio.gather(*(breakers.change("analyst", trip(POLICY, str(n))) for n in range(20)))
    assert sum(written for _, written in found) == 1
    assert {record for record, _ in found} == set((await breakers.load()).records)


async def test_of_twenty_that_want_one_probe_exactly_one_gets_it(breakers: BreakerStore) -> None:
    for agent in ("analyst", "marketer", "publisher"):
        await breakers.change(agent, trip(POLICY, "too many"))
        tokens = [uuid7() for _ in range(20)]
        found = await asyncio.gather(*(breakers.change(agent, take_probe(POLICY, token)) for token in tokens))
        [winner] = [token for token, (_, written) in zip(tokens, found, strict=True) if written]
        assert {(record.state, record.probe_by) for record, _ in found} == {("half_open", winner)}


async def test_of_twenty_that_find_a_probe_given_up_exactly_one_takes_over(breakers: BreakerStore) -> None:
    brief = BreakerPolicy(open_seconds=0.0, probe_seconds=0.0)
    await breakers.change("analyst", trip(POLICY, "too many"))
    await breakers.change("analyst", take_probe(brief, uuid7()))
    found = await asyncio.gather(*(breakers.change("analyst", take_probe(POLICY, uuid7())) for _ in range(20)))
    assert sum(written for _, written in found) == 1


async def test_only_the_probe_itself_settles_it(breakers: BreakerStore) -> None:
    token, other = uuid7(), uuid7()
    await breakers.change("analyst", trip(POLICY, "too many"))
    await breakers.change("analyst", take_probe(POLICY, token))
    for move in (settle_probe(POLICY, other, None), release_probe(other), renew_probe(POLICY, other)):
        record, written = await breakers.change("analyst", move)
        assert (record.state, written) == ("half_open", False)
    assert (await breakers.change("analyst", renew_probe(POLICY, token)))[1]
    closed, written = await breakers.change("analyst", settle_probe(POLICY, token, None))
    assert (closed.state, closed.closed_at is None, written) == (BreakerState.CLOSED, False, True)
    assert (await breakers.change("analyst", settle_probe(POLICY, token, "late"))) == (closed, False)


async def test_a_probe_that_fails_opens_it_again(breakers: BreakerStore) -> None:
    token = uuid7()
    await breakers.change("analyst", trip(POLICY, "too many"))
    await breakers.change("analyst", take_probe(POLICY, token))
    opened, _ = await breakers.change("analyst", settle_probe(POLICY, token, "again"))
    assert (opened.state, opened.trips, opened.reason, opened.probe_by) == ("open", 2, "again", None)
    assert (await breakers.load()).records == [opened]
