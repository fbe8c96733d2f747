"""The claim on PostgreSQL: the lock of a limited queue, and what a look costs however many threads are asleep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.domain.ids import uuid7
from app.store.db import connect, open_pool
from app.store.queries import load
from app.store.queue import PostgresQueues

if TYPE_CHECKING:
    from app.store.db import Pool

_SLEEPERS = """
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    wake_at, queue, priority, created_at, updated_at)
SELECT 'asleep-' || n, gen_random_uuid(), gen_random_uuid(), 'waiting', 1, 0, 1, 1, 1,
    now() + make_interval(secs => 3600 + n), CASE WHEN n % 10 = 0 THEN 'mail' ELSE 'default' END, n % 5, now(), now()
FROM generate_series(1, 20000) AS n
"""
_PAGES = 400
"""Pages that a look may touch; all the threads fill several thousand."""


async def explained(pool: Pool, query: str, *arguments: object) -> dict[str, Any]:
    """The plan of a statement of the claim, as it was carried out."""
    text = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + load("queue")[query]
    return json.loads(await pool.fetchval(text, *arguments))[0]["Plan"]


def pages(plan: dict[str, Any]) -> int:
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def test_neither_the_claim_nor_the_next_time_is_slowed_by_those_asleep(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool:
        queues, process = PostgresQueues(pool), uuid7()
        for _ in range(8):  # the plans that are kept are made while the tables are empty
            assert await queues.claim(process, 200) == []
            assert await queues.next_due() is None
        await pool.execute(_SLEEPERS)
        assert await queues.claim(process, 200) == []
        assert (await queues.next_due() or 0) > 3500
        assert pages(await explained(pool, "claim", process, 200, 5, None)) < _PAGES
        assert pages(await explained(pool, "next_due", 5)) < _PAGES


async def test_a_claim_among_many_asleep_touches_what_it_takes(database_url: str) -> None:
    async with open_pool(database_url, size=1) as pool:
        queues, process = PostgresQueues(pool), uuid7()
        await pool.execute(_SLEEPERS)
        await pool.execute(
            "UPDATE threads SET wake_at = now() WHERE thread_id IN ('asleep-1', 'asleep-2', 'asleep-10')"
        )
        assert pages(await explained(pool, "claim", process, 200, 5, ["mail"])) < _PAGES
        taken = await pool.fetchval("SELECT count(*) FROM threads WHERE incarnation_id = $1", process)
        assert (taken, await queues.claim(process, 200)) == (3, [])


_DUE = """
INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
    wake_at, queue, created_at, updated_at)
SELECT 'due-' || n, gen_random_uuid(), gen_random_uuid(), 'pending', 1, 0, 1, 1, 1, now(), 'mail', now(), now()
FROM generate_series(1, 20) AS n
"""


async def test_a_queue_in_which_another_process_claims_is_passed_over(database_url: str) -> None:
    sql, other = load("queue"), await connect(database_url)
    async with open_pool(database_url) as pool:
        queues = PostgresQueues(pool)
        await pool.execute(_DUE)
        await queues.ensure("mail")
        claiming = other.transaction()
        await claiming.start()
        await other.fetch(sql["lock"], ["mail"])
        assert len(await other.fetch(sql["claim"], uuid7(), 100, 5, ["mail"])) == 5
        assert await queues.claim(uuid7(), 100) == []  # which sees nobody running as yet
        await claiming.commit()
        assert await queues.claim(uuid7(), 100) == []
        assert (await queues.load("mail", 100)).running == 5
    await other.close()


async def test_slots_are_counted_anew_once_the_queue_is_locked(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        first, second = PostgresQueues(pool), PostgresQueues(pool)
        await pool.execute(_DUE)
        [seen] = await pool.fetch(load("queue")["claim"], uuid7(), 100, 5, None)
        assert seen["queues"] == ["mail"]
        assert len(await first.claim(uuid7(), 100)) == 5
        rows = await second._claim_locked(seen["queues"], (uuid7(), 100, 5))
        assert [row["thread_id"] for row in rows] == [None]
