"""MetricsStore: rows of all processes add up, hours and days are the sums of their minutes, and what is old goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.histogram import percentile
from app.domain.ids import uuid7
from app.domain.metrics import ALL, Kind, MetricsStore, Resolution, SeriesKey, Span, Tally
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.memory_metrics import MemoryMetrics
from app.store.memory_tables import MemoryTables
from app.store.metrics import PostgresMetrics
from tests.contracts.conftest import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.store.db import Pool

QUARTER = timedelta(minutes=15)
NO_PAUSE = timedelta()
HOUR = timedelta(hours=1)
FAR = 1000


@dataclass
class Place:
    """A store, and what is beneath it."""

    metrics: MetricsStore
    pool: Pool | None

    async def roll(self, resolution: Resolution = Resolution.HOUR, limit: int = FAR) -> int:
        return await self.metrics.roll_up(resolution, pause=NO_PAUSE, limit=limit)


@pytest.fixture
async def place(store_dsn: str | None) -> AsyncGenerator[Place]:
    """An empty store."""
    if store_dsn is None:
        yield Place(MemoryMetrics(MemoryTables()), None)
        return
    async with open_pool(store_dsn, size=10) as pool:
        yield Place(PostgresMetrics(pool), pool)


@pytest.fixture
def metrics(place: Place) -> MetricsStore:
    return place.metrics


def minute(ago: int = 0) -> datetime:
    return Resolution.MINUTE.floor(utc_now()) - timedelta(minutes=ago)


def at(name: str, when: datetime, kind: Kind = Kind.AGENT) -> SeriesKey:
    return SeriesKey(kind, name, when)


def tally(*seconds: float, errors: int = 0, rejected: int = 0, retries: int = 0, cost: float = 0.0) -> Tally:
    """So many that were timed, `rejected` more that were not."""
    found = Tally(count=len(seconds) + rejected, errors=errors + rejected, rejected=rejected, retries=retries)
    found.cost_usd, found.input_tokens = cost, round(cost * 10)
    for one in seconds:
        found.time(one)
    return found


def last(length: timedelta, resolution: Resolution = Resolution.MINUTE) -> Span:
    now = utc_now() + timedelta(minutes=1)
    return Span(since=resolution.floor(now - length), until=now, resolution=resolution)


async def test_nothing_is_an_empty_sum(metrics: MetricsStore) -> None:
    await metrics.write(uuid7(), {})
    assert await metrics.over(Kind.AGENT, "analyst", QUARTER) == Tally()
    assert await metrics.sums(Kind.AGENT, last(HOUR)) == []
    assert await metrics.points(Kind.AGENT, "analyst", last(HOUR), timed=True) == []


async def test_percentiles_come_from_the_histograms_of_all_processes(metrics: MetricsStore) -> None:
    told = {at("analyst", minute()): tally(*[0.002] * 98, 5.0, 5.0), at("analyst", minute(1)): tally(*[0.002] * 100)}
    await asyncio.gather(*(metrics.write(uuid7(), told) for _ in range(20)))
    found = await metrics.over(Kind.AGENT, "analyst", QUARTER)
    assert (found.count, sum(found.buckets)) == (4000, 4000)
    assert percentile(found.buckets, 0.5) == pytest.approx(2, rel=0.1)
    assert percentile(found.buckets, 0.99) == pytest.approx(2, rel=0.1)  # 40 of 4,000 took longer
    assert percentile(found.buckets, 0.991) == pytest.approx(5000, rel=0.1)
    [(_, summed)] = await metrics.sums(Kind.AGENT, last(HOUR))
    assert summed.buckets == found.buckets


async def test_a_write_that_is_sent_again_counts_once(metrics: MetricsStore) -> None:
    writer, key = uuid7(), at("analyst", minute())
    for _ in range(2):
        await metrics.write(writer, {key: tally(0.1, 3.0, errors=1, retries=2, cost=0.5)})
    found = await metrics.over(Kind.AGENT, "analyst", QUARTER)
    assert (found.count, found.errors, found.retries, found.cost_usd, found.input_tokens) == (2, 1, 2, 0.5, 5)


async def test_a_write_that_arrives_late_displaces_nothing_that_is_further(metrics: MetricsStore) -> None:
    writer, key = uuid7(), at("analyst", minute())
    await metrics.write(writer, {key: tally(0.1, 0.1)})
    await metrics.write(writer, {key: tally(0.1)})
    assert (await metrics.over(Kind.AGENT, "analyst", QUARTER)).count == 2


async def test_tokens_without_a_price_are_not_displaced_by_a_late_write_either(metrics: MetricsStore) -> None:
    writer, key = uuid7(), at("post", minute(), Kind.WORKFLOW)
    for tokens in ((20, 5), (10, 5), (20, 4)):
        await metrics.write(writer, {key: Tally(input_tokens=tokens[0], output_tokens=tokens[1])})
    found = await metrics.over(Kind.WORKFLOW, "post", QUARTER)
    assert (found.input_tokens, found.output_tokens) == (20, 5)


async def test_only_the_window_counts_and_the_last_error_is_told_however_old(metrics: MetricsStore) -> None:
    failure, when = {"kind": "timeout", "message": "late \N{SNOWMAN}"}, minute(30)
    failed = replace(tally(1.0, errors=1), error=failure, error_at=when)
    await metrics.write(uuid7(), {at("analyst", when): failed, at("analyst", minute(5)): tally(0.1)})
    found = await metrics.over(Kind.AGENT, "analyst", QUARTER)
    assert (found.ok, found.failed, found.error, found.error_at) == (1, 0, failure, when)
    assert (await metrics.over(Kind.AGENT, "analyst", HOUR)).failed == 1


async def test_of_two_errors_in_a_minute_the_later_is_told(metrics: MetricsStore) -> None:
    for kind, seconds in (("b", 2), ("a", 1)):
        failed = Tally(count=1, errors=1, error={"kind": kind}, error_at=minute() + timedelta(seconds=seconds))
        await metrics.write(uuid7(), {at("analyst", minute()): failed})
    assert (await metrics.over(Kind.AGENT, "analyst", QUARTER)).error == {"kind": "b"}


async def test_sums_are_listed_by_name_from_page_to_page(metrics: MetricsStore) -> None:
    told = {at(name, minute(1)): tally(0.1) for name in ("b", "a", "Z", "\N{LATIN SMALL LETTER A WITH DIAERESIS}")}
    old, other = {at("old", minute(300)): tally(0.1)}, {at("a", minute(1), Kind.WORKFLOW): tally(0.1, 0.1)}
    await metrics.write(uuid7(), {**told, **old, **other, at(ALL, minute(1)): tally(0.1)})
    first = await metrics.sums(Kind.AGENT, last(HOUR), limit=2)
    rest = await metrics.sums(Kind.AGENT, last(HOUR), after=first[-1][0], limit=9)
    assert [name for name, _ in first + rest] == ["Z", "a", "b", "\N{LATIN SMALL LETTER A WITH DIAERESIS}"]
    assert [(name, found.count) for name, found in await metrics.sums(Kind.WORKFLOW, last(HOUR))] == [("a", 2)]


async def test_points_are_the_sums_of_their_times(metrics: MetricsStore) -> None:
    now, before = minute(), minute(2)
    told = {at("analyst", when): tally(0.1, 2.0, errors=errors) for when, errors in ((now, 0), (before, 2))}
    for _ in range(2):
        await metrics.write(uuid7(), told)
    found = await metrics.points(Kind.AGENT, "analyst", last(HOUR), timed=False)
    assert [(when, one.count, one.errors, one.buckets) for when, one in found] == [
        (before, 4, 4, []),
        (now, 4, 0, []),
    ]
    timed = await metrics.points(Kind.AGENT, "analyst", last(HOUR), timed=True)
    assert percentile(timed[0][1].buckets, 1) == pytest.approx(2000, rel=0.1)


def long_ago(hours: float) -> datetime:
    """A minute in an hour that is over."""
    return Resolution.HOUR.floor(utc_now() - timedelta(minutes=2)) - timedelta(hours=hours)


async def test_an_hour_is_the_sum_of_its_minutes_of_all_processes(place: Place) -> None:
    for seconds in (0.002, 9.0):  # far apart: the histogram has a gap
        await place.metrics.write(uuid7(), {at("analyst", long_ago(0.5)): tally(seconds, errors=1, cost=1.0)})
    before = await place.metrics.points(Kind.AGENT, "analyst", last(3 * HOUR, Resolution.HOUR), timed=True)
    assert await place.roll() == 1
    assert await place.metrics.points(Kind.AGENT, "analyst", last(3 * HOUR, Resolution.HOUR), timed=True) == before
    [(when, found)] = before
    assert (when, found.count, found.errors, found.cost_usd, found.sum_ms) == (long_ago(1), 2, 2, 2.0, 9002)
    assert percentile(found.buckets, 1) == pytest.approx(9000, rel=0.1)


async def test_days_are_made_of_hours_and_rolling_up_again_changes_nothing(place: Place) -> None:
    told = {at("analyst", long_ago(hours)): tally(0.1) for hours in (1, 20, 30, 45)}
    await place.metrics.write(uuid7(), told)
    span = last(timedelta(days=4), Resolution.DAY)
    before = await place.metrics.points(Kind.AGENT, "analyst", span, timed=True)
    for _ in range(3):
        await place.roll()
        await place.roll(Resolution.DAY)
        assert await place.metrics.points(Kind.AGENT, "analyst", span, timed=True) == before
    assert sum(found.count for _, found in before) == 4
    assert [found.count for _, found in await place.metrics.sums(Kind.AGENT, span)] == [4]


async def test_what_is_rolled_up_outlives_its_minutes(place: Place) -> None:
    await place.metrics.write(uuid7(), {at("analyst", long_ago(20)): tally(0.1)})
    assert await place.metrics.prune(Resolution.MINUTE, HOUR, FAR) == 0  # not rolled up: it would be lost
    await place.roll()
    assert await place.metrics.prune(Resolution.MINUTE, HOUR, FAR) == 1
    span = last(timedelta(hours=30), Resolution.HOUR)
    assert [found.count for _, found in await place.metrics.sums(Kind.AGENT, span)] == [1]


async def test_a_minute_that_was_held_back_is_rolled_up_later(place: Place) -> None:
    await place.metrics.write(uuid7(), {at("analyst", long_ago(0.5)): tally(0.1)})
    await place.roll()
    assert await place.roll() <= 1
    await place.metrics.write(uuid7(), {at("analyst", long_ago(0.6)): tally(0.1)})
    assert await place.roll() == 1
    found = await place.metrics.points(Kind.AGENT, "analyst", last(3 * HOUR, Resolution.HOUR), timed=False)
    assert [one.count for _, one in found] == [2]


async def test_a_backlog_is_rolled_up_a_few_hours_at_a_time(place: Place) -> None:
    await place.metrics.write(uuid7(), {at("analyst", long_ago(hours)): tally(0.1) for hours in (10, 20, 30, 40)})
    assert await place.roll(limit=3) == 3
    assert await place.roll(limit=3) in (1, 2)  # what was written just now is looked at once more
    found = await place.metrics.points(Kind.AGENT, "analyst", last(48 * HOUR, Resolution.HOUR), timed=False)
    assert sum(one.count for _, one in found) == 4


async def test_of_many_processes_one_rolls_up(place: Place) -> None:
    await place.metrics.write(uuid7(), {at("analyst", long_ago(0.5)): tally(0.1)})
    turns = [place.metrics.roll_up(Resolution.HOUR, pause=HOUR, limit=FAR) for _ in range(5)]
    assert sorted(await asyncio.gather(*turns)) == [0, 0, 0, 0, 1]


async def test_old_rows_are_dropped_a_few_at_a_time(place: Place) -> None:
    await place.metrics.write(uuid7(), {at("analyst", minute(ago * 60)): tally(0.1) for ago in (0, 10, 20, 30)})
    await place.roll()
    assert [await place.metrics.prune(Resolution.MINUTE, HOUR, 2) for _ in range(3)] == [2, 1, 0]
    assert (await place.metrics.over(Kind.AGENT, "analyst", timedelta(hours=40))).count == 1


async def test_threads_are_counted_by_status(store: Store, store_dsn: str | None) -> None:
    for _ in range(2):
        await store.drive()
    if store_dsn is None:
        tables = getattr(store.journal, "_tables")  # noqa: B009 - of the memory journal
        assert await MemoryMetrics(tables).thread_counts() == {"pending": 2}
        return
    async with open_pool(store_dsn) as pool:
        assert await PostgresMetrics(pool).thread_counts() == {"pending": 2}


def test_a_time_begins_where_its_unit_does() -> None:
    when = datetime(2026, 11, 21, 9, 30, 15, 5, tzinfo=UTC)
    assert [resolution.floor(when).isoformat()[:19] for resolution in Resolution] == [
        "2026-11-21T09:30:00",
        "2026-11-21T09:00:00",
        "2026-11-21T00:00:00",
    ]
