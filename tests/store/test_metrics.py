"""The time series on PostgreSQL: the minutes of before are kept, and what is read needs no look at every row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from app.domain.histogram import Distribution, middle, percentile
from app.domain.ids import uuid7
from app.domain.metrics import Kind, SeriesKey, Tally
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.metrics import PostgresMetrics
from app.store.migrate import downgrade, upgrade
from app.telemetry.metrics_parts import JournalFigures, PoolFigures
from tests.store.test_journal import open_books

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DAY = timedelta(hours=24)
MINUTES = """
INSERT INTO agent_minutes (agent, minute, ok, failed, rejected, buckets, error, error_at) VALUES
    ('analyst', date_trunc('minute', now()), 3, 1, 2, '{0,0,4}', '{"kind": "timeout"}', now()),
    ('analyst', date_trunc('minute', now()) - interval '1 hour', 1, 0, 0, '{1}', NULL, NULL)
"""
WRITERS = """
INSERT INTO metrics (kind, name, resolution, at, writer, count, errors, rejected, histogram)
SELECT 'agent', 'analyst', 'minute', date_trunc('minute', now()), gen_random_uuid(), 2, 1, 0,
    metric_histogram(array_fill(0::bigint, ARRAY[place]) || '{1,1}')
FROM generate_series(1, 2) AS place
"""


async def on(dsn: str, do: Callable[[asyncpg.Connection[Any]], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await do(connection)
    finally:
        await connection.close()


async def test_the_minutes_of_agents_are_taken_over(database_url: str) -> None:
    await downgrade(database_url, revision="0008")
    await on(database_url, lambda connection: connection.execute(MINUTES))
    await upgrade(database_url)
    async with open_pool(database_url) as pool:
        found = await PostgresMetrics(pool).over(Kind.AGENT, "analyst", DAY)
    assert (found.ok, found.failed, found.rejected, found.buckets) == (4, 1, 2, [1, 0, 4])
    assert found.sum_ms == 0.5 + 4 * middle(2)
    assert found.error == {"kind": "timeout"}
    assert percentile(found.buckets, 0.5) == middle(2)


async def test_what_all_processes_have_counted_is_given_back_as_minutes_of_agents(database_url: str) -> None:
    await on(database_url, lambda connection: connection.execute(WRITERS))
    await downgrade(database_url, revision="0008")
    query = "SELECT ok, failed, rejected, buckets FROM agent_minutes"
    row = await on(database_url, lambda connection: connection.fetchrow(query))
    assert tuple(row) == (2, 2, 0, [0, 1, 2, 1])


async def test_percentiles_can_be_asked_for_with_psql(database_url: str) -> None:
    minute = utc_now().replace(second=0, microsecond=0)
    tally = Tally(count=103)
    for seconds in [0.0001, *[0.02] * 100, 7.0, 200_000.0]:
        tally.time(seconds)
    async with open_pool(database_url) as pool:
        for _ in range(2):
            await PostgresMetrics(pool).write(uuid7(), {SeriesKey(Kind.AGENT, "analyst", minute): tally})
        query = "SELECT metric_percentile(sum(histogram), $1) FROM metrics WHERE name = 'analyst'"
        for share in (0.0, 0.009, 0.5, 0.985, 1.0):
            assert await pool.fetchval(query, share) == percentile(tally.buckets, share)
        assert await pool.fetchval("SELECT metric_buckets(histogram) FROM metrics LIMIT 1") == tally.buckets
        assert await pool.fetchval("SELECT metric_percentile(0, 0.5)") is None


async def test_the_journal_tells_of_its_batches_and_of_the_checkpoints_that_it_saved(database_url: str) -> None:
    async with open_books(database_url) as books:
        driver = await books.drive()
        await driver.commit(books.journal, driver.end_step("analyst", 1))
        found = {figure.name: figure.samples[0][1] for figure in JournalFigures(books.journal.writers).figures()}
        pool = [figure for figure in PoolFigures(books.pool).figures() if figure.labels]
    for name in ("journal_batch_size", "journal_flush_seconds", "checkpoint_save_seconds"):
        counted = found[f"backstitch_{name}"]
        assert isinstance(counted, Distribution)
        assert sum(counted.counts) == 2
        assert counted.total > 0
    assert found["backstitch_journal_up"] == 1
    assert sum(count for _, count in pool[0].samples if not isinstance(count, Distribution)) >= 1
