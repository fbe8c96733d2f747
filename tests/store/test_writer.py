"""The group commit in trouble: answers and connections that are lost, rows that others hold, items that were given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import Fenced
from app.domain.records import ExecutionUpdate, StepUpdate
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.store import db
from app.store.gathering import Gathering, Item
from tests.builders import Driver, key_for, new_start
from tests.store.lossy import lossy_proxy
from tests.store.test_journal import Books, open_books

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.transition import Transition

ALL_ROWS = """
SELECT (SELECT json_agg(e ORDER BY id) FROM workflow_executions e)::text,
    (SELECT json_agg(s ORDER BY id) FROM workflow_steps s)::text,
    (SELECT json_agg(c ORDER BY version) FROM checkpoints c)::text,
    (SELECT json_agg(v ORDER BY seq) FROM workflow_events v)::text
"""
KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'backstitch-journal' AND datname = current_database()
"""


@pytest.fixture
async def books(database_url: str) -> AsyncGenerator[Books]:
    """A journal on a database of its own."""
    async with open_books(database_url) as opened:
        yield opened


async def blocked(pool: Any, count: int = 1) -> None:
    """Wait until so many sessions of this database wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(4):
        while await pool.fetchval(query) < count:  # noqa: ASYNC110 - PostgreSQL offers no event
            await asyncio.sleep(0.005)


async def gone(pool: Any) -> None:
    """Wait until the journal has no session."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"
    async with asyncio.timeout(4):
        while await pool.fetchval(query, "backstitch-journal"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


async def running_step(books: Books) -> tuple[Driver, str]:
    """A thread with a step that runs."""
    driver = await books.drive()
    begun = driver.end_step("analyst", None)
    begun.steps[0] = replace(begun.steps[0], status=StepStatus.RUNNING, output=None, completed_at=None)
    await driver.commit(books.journal, begun)
    return driver, begun.steps[0].id


async def test_a_fenced_move_writes_no_row_of_any_table(books: Books) -> None:
    driver, run_id = await running_step(books)
    thread = driver.thread
    now = utc_now()
    started = new_start(books.workflow, thread_id=thread.thread_id)
    move = replace(
        driver.end_step("late", 1),
        epoch=0,
        executions=[started.execution],
        execution_updates=[ExecutionUpdate(id=thread.execution_id, status=Status.FAILED, completed_at=now)],
        step_updates=[
            StepUpdate(id=run_id, status=StepStatus.COMPLETED, attempt=1, retry_count=0, output="1", completed_at=now)
        ],
    )
    before = tuple(await books.pool.fetchrow(ALL_ROWS))
    with pytest.raises(Fenced):
        await books.journal.commit(move)
    assert tuple(await books.pool.fetchrow(ALL_ROWS)) == before


async def test_a_fenced_child_wakes_no_parent(books: Books) -> None:
    later = utc_now() + timedelta(hours=1)
    parent = await books.drive(wake_at=later, status=Status.WAITING)
    child = await books.drive(parent_thread_id=parent.thread.thread_id)
    with pytest.raises(Fenced):
        await books.journal.commit(replace(child.complete(1), epoch=0, wake_thread_id=parent.thread.thread_id))
    assert (await books.journal.next_due() or 0) > 3000


async def test_a_steering_that_decides_on_another_row_is_fenced(books: Books) -> None:
    driver = await books.drive()

    async def decide(thread: ThreadRecord, reads: Reads) -> Transition:
        return replace(driver.event("step_progress"), rev=7)

    with pytest.raises(Fenced):
        await books.journal.steer(driver.thread.thread_id, decide)
    assert await books.names(driver) == ["workflow_start"]


async def test_a_key_taken_while_another_start_takes_the_id_is_given_back(books: Books) -> None:
    other, start = new_start(books.workflow), new_start(books.workflow, thread_id="contested")
    start.idempotency = key_for(start)
    async with books.pool.acquire() as connection:
        taking = connection.transaction()
        await taking.start()
        await connection.execute(
            "INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version,"
            " last_seq, created_at, updated_at) VALUES ('contested', $1, $2, 'pending', 1, 0, 1, 1, 1, now(), now())",
            books.workflow.id,
            other.execution.id,
        )
        late = asyncio.get_running_loop().create_task(books.journal.start(start))
        await blocked(books.pool)
        await taking.commit()
    outcome = await late
    assert (outcome.created, outcome.thread_exists) == (False, True)
    assert await books.reads.idempotency("default", "once") is None


async def test_a_lost_statement_that_still_runs_is_waited_for(database_url: str) -> None:
    async with lossy_proxy(database_url) as (proxy, through), open_books(database_url, through) as books:
        driver = await books.drive()
        move = driver.event("step_progress")
        async with books.pool.acquire() as other:
            holding = other.transaction()
            await holding.start()
            await other.execute(
                "INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)"
                " VALUES ($1, 2, $2, 'held', 1, now(), '{}', 1)",
                driver.thread.thread_id,
                driver.thread.execution_id,
            )
            commit = asyncio.get_running_loop().create_task(books.journal.commit(move))
            await blocked(books.pool)
            proxy.reset()
            await asyncio.wait([commit], timeout=0.5)  # the look at its outcome has begun, and must not end yet
            await holding.rollback()
        assert await commit is None
        assert await books.names(driver) == ["workflow_start", "step_progress"]


@pytest.mark.parametrize("what", ["commit", "start"])
async def test_what_never_reached_the_database_is_sent_again(database_url: str, what: str) -> None:
    async with lossy_proxy(database_url) as (proxy, through), open_books(database_url, through) as books:
        driver, start = await books.drive(), new_start(books.workflow)
        proxy.stall()
        write = books.journal.commit(driver.event("step_progress")) if what == "commit" else books.journal.start(start)
        writing = asyncio.get_running_loop().create_task(write)
        await asyncio.sleep(0.05)  # sent, and held up on its way
        await books.pool.execute(KILL)
        await gone(books.pool)
        proxy.flow()
        await writing
        written = driver if what == "commit" else Driver(start)
        assert (await books.names(written))[-1] == ("step_progress" if what == "commit" else "workflow_start")


async def test_a_database_that_is_away_for_a_while_is_waited_for(books: Books) -> None:
    driver = await books.drive()
    [writer] = books.journal.writers
    connect, refused = writer._connect, [ConnectionRefusedError("away"), asyncpg.CannotConnectNowError("starting")]

    async def at_first_not() -> Any:
        if refused:
            raise refused.pop()
        return await connect()

    writer._connect = at_first_not
    await writer.drop_connection()
    async with asyncio.timeout(5):
        await driver.commit(books.journal, driver.event("step_progress"))
    assert await books.names(driver) == ["workflow_start", "step_progress"]


async def test_commits_wait_for_the_disk_whatever_the_database_is_told(database_url: str) -> None:
    admin = await asyncpg.connect(database_url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await admin.close()
    async with open_books(database_url) as books:
        connection = books.journal.writers[0]._connection
        assert connection is not None
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert await books.pool.fetchval("SHOW synchronous_commit") == "on"


async def test_a_start_that_was_given_up_is_not_written_later(books: Books) -> None:
    given_up, other = new_start(books.workflow), new_start(books.workflow)
    loop = asyncio.get_running_loop()
    gathering = Gathering()
    items = [Item(given_up, loop.create_future()), Item(other, loop.create_future())]
    for item in items:
        gathering.add(item)
    items[0].done.cancel()
    assert gathering.take() == [items[1]]


def test_what_a_cut_connection_raises_is_a_lost_answer() -> None:
    raised = asyncpg.InternalClientError("got result for unknown protocol state 3")
    assert isinstance(raised, db.LOST)
