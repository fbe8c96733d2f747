"""Retention at work on an engine in memory: what a run deletes, in one process at a time, and what it never touches."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import ForkCommand, Variant
from app.domain.errors import Conflict, NotFound, Unavailable
from app.domain.retention import RetentionPolicy, WorkflowRetention
from app.engine import sweep
from app.engine.retention import LEASE, Asked, Retention
from app.store.memory_agents import AgentTables
from app.store.memory_reads import MemoryReads
from app.store.memory_retention import MemoryRetention
from tests.unit.engine.house import Gate, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.retention import RetentionRun
    from tests.unit.engine.house import House

DAY = 86_400.0


class Desk:
    """Retention of a house, with a policy that the test may change."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.policy = RetentionPolicy(days=30)
        self.gone: list[str] = []
        self.store = MemoryRetention(house.tables, AgentTables(clock=house.clock))
        self.retention = self.another()

    def another(self) -> Retention:
        """As another process has it."""
        retention = Retention(
            self.store, self.house.reads, usual=lambda: self.policy, agent_days=lambda: 90, every=lambda: 3600
        )

        async def told(gone: Any) -> None:
            self.gone += gone

        retention.told = told
        return retention

    async def run(self, asked: Asked | None = None) -> RetentionRun:
        """One by hand, to its end."""
        run = await self.retention.begin(asked or Asked())
        async with working(self.retention):
            await self.house.until(lambda: run.ended_at)
        return (await self.store.runs(1))[0]


@asynccontextmanager
async def working(retention: Retention) -> AsyncGenerator[None]:
    task = asyncio.create_task(retention.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


async def test_a_run_deletes_what_ended_long_ago_and_tells_who_follows_it(desk: Desk, monkeypatch: Any) -> None:
    old = await desk.house.run(step("a"))
    monkeypatch.setattr("app.engine.retention.utc_now", desk.house.clock)
    desk.house.clock.advance(31 * DAY)
    new = await desk.house.run(step("a"))
    run = await desk.run(Asked(by="me"))
    assert (run.threads, run.reasons, run.workflows, run.error) == (1, {"age": 1}, {"sewing": 1}, None)
    assert run.asked == {"dry_run": False, "by": "me"}
    assert desk.gone == [old]
    assert set(desk.house.tables.threads) == {new}


async def test_what_waits_is_paused_or_runs_is_never_deleted(desk: Desk) -> None:
    house, gate = desk.house, Gate()
    house.on("held", gate)
    running = (await house.start(step("a", python="held"))).thread.thread_id
    waiting = (await house.start(step("a", gate={}))).thread.thread_id
    paused = (await house.start(step("a", sleep="1h"))).thread.thread_id
    await house.until_status(paused, "waiting")
    await house.control.pause(paused)
    await house.until_status(waiting, "waiting")
    assert (await desk.run(Asked(max_per_workflow=0))).threads == 0
    for thread_id in (running, waiting, paused):
        with pytest.raises(Conflict) as caught:
            await desk.retention.delete(thread_id)
        assert caught.value.code == "thread_running"
    assert set(house.tables.threads) == {running, waiting, paused}
    gate.open()


async def test_only_one_process_runs_it_at_a_time(desk: Desk) -> None:
    await desk.retention.begin(Asked())
    for each in (desk.retention, desk.another()):
        with pytest.raises(Conflict) as caught:
            await each.begin(Asked())
        assert caught.value.code == "retention_running"


async def test_of_two_runs_that_one_process_is_asked_for_at_once_one_begins(desk: Desk, monkeypatch: Any) -> None:
    async def take(*_: Any, **__: Any) -> bool:
        await asyncio.sleep(0)  # as a database does
        return True

    monkeypatch.setattr(desk.store, "take", take)
    begin = desk.retention.begin
    both: Any = await asyncio.gather(begin(Asked()), begin(Asked()), return_exceptions=True)
    assert [isinstance(each, Conflict) for each in both] == [False, True]
    async with working(desk.retention):
        await desk.house.until(lambda: both[0].ended_at)
    assert len(await desk.store.runs(10)) == 1


async def test_a_run_by_hand_that_could_not_begin_leaves_room_for_the_next(desk: Desk, monkeypatch: Any) -> None:
    async def away(*_: Any) -> None:
        raise Unavailable("no database")

    with monkeypatch.context() as patched:
        patched.setattr(desk.store, "note", away)
        with pytest.raises(Unavailable):
            await desk.retention.begin(Asked())
    assert (await desk.run()).error is None


async def test_pages_without_anything_to_delete_renew_the_lease_too(desk: Desk, monkeypatch: Any) -> None:
    for _ in range(3):
        await desk.house.run(step("a"))
    monkeypatch.setattr("app.engine.retention.LEASE", -1.0)
    monkeypatch.setattr(sweep, "PAGE", 1)
    taken: list[str] = []

    async def take(owner: str, seconds: float, **_: Any) -> bool:
        taken.append(owner)
        return True

    monkeypatch.setattr(desk.store, "take", take)
    run = await desk.run(Asked(max_per_workflow=100))
    assert (run.scanned, run.threads) == (3, 0)
    assert len(taken) >= 4


async def test_who_has_lost_the_lease_stops_before_it_deletes(desk: Desk, monkeypatch: Any) -> None:
    await desk.house.run(step("a"))
    monkeypatch.setattr("app.engine.retention.LEASE", 0.0)
    run = await desk.retention.begin(Asked(max_per_workflow=0))
    desk.house.clock.advance(LEASE)
    assert await desk.store.take("another", 3600)
    async with working(desk.retention):
        await desk.house.until(lambda: run.ended_at)
    assert run.error == "broke off: another process goes on with the retention"
    assert len(desk.house.tables.threads) == 1


async def test_it_runs_by_itself_when_it_is_due(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr("app.engine.retention.POLL", 0.001)
    await desk.house.run(step("a"))
    desk.policy = RetentionPolicy(max_per_workflow=0)
    async with working(desk.retention):
        await desk.house.until(lambda: not desk.house.tables.threads)
        await desk.house.until(lambda: desk.store._owner is None)
        await desk.house.run(step("a"))
        desk.house.clock.advance(3601)
        await desk.house.until(lambda: not desk.house.tables.threads)
    assert [run.threads for run in await desk.store.runs(10)] == [1, 1]


async def test_a_number_for_one_run_goes_before_all_others_but_for_what_is_kept(desk: Desk) -> None:
    for name in ("kept", "told", "other"):
        await desk.house.run(step("a"), doc_name=name)
    await desk.store.set_policy(WorkflowRetention(workflow="kept", keep=True))
    await desk.store.set_policy(WorkflowRetention(workflow="told", max_threads=100))
    run = await desk.retention.preview(Asked(max_per_workflow=0))
    assert run.workflows == {"told": 1, "other": 1}


async def test_it_rests_in_proportion_to_the_time_that_a_batch_took(desk: Desk, monkeypatch: Any) -> None:
    for _ in range(3):
        await desk.house.run(step("a"))
    rests: list[float] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        rests.append(round(seconds, 3))

    async def delete(threads: Any) -> Any:
        now[0] += 2.0
        return await MemoryRetention.delete(desk.store, threads)

    monkeypatch.setattr(sweep, "_FIRST", 2)
    monkeypatch.setattr(sweep, "monotonic", lambda: now[0])
    monkeypatch.setattr(sweep.asyncio, "sleep", sleep)
    monkeypatch.setattr(desk.store, "delete", delete)
    run = await desk.retention.begin(Asked(max_per_workflow=0))
    policy = await desk.retention._policy(Asked(max_per_workflow=0))
    await sweep.Sweep(desk.store, policy, run, hold=_nothing, told=_nothing).delete()
    assert rests == [0.002, 8.0, 8.0], "the second batch is smaller, for the first one was slow"


async def test_batches_are_as_large_as_the_rows_of_their_threads_allow(desk: Desk, monkeypatch: Any) -> None:
    for _ in range(6):
        await desk.house.run(step("a"))
    sizes: list[int] = []

    async def delete(threads: Any) -> Any:
        sizes.append(len(threads))
        return await MemoryRetention.delete(desk.store, threads)

    monkeypatch.setattr(sweep, "_FIRST", 1)
    monkeypatch.setattr(sweep, "_ROWS", 35)
    monkeypatch.setattr(desk.store, "delete", delete)
    await desk.run(Asked(max_per_workflow=0))
    assert sizes == [1, 3, 2]


async def _nothing(*_: Any) -> None:
    pass


async def test_a_thread_that_nobody_knows_cannot_be_deleted(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.retention.delete("nobody")


async def test_a_thread_of_whose_sub_workflows_one_waits_cannot_be_deleted(desk: Desk) -> None:
    house = desk.house
    thread_id = await house.run(step("a"))
    child = (await house.start(step("a", gate={}))).thread.thread_id
    await house.until_status(child, "waiting")
    house.tables.threads[child].parent_thread_id = thread_id
    with pytest.raises(Conflict, match=f"thread {child} is waiting") as caught:
        await desk.retention.delete(thread_id)
    assert caught.value.code == "thread_running"


async def test_deleting_a_family_does_not_read_it_member_by_member(desk: Desk, monkeypatch: Any) -> None:
    thread_id = await desk.house.run(step("a"))
    monkeypatch.delattr(type(desk.house.reads), "children")
    assert (await desk.retention.delete(thread_id)).threads == [thread_id]


async def test_a_thread_whose_row_is_held_is_tried_again_and_then_given_up(desk: Desk, monkeypatch: Any) -> None:
    thread_id = await desk.house.run(step("a"))
    monkeypatch.setattr("app.engine.retention._TRIES", 2)
    async with desk.house.tables.locks.setdefault(thread_id, asyncio.Lock()):
        with pytest.raises(Unavailable):
            await desk.retention.delete(thread_id)
    assert (await desk.retention.delete(thread_id)).threads == [thread_id]


async def test_a_start_that_names_a_thread_which_is_just_being_deleted_begins_a_new_one(desk: Desk) -> None:
    house = desk.house
    thread_id = await house.run(step("a"), thread_id="mine")
    steer = house.journal.steer

    async def late(*arguments: Any) -> Any:
        del house.journal.instead["steer"]
        house.tables.forget({thread_id})
        return await steer(*arguments)

    house.journal.instead["steer"] = late
    accepted = await house.start(step("a"), thread_id="mine", input=1)
    assert accepted.created
    assert len(await house.versions(await house.end("mine"))) == 3


async def test_a_fork_of_a_thread_which_is_just_being_deleted_finds_none_and_calls_it_not_damaged(
    desk: Desk, monkeypatch: Any
) -> None:
    thread_id = await desk.house.run(step("a"))
    reads = MemoryReads.steps

    async def late(store: MemoryReads, *arguments: Any, **more: Any) -> Any:
        desk.house.tables.forget({thread_id} & desk.house.tables.threads.keys())
        return await reads(store, *arguments, **more)

    monkeypatch.setattr(MemoryReads, "steps", late)
    with pytest.raises(NotFound) as caught:
        await desk.house.control.fork(ForkCommand(thread_id=thread_id, version=2, variants=[Variant(name="a")]))
    assert caught.value.code == "thread_not_found"


async def test_a_thread_that_is_resumed_after_it_was_seen_is_left_alone(desk: Desk) -> None:
    house = desk.house
    thread_id = await house.run(step("a"))
    [seen] = (await desk.store.scan(None, 10)).ended
    await house.rollback(thread_id, 1)
    await house.end(thread_id)
    assert (await desk.store.delete([seen])).threads == []
    assert (await house.thread(thread_id)).status == "completed"
