"""The journal on PostgreSQL: group commit, and what becomes of a batch when a row, an item or the connection is at fault."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import Fenced, Unavailable
from app.store.db import open_pool
from app.store.journal import PostgresJournal, open_journal
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.writer import Refused
from tests.builders import Driver, key_for, new_start
from tests.store.lossy import lossy_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.records import WorkflowRecord


@dataclass
class Books:
    """A journal with what reads it back."""

    journal: PostgresJournal
    reads: PostgresReads
    pool: Any
    workflow: WorkflowRecord

    async def drive(self, **thread: Any) -> Driver:
        start = new_start(self.workflow, **thread)
        assert (await self.journal.start(start)).created
        return Driver(start)

    async def names(self, driver: Driver) -> list[str]:
        return [event.name for event in await self.reads.events(driver.thread.thread_id, after=0)]


@asynccontextmanager
async def open_books(dsn: str, journal_dsn: str | None = None, **options: Any) -> AsyncGenerator[Books]:
    async with open_pool(dsn) as pool, open_journal(journal_dsn or dsn, pool, **options) as journal:
        workflow = await PostgresRegistry(pool).register(name="sewing", document='{"name":"sewing"}', hash="1")
        async with asyncio.timeout(30):
            await journal.hints.up.wait()  # what a test does to connections is meant for the writer's
        yield Books(journal, PostgresReads(pool), pool, workflow)


@pytest.fixture
async def books(database_url: str) -> AsyncGenerator[Books]:
    """A journal on a database of its own."""
    async with open_books(database_url) as opened:
        yield opened


async def test_what_arrives_during_a_flush_goes_out_together(books: Books) -> None:
    drivers = [await books.drive() for _ in range(15)]
    [writer] = books.journal.writers
    before = writer.stats.batches
    await asyncio.gather(*(driver.commit(books.journal, driver.event("step_progress")) for driver in drivers))
    assert writer.stats.batches - before <= 2
    assert writer.stats.largest >= 14


async def test_one_half_of_many_is_flushed_while_the_other_is_driven(books: Books) -> None:
    drivers = [await books.drive() for _ in range(60)]
    [writer] = books.journal.writers
    for _ in range(3):
        await asyncio.gather(*(driver.commit(books.journal, driver.event("step_progress")) for driver in drivers))
    assert writer.stats.largest == 30


async def test_a_batch_has_one_item_of_a_thread_and_keeps_their_order(books: Books) -> None:
    driver = await books.drive()
    moves = [driver.event("step_progress")]
    for _ in range(4):
        moves[-1].apply_to(driver.thread)
        moves.append(driver.event("step_progress"))
    await asyncio.gather(*(books.journal.commit(move) for move in moves))
    assert [event.seq for event in await books.reads.events(driver.thread.thread_id, after=0)] == [1, 2, 3, 4, 5, 6]


async def test_a_batch_is_bounded(database_url: str) -> None:
    async with open_books(database_url, batch=3) as books:
        await asyncio.gather(*(books.drive() for _ in range(10)))
        assert books.journal.writers[0].stats.largest == 3


async def test_a_fenced_item_fails_alone(books: Books) -> None:
    drivers = [await books.drive() for _ in range(5)]
    moves = [driver.event("step_progress") for driver in drivers]
    moves[2] = replace(moves[2], epoch=9)
    outcomes = await asyncio.gather(*(books.journal.commit(move) for move in moves), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Fenced, type(None), type(None)]
    assert [len(await books.names(driver)) for driver in drivers] == [2, 2, 1, 2, 2]


@pytest.mark.parametrize("fault", [{"head_version": 2**40}, {"at": None}, {"wake_at": "tomorrow"}])
async def test_a_faulty_item_fails_alone(books: Books, fault: dict[str, Any]) -> None:
    drivers = [await books.drive() for _ in range(7)]
    moves = [driver.event("step_progress") for driver in drivers]
    moves[4] = replace(moves[4], **fault)
    outcomes = await asyncio.gather(*(books.journal.commit(move) for move in moves), return_exceptions=True)
    assert [isinstance(outcome, Refused) for outcome in outcomes] == [place == 4 for place in range(7)]
    assert [len(await books.names(driver)) for driver in drivers] == [2 if place != 4 else 1 for place in range(7)]


async def test_a_row_that_somebody_holds_is_passed_over_and_written_later(books: Books) -> None:
    held, free = await books.drive(), await books.drive()
    async with books.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM threads WHERE thread_id = $1 FOR UPDATE", held.thread.thread_id)
        late = asyncio.get_running_loop().create_task(books.journal.commit(held.event("step_progress")))
        await free.commit(books.journal, free.event("step_progress"))
        assert not late.done()
    await late
    assert await books.names(held) == await books.names(free)


async def test_a_terminated_connection_loses_nothing_and_writes_nothing_twice(books: Books) -> None:
    drivers = [await books.drive() for _ in range(10)]
    for _ in range(5):
        commits = asyncio.gather(*(driver.commit(books.journal, driver.event("step_progress")) for driver in drivers))
        await books.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'backstitch-journal' AND datname = current_database()"
        )
        await commits
    for driver in drivers:
        assert [e.seq for e in await books.reads.events(driver.thread.thread_id, after=0)] == list(range(1, 7))


async def test_a_commit_whose_answer_is_lost_counts_once(database_url: str) -> None:
    async with lossy_proxy(database_url) as (proxy, through), open_books(database_url, through) as books:
        drivers = [await books.drive() for _ in range(3)]
        proxy.drop_answers = True
        await asyncio.gather(*(driver.commit(books.journal, driver.event("step_progress")) for driver in drivers))
        assert proxy.dropped.is_set()
        assert [await books.names(driver) for driver in drivers] == [["workflow_start", "step_progress"]] * 3
        assert books.journal.writers[0].stats.reconnects == 1


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_start_whose_answer_is_lost_counts_once(database_url: str, keyed: bool) -> None:
    async with lossy_proxy(database_url) as (proxy, through), open_books(database_url, through) as books:
        await books.drive()
        start = new_start(books.workflow)
        start.idempotency = key_for(start) if keyed else None
        proxy.drop_answers = True
        assert (await books.journal.start(start)).created
        assert await books.reads.thread(start.thread.thread_id) == start.thread
        assert (await books.reads.idempotency("default", "once") is not None) is keyed


async def test_a_start_that_was_written_before_is_found_to_be_ours(books: Books) -> None:
    start = new_start(books.workflow)
    start.idempotency = key_for(start)
    assert (await books.journal.start(start)).created
    assert (await books.journal.start(start)).created
    assert await books.reads.idempotency("default", "once") == start.idempotency


async def test_a_lost_answer_of_a_thread_that_somebody_took_since_is_fenced(database_url: str) -> None:
    async with lossy_proxy(database_url) as (proxy, through), open_books(database_url, through) as books:
        driver = await books.drive()
        connect = books.journal.writers[0]._connect

        async def taken_meanwhile() -> Any:
            await books.pool.execute("UPDATE threads SET epoch = epoch + 1")
            return await connect()

        books.journal.writers[0]._connect = taken_meanwhile
        proxy.drop_answers = True
        with pytest.raises(Fenced):
            await books.journal.commit(driver.event("step_progress"))


async def test_what_was_submitted_is_written_before_the_journal_closes(database_url: str) -> None:
    async with open_books(database_url) as books:
        driver = await books.drive()
        commit = books.journal.writers[0].submit(driver.event("step_progress"))
    await commit
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM workflow_events") == 2
    finally:
        await connection.close()


async def test_closing_while_the_database_is_away_tells_everybody_who_waits(database_url: str) -> None:
    waiting: list[asyncio.Future[Any]] = []
    async with open_books(database_url) as books:
        drivers = [await books.drive() for _ in range(3)]
        [writer] = books.journal.writers

        async def away() -> Any:
            raise ConnectionRefusedError("away")

        writer._connect = away
        await writer.drop_connection()
        waiting = [writer.submit(driver.event("step_progress")) for driver in drivers]
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3


async def test_two_lanes_write_side_by_side(database_url: str) -> None:
    async with open_books(database_url, lanes=2) as books:
        drivers = await asyncio.gather(*(books.drive() for _ in range(20)))
        await asyncio.gather(*(driver.commit(books.journal, driver.event("step_progress")) for driver in drivers))
        assert all(writer.stats.items > 0 for writer in books.journal.writers)
        assert {len(await books.names(driver)) for driver in drivers} == {2}
