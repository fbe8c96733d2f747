"""The list of events while many write it: what commits late is neither skipped nor told twice, whatever the page."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import asyncpg

from app.domain.event_log import EventFilter
from app.domain.ids import uuid7
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.events import PostgresEvents

if TYPE_CHECKING:
    from app.domain.ports import FeedPosition

WRITERS, ROUNDS = 8, 25
_THREAD = """
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    created_at, updated_at)
VALUES ($1, $2, $2, 'running', 1, 0, 1, 1, 1, $3, $3)
"""
_EVENT = """
INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)
VALUES ($1, $2, $3, $4, 1, $5, '{}', pg_current_xact_id()::text::bigint)
"""
_EVERY_MINUTE = """
INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)
SELECT 't', n, $1, 'step_start', 1, now() - interval '1 day' + n * interval '1 minute', '{}', n
FROM generate_series(1, 300) AS n
"""
_MARKS = """
INSERT INTO event_marks (at, xact)
SELECT now() - interval '1 day' + n * interval '5 minutes', n * 5 FROM generate_series(1, 60) AS n
"""


async def write(dsn: str, number: int, dice: random.Random) -> None:
    """Events of one thread, a few a transaction, which is held open for a while; some are rolled back."""
    connection = await asyncpg.connect(dsn)
    thread_id, execution_id, seq = f"t{number}", uuid7(), 0
    await connection.execute(_THREAD, thread_id, execution_id, utc_now())
    while seq < ROUNDS:
        held = connection.transaction()
        await held.start()
        told = min(dice.randint(1, 3), ROUNDS - seq)
        for place in range(told):
            name = "step_start" if (seq + place) % 5 == 0 else "step_progress"
            await connection.execute(_EVENT, thread_id, seq + place + 1, execution_id, name, utc_now())
            await asyncio.sleep(dice.choice([0, 0, 0.001, 0.01]))
        if dice.random() < 0.15:
            await held.rollback()
            continue
        await held.commit()
        seq += told
    await connection.close()


async def follow(
    log: PostgresEvents, done: asyncio.Event, count: int, *, limit: int, look: int, name: str | None
) -> list[str]:
    """Whatever the cursor gives until nobody writes any more and `count` were seen (or it gives up)."""
    names = None if name is None else frozenset({name})
    seen: list[str] = []
    place: FeedPosition | None = None
    idle = 0
    while idle < 200:
        page = await log.page(EventFilter(after=place, limit=limit, look=look, names=names))
        seen += [f"{item.event.thread_id}/{item.event.seq}" for item in page.items]
        place = page.place
        if page.next is None:
            await asyncio.sleep(0.005)
            idle += done.is_set()
        if done.is_set() and page.next is None and len(seen) >= count:
            return seen
    return seen


async def test_a_cursor_followed_beside_many_writers_sees_every_event_once(database_url: str) -> None:
    dice = random.Random(20261121)
    everything = sorted(f"t{number}/{seq}" for number in range(WRITERS) for seq in range(1, ROUNDS + 1))
    starts = sorted(f"t{number}/{seq}" for number in range(WRITERS) for seq in range(1, ROUNDS + 1, 5))
    done = asyncio.Event()
    async with open_pool(database_url, size=3) as pool, asyncio.TaskGroup() as tasks:
        log = PostgresEvents(pool)
        readers = [
            tasks.create_task(follow(log, done, len(everything), limit=limit, look=20_000, name=None))
            for limit in (1, 7, 500)
        ]
        picky = tasks.create_task(follow(log, done, len(starts), limit=5, look=3, name="step_start"))
        await asyncio.gather(*(write(database_url, number, random.Random(dice.random())) for number in range(WRITERS)))
        done.set()
        for reader in readers:
            assert sorted(await reader) == everything
        assert sorted(await picky) == starts


async def test_a_time_is_found_without_looking_at_all_that_was_before(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(_THREAD, "t", uuid7(), utc_now())
    await connection.execute(_EVERY_MINUTE, uuid7())
    await connection.execute(_MARKS)
    since = await connection.fetchval("SELECT at FROM workflow_events WHERE seq = 200")
    async with open_pool(database_url, size=1) as pool:
        page = await PostgresEvents(pool).page(EventFilter(since=since, look=30, limit=10))
    assert [item.event.seq for item in page.items] == list(range(200, 210))
    await connection.close()
