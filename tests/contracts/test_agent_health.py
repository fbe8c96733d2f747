"""AgentHealthStore: tallies of all processes add up by minute, and old minutes go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.agent_health import Tally, percentile
from app.domain.times import utc_now
from app.store.agent_health import PostgresAgentHealth
from app.store.db import open_pool
from app.store.memory_agents import AgentTables, MemoryAgentHealth

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from app.domain.agent_health import AgentHealthStore

QUARTER = timedelta(minutes=15)


@pytest.fixture
async def health(store_dsn: str | None) -> AsyncGenerator[AgentHealthStore]:
    """An empty store."""
    if store_dsn is None:
        yield MemoryAgentHealth(AgentTables())
        return
    async with open_pool(store_dsn, size=10) as pool:
        yield PostgresAgentHealth(pool)


def minute(ago: int = 0) -> datetime:
    return utc_now().replace(second=0, microsecond=0) - timedelta(minutes=ago)


def tally(*seconds: float, failed: int = 0, rejected: int = 0) -> Tally:
    found = Tally(ok=len(seconds) - failed, failed=failed, rejected=rejected)
    for one in seconds:
        found.time(one)
    return found


async def test_nothing_is_an_empty_sum(health: AgentHealthStore) -> None:
    await health.add({})
    assert await health.over("analyst", QUARTER) == Tally()


async def test_what_many_processes_add_at_once_is_all_counted(health: AgentHealthStore) -> None:
    now, before = minute(), minute(1)
    told = {
        ("analyst", now): tally(0.002, 5.0, failed=1),
        ("analyst", before): tally(0.002, rejected=2),
        ("marketer", now): tally(1.0),
    }
    turned = dict(reversed(told.items()))
    await asyncio.gather(*(health.add(told if number % 2 else turned) for number in range(20)))
    found = await health.over("analyst", QUARTER)
    assert (found.ok, found.failed, found.rejected, sum(found.buckets)) == (40, 20, 40, 60)
    assert percentile(found.buckets, 0.5) == pytest.approx(2, rel=0.1)
    assert percentile(found.buckets, 0.99) == pytest.approx(5000, rel=0.1)


async def test_only_the_window_counts_and_the_last_error_is_told_however_old(health: AgentHealthStore) -> None:
    failure = {"kind": "timeout", "message": "late \N{SNOWMAN}"}
    at = minute(30)
    await health.add({("analyst", at): Tally(failed=1, error=failure, error_at=at)})
    await health.add({("analyst", minute(5)): tally(0.1)})
    found = await health.over("analyst", QUARTER)
    assert (found.ok, found.failed) == (1, 0)
    assert (found.error, found.error_at) == (failure, at)
    assert (await health.over("analyst", timedelta(hours=1))).failed == 1


async def test_of_two_errors_the_later_is_kept(health: AgentHealthStore) -> None:
    at = minute()
    for kind, seconds in (("b", 2), ("a", 1)):
        error_at = at + timedelta(seconds=seconds)
        await health.add({("analyst", at): Tally(failed=1, error={"kind": kind}, error_at=error_at)})
    await health.add({("analyst", at): tally(0.1)})
    found = await health.over("analyst", QUARTER)
    assert (found.error, found.failed) == ({"kind": "b"}, 2)


async def test_old_minutes_are_dropped_a_few_at_a_time(health: AgentHealthStore) -> None:
    await health.add({("analyst", minute(ago)): tally(0.1) for ago in (1, 100, 200, 300)})
    hour = timedelta(hours=1)
    assert [await health.prune(hour, 2) for _ in range(3)] == [2, 1, 0]
    assert (await health.over("analyst", timedelta(hours=24))).ok == 1
