"""Reads: what was written comes back, in order, and only what was asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain.ids import uuid7
from app.domain.ports import ExecutionFilter
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from tests.builders import new_start

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord
    from tests.contracts.conftest import Store


async def test_nothing_is_found_under_unknown_ids(store: Store) -> None:
    assert await store.reads.thread("nobody") is None
    assert await store.reads.execution(uuid7()) is None
    assert await store.reads.execution("no-uuid") is None
    assert await store.reads.idempotency("default", "never") is None
    for found in (store.reads.checkpoints("nobody"), store.reads.steps("nobody"), store.reads.children("nobody")):
        assert await found == []
    assert await store.reads.events("nobody", after=0) == []


async def test_children_know_their_parent(store: Store) -> None:
    parent, run_id = await store.drive(), uuid7()
    fields = {"parent_thread_id": parent.thread.thread_id, "parent_run_id": run_id}
    children = [await store.drive(thread_id=name, **fields) for name in ("b", "a")]
    assert await store.reads.children(parent.thread.thread_id) == [child.thread for child in children[::-1]]


async def test_events_carry_results_that_are_stored_elsewhere(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.event("step_progress"))
    await driver.commit(store.journal, driver.end_step("analyst", {"a": "\u0000"}))
    await driver.commit(store.journal, driver.end_step("skipped", None, status=StepStatus.SKIPPED))
    await driver.commit(store.journal, driver.complete([1]))
    events = await store.reads.events(driver.thread.thread_id, after=0)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [event.result for event in events] == [None, None, '{"a":"\\u0000"}', "null", "[1]"]


async def test_events_come_in_pages(store: Store) -> None:
    driver = await store.drive()
    for _ in range(4):
        await driver.commit(store.journal, driver.event("step_progress"))
    page = await store.reads.events(driver.thread.thread_id, after=2, limit=2)
    assert [event.seq for event in page] == [3, 4]
    assert await store.reads.events(driver.thread.thread_id, after=5) == []


async def test_a_reader_cannot_change_what_is_stored(store: Store) -> None:
    driver = await store.drive()
    thread = await store.reads.thread(driver.thread.thread_id)
    [event] = await store.reads.events(driver.thread.thread_id, after=0)
    assert thread is not None
    thread.rev, event.data = 99, '{"changed":true}'
    assert await store.reads.thread(driver.thread.thread_id) == driver.thread
    assert (await store.reads.events(driver.thread.thread_id, after=0))[0].data == "{}"


async def test_steps_are_found_by_execution_by_id_and_without_their_values(store: Store) -> None:
    driver = await store.drive()
    for step_id in ("one", "two", "three"):
        await driver.commit(store.journal, driver.end_step(step_id, step_id))
    thread_id, execution_id = driver.thread.thread_id, driver.thread.execution_id
    steps = await store.reads.steps(thread_id, execution_id=execution_id)
    assert [step.step_id for step in steps] == ["one", "two", "three"]
    assert await store.reads.steps(thread_id, ids=[steps[2].id, steps[0].id, uuid7()]) == [steps[0], steps[2]]
    assert await store.reads.steps(thread_id, execution_id=uuid7()) == []
    assert await store.reads.steps(thread_id, ids=[]) == []
    bare = await store.reads.steps(thread_id, values=False)
    assert bare == [replace(step, input=None, output=None) for step in steps]


async def test_checkpoints_are_read_by_range(store: Store) -> None:
    driver = await store.drive()
    for number in range(5):
        await driver.commit(store.journal, driver.end_step(f"step{number}", number))
    thread_id = driver.thread.thread_id
    assert [c.version for c in await store.reads.checkpoints(thread_id)] == [1, 2, 3, 4, 5, 6]
    assert [c.version for c in await store.reads.checkpoints(thread_id, first=2, last=4)] == [2, 3, 4]
    assert [c.version for c in await store.reads.checkpoints(thread_id, first=3, limit=2)] == [3, 4]


async def test_executions_are_listed_newest_first_without_values(store: Store) -> None:
    made = await _executions(store, 5)
    assert await store.reads.executions(ExecutionFilter()) == made
    first = await store.reads.executions(ExecutionFilter(limit=2))
    rest = await store.reads.executions(ExecutionFilter(before=(first[-1].created_at, first[-1].id)))
    assert first + rest == made
    assert await store.reads.count_executions(ExecutionFilter(before=(made[2].created_at, made[2].id)), 10) == 5
    assert await store.reads.count_executions(ExecutionFilter(), 3) == 3


async def test_executions_are_listed_oldest_first(store: Store) -> None:
    made = (await _executions(store, 5))[::-1]
    assert await store.reads.executions(ExecutionFilter(oldest=True, limit=3)) == made[:3]
    where = ExecutionFilter(status=Status.PENDING, workflow="sewing", oldest=True)
    assert await store.reads.executions(where) == made


async def test_executions_of_one_moment_are_listed_once_each(store: Store) -> None:
    now = utc_now()
    for _ in range(5):
        await store.drive(created_at=now)
    seen: list[str] = []
    for _ in range(3):
        before = (now, seen[-1]) if seen else None
        seen += [execution.id for execution in await store.reads.executions(ExecutionFilter(before=before, limit=2))]
    assert len(seen) == len(set(seen)) == 5


async def test_executions_are_filtered(store: Store) -> None:
    newest, middle, oldest = await _executions(store, 3)
    for where, expected in [
        (ExecutionFilter(thread_id=middle.thread_id), [middle]),
        (ExecutionFilter(since=middle.created_at), [newest, middle]),
        (ExecutionFilter(until=middle.created_at), [oldest]),
        (ExecutionFilter(status=Status.PENDING, workflow="sewing"), [newest, middle, oldest]),
        (ExecutionFilter(status=Status.FAILED), []),
        (ExecutionFilter(workflow="knitting"), []),
        (ExecutionFilter(triggered_by="1@here"), [middle]),
    ]:
        assert await store.reads.executions(where) == expected
        assert await store.reads.count_executions(where, 100) == len(expected)


async def test_health_tells_that_the_store_is_there(store: Store) -> None:
    health = await store.reads.health()
    assert (health.reachable, health.error, health.error_rate) == (True, None, 0.0)
    assert health.durable == (health.kind == "postgres")


async def _executions(store: Store, count: int) -> list[ExecutionRecord]:
    """Newest first, as a list shows them; triggered by 0@here, 1@here and so on from the oldest."""
    began = utc_now()
    made: list[ExecutionRecord] = []
    for number in range(count):
        start = new_start(store.workflow, created_at=began + timedelta(seconds=number))
        start.execution.triggered_by = f"{number}@here"
        await store.journal.start(start)
        made.append(replace(start.execution, input=None, input_sha256=None))
    return made[::-1]
