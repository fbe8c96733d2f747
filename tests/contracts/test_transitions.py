"""Journal.commit, steer and signal: one transition, conditional on epoch and rev, all or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Conflict, Fenced, InvalidRequest, NotFound
from app.domain.records import ExecutionUpdate, StepUpdate
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from tests.builders import Driver, key_for, new_start

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.transition import Transition
    from tests.contracts.conftest import Store


async def test_a_commit_writes_everything_and_moves_the_rev(store: Store) -> None:
    driver = await store.drive()
    move = driver.end_step("analyst", {"score": 1})
    await driver.commit(store.journal, move)
    thread_id = driver.thread.thread_id
    assert await store.reads.thread(thread_id) == driver.thread
    assert (driver.thread.rev, driver.thread.head_version) == (1, 2)
    assert await store.reads.steps(thread_id) == move.steps
    assert (await store.reads.checkpoints(thread_id))[1:] == move.checkpoints


@pytest.mark.parametrize("stale", [{"epoch": 0}, {"rev": 7}])
async def test_a_stale_epoch_or_rev_is_fenced_and_writes_nothing(store: Store, stale: dict[str, int]) -> None:
    driver = await store.drive()
    with pytest.raises(Fenced):
        await store.journal.commit(replace(driver.end_step("analyst", 1), **stale))
    thread_id = driver.thread.thread_id
    assert await store.reads.thread(thread_id) == driver.thread
    assert await store.reads.steps(thread_id) == []
    assert len(await store.reads.events(thread_id, after=0)) == 1
    assert len(await store.reads.checkpoints(thread_id)) == 1


async def test_a_thread_that_does_not_exist_is_fenced(store: Store) -> None:
    with pytest.raises(Fenced):
        await store.journal.commit(Driver(new_start(store.workflow)).end_step("analyst", 1))


async def test_of_two_commits_at_the_same_rev_one_wins(store: Store) -> None:
    driver = await store.drive()
    moves = [driver.event("step_progress"), driver.event("step_progress")]
    outcomes = await asyncio.gather(*(store.journal.commit(move) for move in moves), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Fenced) == 1
    assert len(await store.reads.events(driver.thread.thread_id, after=0)) == 2


async def test_an_open_step_run_is_changed_and_an_ended_one_never(store: Store) -> None:
    driver = await store.drive()
    move = driver.end_step("analyst", None)
    move.steps[0] = run = replace(
        move.steps[0], status=StepStatus.RUNNING, output=None, output_sha256=None, completed_at=None, duration_ms=None
    )
    await driver.commit(store.journal, move)
    ended = StepUpdate(
        id=run.id,
        status=StepStatus.COMPLETED,
        attempt=2,
        retry_count=1,
        output="7",
        session_id="s",
        completed_at=utc_now(),
    )
    await driver.commit(store.journal, driver.move(step_updates=[ended]))
    late = replace(ended, status=StepStatus.FAILED, output='"late"')
    await driver.commit(store.journal, driver.move(step_updates=[late]))
    [now] = await store.reads.steps(driver.thread.thread_id)
    assert (now.status, now.output, now.attempt, now.session_id) == (StepStatus.COMPLETED, "7", 2, "s")


async def test_an_ended_execution_never_changes(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.complete("done"))
    late = ExecutionUpdate(id=driver.thread.execution_id, status=Status.FAILED, error="{}", completed_at=utc_now())
    await driver.commit(store.journal, driver.move(execution_updates=[late]))
    execution = await store.reads.execution(driver.thread.execution_id)
    assert execution is not None
    assert (execution.status, execution.output, execution.error) == (Status.COMPLETED, '"done"', None)


async def test_an_update_leaves_what_it_does_not_name(store: Store) -> None:
    driver = await store.drive()
    started = utc_now()
    first = ExecutionUpdate(id=driver.thread.execution_id, status=Status.RUNNING, started_at=started, context='{"a":1}')
    await driver.commit(store.journal, driver.move(execution_updates=[first]))
    second = ExecutionUpdate(id=first.id, status=Status.PAUSED)
    await driver.commit(store.journal, driver.move(execution_updates=[second]))
    execution = await store.reads.execution(first.id)
    assert execution is not None
    assert (execution.status, execution.started_at, execution.context) == (Status.PAUSED, started, '{"a":1}')


async def test_a_signal_waits_for_the_driver_and_does_not_fence_it(store: Store) -> None:
    driver = await store.drive()
    assert (await store.journal.signal(driver.thread.thread_id, "cancel")).signal == "cancel"
    assert await driver.commit(store.journal, driver.event("step_progress")) == "cancel"
    assert await driver.commit(store.journal, driver.move(clear_signal=True)) is None
    assert await driver.commit(store.journal, driver.move()) is None


async def test_steering_sees_the_thread_and_writes_what_was_decided(store: Store) -> None:
    driver = await store.drive()

    async def decide(thread: ThreadRecord, reads: Reads) -> Transition:
        assert thread == driver.thread
        assert len(await reads.events(thread.thread_id, after=0)) == 1
        return driver.move(new_epoch=2, status=Status.PAUSED)

    thread = await store.journal.steer(driver.thread.thread_id, decide)
    assert (thread.epoch, thread.rev, thread.status) == (2, 1, Status.PAUSED)
    assert await store.reads.thread(thread.thread_id) == thread
    with pytest.raises(Fenced):
        await driver.commit(store.journal, driver.event("step_progress"))


async def test_a_wish_to_cancel_gives_way_to_no_other(store: Store) -> None:
    driver = await store.drive()
    await store.journal.signal(driver.thread.thread_id, "cancel:enough")
    assert (await store.journal.signal(driver.thread.thread_id, "pause")).signal == "cancel:enough"


async def test_who_has_ended_is_wished_nothing(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.complete(1))
    assert (await store.journal.signal(driver.thread.thread_id, "pause")).signal is None


async def test_a_pending_signal_does_not_stop_a_steer(store: Store) -> None:
    driver = await store.drive()
    await store.journal.signal(driver.thread.thread_id, "pause")

    async def decide(thread: ThreadRecord, reads: Reads) -> Transition:
        return driver.move(status=Status.PAUSED)

    assert (await store.journal.steer(driver.thread.thread_id, decide)).signal == "pause"


async def test_a_decision_against_writes_nothing(store: Store) -> None:
    driver = await store.drive()

    async def refuse(thread: ThreadRecord, reads: Reads) -> Transition:
        thread.status = Status.FAILED
        raise InvalidRequest("no")

    async def nothing(thread: ThreadRecord, reads: Reads) -> None:
        return None

    with pytest.raises(InvalidRequest):
        await store.journal.steer(driver.thread.thread_id, refuse)
    assert await store.journal.steer(driver.thread.thread_id, nothing) == driver.thread
    assert await store.reads.thread(driver.thread.thread_id) == driver.thread


async def test_a_commit_during_a_steer_waits_and_is_fenced(store: Store) -> None:
    driver = await store.drive()
    inside, leave = asyncio.Event(), asyncio.Event()

    async def decide(thread: ThreadRecord, reads: Reads) -> Transition:
        inside.set()
        await leave.wait()
        return driver.move(new_epoch=2)

    steer = asyncio.create_task(store.journal.steer(driver.thread.thread_id, decide))
    await inside.wait()
    commit = asyncio.create_task(store.journal.commit(driver.event("step_progress")))
    other = await store.drive()  # the others go on meanwhile
    await other.commit(store.journal, other.event("step_progress"))
    assert not commit.done()
    leave.set()
    assert (await steer).epoch == 2
    with pytest.raises(Fenced):
        await commit


async def test_a_steer_takes_its_key_once(store: Store) -> None:
    driver = await store.drive()
    key = key_for(new_start(store.workflow, thread_id=driver.thread.thread_id))

    async def decide(thread: ThreadRecord, reads: Reads) -> Transition:
        return driver.move()

    driver.thread = await store.journal.steer(driver.thread.thread_id, decide, key)
    kept = replace(key, execution_id=driver.thread.execution_id)  # the execution that the steer leaves
    assert await store.reads.idempotency("default", "once") == kept
    with pytest.raises(Conflict):
        await store.journal.steer(driver.thread.thread_id, decide, key)
    assert await store.reads.thread(driver.thread.thread_id) == driver.thread


async def test_a_refused_steer_gives_its_key_back(store: Store) -> None:
    driver = await store.drive()

    async def refuse(thread: ThreadRecord, reads: Reads) -> Transition:
        raise InvalidRequest("no")

    with pytest.raises(InvalidRequest):
        await store.journal.steer(driver.thread.thread_id, refuse, key_for(new_start(store.workflow)))
    assert await store.reads.idempotency("default", "once") is None


async def test_steer_and_signal_know_only_threads_that_exist(store: Store) -> None:
    async def decide(thread: ThreadRecord, reads: Reads) -> None:
        return None

    with pytest.raises(NotFound) as steered:
        await store.journal.steer("nobody", decide)
    with pytest.raises(NotFound) as signalled:
        await store.journal.signal("nobody", "cancel")
    assert {steered.value.code, signalled.value.code} == {"thread_not_found"}


async def test_the_end_of_a_child_makes_its_waiting_parent_due(store: Store) -> None:
    parent = await store.drive(wake_at=utc_now() + timedelta(hours=1), status=Status.WAITING)
    child = await store.drive(parent_thread_id=parent.thread.thread_id)
    await child.commit(store.journal, replace(child.complete(1), wake_thread_id=parent.thread.thread_id))
    assert await store.journal.next_due() == 0
