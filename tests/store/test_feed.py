"""The feed on PostgreSQL while others are still writing: transactions end in another order than they began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from app.domain.ids import uuid7
from app.domain.ports import FeedPosition
from app.domain.times import utc_now
from app.store.reads import PostgresReads
from tests.feeds import BEGINNING, feed_of

if TYPE_CHECKING:
    from app.domain.ports import Reads

_THREAD = """
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    created_at, updated_at)
VALUES ($1, $2, $2, 'running', 1, 0, 1, 1, 1, $3, $3)
"""
_EVENT = """
INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)
VALUES ($1, 1, $2, 'step_progress', 1, $3, '{}', COALESCE($4, pg_current_xact_id()::text::bigint))
"""
_OUTPUT = """
WITH ended AS (UPDATE workflow_events SET name = 'workflow_complete' RETURNING thread_id, execution_id)
INSERT INTO workflow_executions (id, thread_id, kind, status, workflow_name, input, input_sha256, created_at, output)
SELECT execution_id, thread_id, 'invoke', 'completed', 'sewing', '{}', '', now(), to_json($1::text) FROM ended
"""


async def _write(connection: asyncpg.Connection, thread_id: str, xact: int | None = None) -> None:
    await connection.execute(_THREAD, thread_id, uuid7(), utc_now())
    await connection.execute(_EVENT, thread_id, uuid7(), utc_now(), xact)


async def _seen(reads: Reads, after: FeedPosition = BEGINNING, count: int = 0) -> list[str]:
    return [item.event.thread_id for item in await feed_of(reads, count, after)]


async def test_what_commits_late_is_not_skipped(database_url: str) -> None:
    early, late = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    reads = PostgresReads(late)
    slow = early.transaction()
    await slow.start()
    await _write(early, "slow")
    end = await reads.feed_end()
    await _write(late, "quick")
    assert await _seen(reads) == []  # "quick" is younger than an open transaction: it waits for it
    await slow.commit()
    assert await _seen(reads, count=2) == await _seen(reads, end, count=2) == ["slow", "quick"]
    assert await _seen(reads, await reads.feed_end()) == []
    await early.close()
    await late.close()


async def test_what_is_rolled_back_holds_nothing_up(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    broken = connection.transaction()
    await broken.start()
    await _write(connection, "broken")
    await broken.rollback()
    await _write(connection, "kept")
    assert await _seen(PostgresReads(connection), count=1) == ["kept"]
    await connection.close()


async def test_events_far_apart_are_read_across_spans(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for thread_id, xact in (("a", 1), ("b", 5000), ("c", 5000), ("d", 200_000), ("e", 2**40)):
        await _write(connection, thread_id, xact)
    reads = _FarEnd(connection)
    assert await _seen(reads, count=5) == ["a", "b", "c", "d", "e"]
    assert [item.event.thread_id for item in await reads.feed(FeedPosition(5000, "b", 1), limit=2)] == ["c", "d"]
    assert await _seen(reads, FeedPosition(2**40, "e", 1)) == []
    await connection.close()


class _FarEnd(PostgresReads):
    """As if the server had given out so many transaction ids."""

    async def feed_end(self) -> FeedPosition:
        return FeedPosition(2**40 + 1, "", 0)


async def test_what_is_left_of_a_thread_that_is_gone_hides_nothing(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for thread_id, xact in (("a", 10), ("gone", 11), ("c", 12), ("d", 13), ("e", 14)):
        await _write(connection, thread_id, xact)
    await connection.execute("DELETE FROM threads WHERE thread_id = 'gone'")
    reads = _FarEnd(connection)
    first = await reads.feed(BEGINNING, limit=2)
    assert [item.event.thread_id for item in first] == ["a", "c"]
    assert [item.event.thread_id for item in await reads.feed(first[-1].position, limit=2)] == ["d", "e"]
    await connection.close()


async def test_of_a_long_result_only_the_beginning_leaves_the_database(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await _write(connection, "a", 10)
    await connection.execute(_OUTPUT, "x" * 1_000_000)
    reads = _FarEnd(connection)
    results = [(await reads.feed(BEGINNING))[0].event.result, (await reads.events("a", after=0))[0].result]
    assert [result is not None and len(result) < 1_200 for result in results] == [True, True]
    await connection.close()
