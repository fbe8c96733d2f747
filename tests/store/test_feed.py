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
