"""Journal.start: a thread is born once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain import jsontext
from app.domain.ids import uuid7
from app.domain.records import StepRecord, WorkflowRecord
from app.domain.status import StepStatus
from app.domain.times import utc_now
from app.store import flush
from tests.builders import key_for, new_start
from tests.feeds import feed_of

if TYPE_CHECKING:
    from app.domain.transition import Start
    from tests.contracts.conftest import Store


async def test_a_start_writes_thread_execution_version_and_event(store: Store) -> None:
    start = new_start(store.workflow, input_value={"topic": "thread\u0000"})
    assert (await store.journal.start(start)).created
    thread_id = start.thread.thread_id
    assert await store.reads.thread(thread_id) == start.thread
    assert await store.reads.execution(start.execution.id) == start.execution
    assert await store.reads.checkpoints(thread_id) == [start.checkpoint]
    assert await store.reads.events(thread_id, after=0) == [start.event]


def kept(start: Start, step_id: str, output: str) -> StepRecord:
    """A step run that a fork takes over: its execution is another thread's."""
    elsewhere, now = uuid7(), utc_now()
    return StepRecord(
        id=uuid7(),
        thread_id=start.thread.thread_id,
        execution_id=elsewhere,
        key_execution_id=elsewhere,
        step_id=step_id,
        step_index=0,
        status=StepStatus.COMPLETED,
        agent="sewer",
        input='{"given":1}',
        output=output,
        output_sha256=jsontext.sha256(output),
        started_at=now,
        completed_at=now,
        duration_ms=12,
    )


async def test_a_start_writes_the_step_runs_that_it_begins_with(store: Store) -> None:
    start = new_start(store.workflow)
    start.steps = [kept(start, name, f'"{name}\\u0000"') for name in ("a", "b")]
    assert (await store.journal.start(start)).created
    assert await store.reads.steps(start.thread.thread_id) == start.steps
    assert await store.reads.steps(start.thread.thread_id, execution_id=start.execution.id) == []


def test_the_step_runs_of_a_start_count_for_the_size_of_its_batch() -> None:
    now = utc_now()
    start = new_start(WorkflowRecord(id=uuid7(), name="w", version=1, hash="", document="", created_at=now))
    bare = flush.weight(start)
    start.steps = [kept(start, "a", "x" * 1_000)]
    assert flush.weight(start) == bare + 1_000 + len('{"given":1}')


async def test_a_start_that_is_refused_leaves_no_step_runs(store: Store) -> None:
    await store.drive(thread_id="mine")
    start = new_start(store.workflow, thread_id="mine")
    start.steps = [kept(start, "a", "1")]
    assert (await store.journal.start(start)).thread_exists
    assert await store.reads.steps("mine") == []


async def test_an_id_that_exists_is_not_started_again(store: Store) -> None:
    first = await store.drive(thread_id="mine")
    outcome = await store.journal.start(new_start(store.workflow, thread_id="mine"))
    assert (outcome.created, outcome.thread_exists) == (False, True)
    assert await store.reads.thread("mine") == first.thread
    assert len(await store.reads.events("mine", after=0)) == 1


async def test_a_key_starts_one_thread_however_often_it_comes(store: Store) -> None:
    starts = [new_start(store.workflow) for _ in range(5)]
    for start in starts:
        start.idempotency = key_for(start)
    outcomes = await asyncio.gather(*(store.journal.start(start) for start in starts))
    winners = [start for start, outcome in zip(starts, outcomes, strict=True) if outcome.created]
    assert len(winners) == 1
    assert [o.idempotency for o in outcomes if not o.created] == [winners[0].idempotency] * 4
    assert len(await feed_of(store.reads, 1)) == 1


async def test_a_taken_key_tells_the_request_that_owns_it(store: Store) -> None:
    first, second = new_start(store.workflow), new_start(store.workflow)
    first.idempotency, second.idempotency = key_for(first, body="one"), key_for(second, body="two")
    await store.journal.start(first)
    owner = (await store.journal.start(second)).idempotency
    assert owner is not None
    assert owner.request_sha256 == jsontext.sha256("one")
    assert await store.reads.thread(second.thread.thread_id) is None


async def test_a_key_is_not_taken_by_a_start_whose_thread_exists(store: Store) -> None:
    await store.drive(thread_id="mine")
    start = new_start(store.workflow, thread_id="mine")
    start.idempotency = key_for(start)
    assert (await store.journal.start(start)).thread_exists
    assert await store.reads.idempotency("default", "once") is None


async def test_the_key_comes_before_the_thread_id(store: Store) -> None:
    start = new_start(store.workflow, thread_id="mine")
    start.idempotency = key_for(start)
    await store.journal.start(start)
    again = new_start(store.workflow, thread_id="mine")
    again.idempotency = key_for(again)
    assert (await store.journal.start(again)).idempotency == start.idempotency


async def test_many_starts_at_once_are_all_written(store: Store) -> None:
    starts = [new_start(store.workflow) for _ in range(50)]
    outcomes = await asyncio.gather(*(store.journal.start(start) for start in starts))
    assert all(outcome.created for outcome in outcomes)
    assert len(await feed_of(store.reads, 50)) == 50
