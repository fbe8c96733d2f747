"""Deleting on PostgreSQL: no table is forgotten, and nobody who holds a row is waited for."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import Fenced, NotFound
from app.domain.gates import GateKey, Question
from app.domain.ids import uuid7
from app.domain.logs import LogEntry, Place
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.gates import PostgresGates
from app.store.journal import open_journal
from app.store.logs import PostgresLogs
from app.store.queries import load
from app.store.registry import PostgresRegistry
from app.store.retention import PostgresRetention
from tests.builders import Driver, new_start
from tests.contracts.test_retention import _seen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.retention import EndedThread

_OWNED = """
SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE column_name = 'thread_id' AND table_type = 'BASE TABLE' AND table_schema = 'public'
    AND table_name NOT IN ('threads', 'followers')
"""
_INDEXED = """
SELECT DISTINCT c.relname FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE a.attname = 'thread_id'
    AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(thread_id IS NOT NULL)')
"""


def _entry(message: str) -> LogEntry:
    return LogEntry(id=uuid7(), at=utc_now(), level=20, logger="app", message=message, context='{"a":"ü"}')


class Bench:
    """A journal, retention, and a person with psql."""

    def __init__(self, journal: Any, retention: PostgresRetention, psql: Any, workflow: Any, gates: Any) -> None:
        self.journal, self.retention, self.psql, self.workflow = journal, retention, psql, workflow
        self.gates = gates

    async def driver(self, **fields: Any) -> Driver:
        start = new_start(self.workflow, **fields)
        await self.journal.start(start)
        return Driver(start)

    async def ended(self, **fields: Any) -> EndedThread:
        driver = await self.driver(**fields)
        await driver.commit(self.journal, driver.complete(1))
        return _seen(driver)


@pytest.fixture
async def bench(database_url: str) -> AsyncGenerator[Bench]:
    psql = await asyncpg.connect(database_url)
    async with open_pool(database_url) as pool, open_journal(database_url, pool) as journal:
        workflow = await PostgresRegistry(pool).register(name="sewing", document="{}", hash="1")
        yield Bench(journal, PostgresRetention(pool), psql, workflow, PostgresGates(pool, journal.hints))
    await psql.close()


@asynccontextmanager
async def holding(psql: Any, thread_id: str) -> AsyncGenerator[None]:
    async with psql.transaction():
        await psql.execute("SELECT FROM threads WHERE thread_id = $1 FOR UPDATE", thread_id)
        yield


async def test_every_table_that_knows_threads_is_deleted_from_and_finds_their_rows_by_an_index(bench: Bench) -> None:
    owned = {row["table_name"] for row in await bench.psql.fetch(_OWNED)}
    named = set(re.findall(r"DELETE FROM (\w+)", load("retention")["delete"]))
    assert owned - named == set(), "a new table of threads: delete from it too, in retention.sql"
    assert owned - {row["relname"] for row in await bench.psql.fetch(_INDEXED)} == set()


async def test_nothing_is_left_in_any_table(bench: Bench) -> None:
    one = await bench.ended()
    tables = [row["table_name"] for row in await bench.psql.fetch(_OWNED)]
    assert (await bench.retention.delete([one])).threads == [one.thread_id]
    for table in [*tables, "threads"]:
        query = f"SELECT count(*) FROM {table} WHERE thread_id = $1"
        assert await bench.psql.fetchval(query, one.thread_id) == 0, table


async def test_the_log_of_a_deleted_thread_takes_no_room_of_the_others_any_more(
    bench: Bench, database_url: str
) -> None:
    one, other = await bench.ended(), await bench.ended()
    async with open_pool(database_url) as pool:
        for thread_id in (one.thread_id, one.thread_id, other.thread_id):
            place = Place(thread_id=thread_id, execution_id=uuid7())
            await PostgresLogs(pool).add([replace(_entry("ünder way"), place=place), _entry("of nobody")])
    assert (await bench.retention.delete([one])).threads == [one.thread_id]
    told = await bench.psql.fetchrow("SELECT sum(entries)::int, sum(bytes)::int FROM agent_log_minutes")
    sizes = (
        "SELECT count(*), sum(octet_length(message) + coalesce(octet_length(context::text), 0) + 300) FROM agent_logs"
    )
    assert tuple(told) == tuple(await bench.psql.fetchrow(sizes))
    assert told[0] == 4


async def test_a_thread_that_somebody_holds_is_passed_over_at_once_and_others_go(bench: Bench) -> None:
    held, other = await bench.ended(), await bench.ended()
    async with asyncio.timeout(3), holding(bench.psql, held.thread_id):
        assert (await bench.retention.delete([held, other])).threads == [other.thread_id]
    assert (await bench.retention.delete([held])).threads == [held.thread_id]


async def test_a_family_of_which_somebody_holds_one_is_passed_over_as_a_whole(bench: Bench) -> None:
    parent = await bench.ended()
    child = await bench.ended(parent_thread_id=parent.thread_id)
    async with holding(bench.psql, child.thread_id):
        assert (await bench.retention.delete([parent])).threads == []
    assert set((await bench.retention.delete([parent])).threads) == {parent.thread_id, child.thread_id}


async def test_two_that_delete_the_same_threads_side_by_side_delete_each_once(bench: Bench, database_url: str) -> None:
    threads = [await bench.ended() for _ in range(20)]
    async with open_pool(database_url) as pool:
        others = PostgresRetention(pool)
        both = await asyncio.gather(bench.retention.delete(threads), others.delete(threads[::-1]))
    rest = await bench.retention.delete(threads)
    gone = [thread_id for each in (*both, rest) for thread_id in each.threads]
    assert sorted(gone) == sorted(one.thread_id for one in threads)


async def test_a_late_write_does_not_bring_a_deleted_thread_back(bench: Bench) -> None:
    driver = await bench.driver()
    stale = Driver(new_start(bench.workflow))
    await driver.commit(bench.journal, driver.complete(1))
    stale.thread = driver.thread
    late = stale.end_step("late", 1)
    assert (await bench.retention.delete([_seen(driver)])).threads == [driver.thread.thread_id]
    with pytest.raises(Fenced):
        await bench.journal.commit(late)
    for row in await bench.psql.fetch(_OWNED):
        assert await bench.psql.fetchval(f"SELECT count(*) FROM {row['table_name']}") == 0


async def test_a_gate_that_is_opened_late_leaves_no_row_of_a_deleted_thread(bench: Bench) -> None:
    one = await bench.ended()
    await bench.retention.delete([one])
    with pytest.raises(NotFound):
        await bench.gates.open(
            GateKey(thread_id=one.thread_id, key_execution_id=uuid7(), step_id="approve"), uuid7(), Question()
        )
    assert await bench.psql.fetchval("SELECT count(*) FROM gates") == 0


async def test_the_view_of_states_tells_which_versions_are_hidden(bench: Bench) -> None:
    driver = await bench.driver()
    move = driver.end_step("a", 1)
    move.checkpoints[0].hidden = True
    await driver.commit(bench.journal, move)
    rows = await bench.psql.fetch("SELECT version, hidden FROM workflow_states ORDER BY version")
    assert [tuple(row) for row in rows] == [(1, False), (2, True)]
