"""PostgresReads beyond the contract: its plans on many rows, and a server that is away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.ports import ExecutionFilter, FeedPosition
from app.domain.status import Status
from app.domain.times import utc_now
from app.store.reads import PostgresReads, Tally

if TYPE_CHECKING:
    from asyncpg import Record

_FILL = """
INSERT INTO workflow_executions (thread_id, id, workflow_name, kind, status, created_at)
SELECT 'thread-' || n, gen_random_uuid(), 'sewing', 'invoke', CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'completed' END,
    now() - n * interval '1 second'
FROM generate_series(1, 20000) AS n
"""
_FILL_EVENTS = """
INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)
SELECT 'thread-' || n % 100, n, gen_random_uuid(), 'step_progress', 1, now(), '{}', n / 10
FROM generate_series(1, 50000) AS n
"""


class _Explaining:
    """Shows the plan of each query instead of its rows, with the generic plan that many calls may end up with."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plan = ""

    async def fetch(self, query: str, *args: Any) -> list[Record]:
        if "FROM" in query:
            rows = await self._connection.fetch(f"EXPLAIN {query}", *args)
            self.plan = "\n".join(row[0] for row in rows)
            return []
        return await self._connection.fetch(query, *args)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_lists_of_executions_use_their_indexes(database_url: str, mode: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"plan_cache_mode": mode})
    await connection.execute(_FILL)
    await connection.execute("ANALYZE workflow_executions")
    explaining, now = _Explaining(connection), utc_now()
    for where, index in [
        (ExecutionFilter(), "workflow_executions_created"),
        (ExecutionFilter(status=Status.FAILED), "workflow_executions_status"),
        (ExecutionFilter(since=now - timedelta(minutes=5)), "workflow_executions_created"),
        (ExecutionFilter(before=(now, uuid7())), "workflow_executions_created"),
        (ExecutionFilter(status=Status.FAILED, before=(now, uuid7())), "workflow_executions_status"),
        (ExecutionFilter(thread_id="thread-7"), "workflow_executions_pkey"),
    ]:
        await PostgresReads(explaining).executions(where)
        assert index in explaining.plan
        assert "Seq Scan" not in explaining.plan
    await connection.close()


async def test_a_page_of_the_feed_reads_its_span_only(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(_FILL_EVENTS)
    await connection.execute("VACUUM ANALYZE workflow_events")
    explaining = _Explaining(connection)
    await _Feed(explaining).feed(FeedPosition(4_000, "", 0))
    assert "workflow_events_xact" in explaining.plan
    await connection.close()


async def test_a_server_that_is_away_is_said_and_not_raised_by_health() -> None:
    tally = Tally()
    reads = PostgresReads(_Gone(), tally)
    with pytest.raises(Unavailable):
        await reads.thread("any")
    health = await reads.health()
    assert (health.reachable, health.latency_ms, health.size_bytes) == (False, None, None)
    assert health.error is not None
    assert "gone" in health.error
    assert health.error_rate == 1.0


async def test_health_measures_what_is_there(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    health = await PostgresReads(connection).health()
    assert health.reachable
    assert health.size_bytes is not None
    assert health.size_bytes > 100_000
    await connection.close()


async def test_reads_inside_a_transaction_see_what_it_wrote(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    async with connection.transaction():
        await connection.execute(_FILL)
        assert await PostgresReads(connection).count_executions(ExecutionFilter(), 10) == 10
    await connection.close()


def test_the_tally_forgets_all_but_the_last_hundred() -> None:
    tally = Tally()
    assert tally.rate() == 0.0
    for number in range(200):
        tally.note(failed=number < 150)
    assert tally.rate() == 0.5


class _Gone:
    async def fetch(self, query: str, *args: Any) -> list[Record]:
        raise ConnectionRefusedError("gone")


class _Feed(PostgresReads):
    async def feed_end(self) -> FeedPosition:
        return FeedPosition(5_001, "", 0)
