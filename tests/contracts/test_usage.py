"""Usage: what step runs have cost, summed over all threads by day, workflow and agent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.records import Usage
from app.domain.usage import UsageFilter, UsageSum

if TYPE_CHECKING:
    from tests.contracts.conftest import Store

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def spend(store: Store, agent: str | None, cost: float, *, at: datetime, workflow: str = "sewing") -> None:
    """A thread of one step run that has cost something."""
    record = await store.registry.register(name=workflow, document="{}", hash=workflow)
    driver = await replace(store, workflow=record).drive()
    move = driver.end_step("a", 1)
    usage = Usage(input_tokens=int(cost * 10), output_tokens=1, cost_usd=cost)
    move.steps[0] = replace(move.steps[0], agent=agent, usage=usage, completed_at=at)
    await driver.commit(store.journal, move)


@pytest.fixture
async def spent(store: Store) -> Store:
    """Four runs over two days, and one that has cost nothing."""
    await spend(store, "writer", 1.0, at=NOON)
    await spend(store, "writer", 2.0, at=NOON + DAY)
    await spend(store, "reader", 4.0, at=NOON, workflow="knitting")
    await spend(store, None, 8.0, at=NOON + DAY)
    free = await store.drive()
    await free.commit(store.journal, free.end_step("a", 1))
    return store


def told(found: list[UsageSum]) -> list[tuple[str, str, str, int, float]]:
    return [(one.day, one.workflow, one.agent, one.step_runs, one.usage.cost_usd) for one in found]


async def test_without_groups_all_is_one_sum(spent: Store) -> None:
    [whole] = await spent.reads.usage(UsageFilter())
    assert whole == UsageSum(step_runs=4, usage=Usage(input_tokens=150, output_tokens=4, cost_usd=15.0))


async def test_nothing_spent_is_no_sum(store: Store) -> None:
    assert await store.reads.usage(UsageFilter()) == []


async def test_it_is_summed_by_what_is_asked(spent: Store) -> None:
    by_agent = await spent.reads.usage(UsageFilter(by=frozenset({"agent"})))
    assert told(by_agent) == [("", "", "", 1, 8.0), ("", "", "reader", 1, 4.0), ("", "", "writer", 2, 3.0)]
    by_day = await spent.reads.usage(UsageFilter(by=frozenset({"day"})))
    assert told(by_day) == [("2026-11-20", "", "", 2, 5.0), ("2026-11-21", "", "", 2, 10.0)]
    by_both = await spent.reads.usage(UsageFilter(by=frozenset({"workflow", "agent"})))
    assert told(by_both) == [
        ("", "knitting", "reader", 1, 4.0), ("", "sewing", "", 1, 8.0), ("", "sewing", "writer", 2, 3.0)
    ]  # fmt: skip


async def test_a_run_counts_when_it_ended_within_the_time(spent: Store) -> None:
    found = await spent.reads.usage(UsageFilter(by=frozenset({"day"}), since=NOON + DAY, until=NOON + 2 * DAY))
    assert told(found) == [("2026-11-21", "", "", 2, 10.0)]
    assert await spent.reads.usage(UsageFilter(since=NOON - DAY, until=NOON)) == []


async def test_pages_go_on_after_the_last_one(spent: Store) -> None:
    where = UsageFilter(by=frozenset({"day", "agent"}), limit=2)
    first = await spent.reads.usage(where)
    rest = await spent.reads.usage(replace(where, after=first[-1].key, limit=10))
    assert told(first + rest) == told(await spent.reads.usage(replace(where, limit=10)))
    assert len(rest) == 2
