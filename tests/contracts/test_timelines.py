"""Timelines: the executions, step runs, events and items of one thread, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.records import ItemRecord
from app.domain.status import StepStatus
from app.domain.timeline import TimelineFilter
from app.domain.times import utc_now

if TYPE_CHECKING:
    from tests.contracts.conftest import Store


async def test_the_runs_come_by_their_beginnings_with_their_events(store: Store) -> None:
    driver, other = await store.drive(thread_id="t"), await store.drive(thread_id="u")
    for name in ("c", "a", "b"):
        await driver.commit(store.journal, driver.end_step(name, {"n": 1}))
    await driver.commit(store.journal, driver.event("step_progress"))
    await other.commit(store.journal, other.end_step("z", 1))
    page = await store.timelines.page(TimelineFilter(thread_id="t"))
    assert [run.step_id for run in page.runs] == ["c", "a", "b"]
    assert [(event.name, event.step_id) for event in page.events] == [
        ("workflow_start", None),
        ("step_complete", "c"),
        ("step_complete", "a"),
        ("step_complete", "b"),
    ]
    assert [one.id for one in page.executions] == [driver.thread.execution_id]
    assert (page.more, page.whole) == (False, True)


async def test_pages_and_executions_are_kept_apart(store: Store) -> None:
    driver = await store.drive(thread_id="t")
    for name in ("a", "b", "c"):
        await driver.commit(store.journal, driver.end_step(name, 1))
    first = await store.timelines.page(TimelineFilter(thread_id="t", limit=2))
    rest = await store.timelines.page(TimelineFilter(thread_id="t", limit=2, after=first.runs[-1].id))
    assert ([run.step_id for run in first.runs], first.more) == (["a", "b"], True)
    assert ([run.step_id for run in rest.runs], rest.more) == (["c"], False)
    assert [event.step_id for event in rest.events] == [None, "c"]
    own = await store.timelines.page(TimelineFilter(thread_id="t", execution_id=driver.thread.execution_id))
    assert len(own.runs) == 3
    for nobody in ("0199c5e0-0000-7000-8000-000000000000", "none"):
        assert list((await store.timelines.page(TimelineFilter(thread_id="t", execution_id=nobody))).runs) == []


async def test_the_first_items_of_each_step_come_along(store: Store) -> None:
    driver = await store.drive(thread_id="t")
    move = driver.end_step("a", [1, 2, 3])
    for place in range(3):
        move.items.append(
            ItemRecord(
                key_execution_id=driver.thread.execution_id,
                step_id="a",
                item=place,
                status=StepStatus.COMPLETED,
                output="1",
                started_at=utc_now(),
            )
        )
    await driver.commit(store.journal, move)
    page = await store.timelines.page(TimelineFilter(thread_id="t", items=2))
    assert [(item.item, item.output) for item in page.items] == [(0, None), (1, None)]
    assert list((await store.timelines.page(TimelineFilter(thread_id="t"))).items) == []
