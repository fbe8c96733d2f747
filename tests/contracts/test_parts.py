"""Items and notes: written with a transition or not at all, found by their key, and never lost to a later write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.errors import Fenced
from app.domain.items import ItemFilter
from app.domain.notes import Notes
from app.domain.records import ItemRecord, PartMarks, StepUpdate, Usage
from app.domain.status import StepStatus
from app.domain.times import utc_now

if TYPE_CHECKING:
    from tests.builders import Driver
    from tests.contracts.conftest import Store


def item(driver: Driver, place: int, output: Any = None, **fields: Any) -> ItemRecord:
    """A completed item of the step `m`, unless fields say otherwise."""
    text = jsontext.dumps(output)
    return ItemRecord(
        **{
            "key_execution_id": driver.thread.execution_id,
            "step_id": "m",
            "item": place,
            "status": StepStatus.COMPLETED,
            "output": text,
            "output_sha256": jsontext.sha256(text),
            "started_at": utc_now(),
            "completed_at": utc_now(),
        }
        | fields
    )


def waiting(driver: Driver, place: int) -> ItemRecord:
    return item(driver, place, status=StepStatus.WAITING, output=None, output_sha256=None, completed_at=None, attempt=3)


async def write(store: Store, driver: Driver, *items: ItemRecord) -> None:
    await driver.commit(store.journal, replace(driver.move(), items=list(items)))


async def found(store: Store, driver: Driver, **options: Any) -> list[ItemRecord]:
    return await store.reads.items(driver.thread.thread_id, (driver.thread.execution_id, "m"), **options)


async def test_items_come_back_in_the_order_of_their_places(store: Store) -> None:
    driver = await store.drive()
    items = [item(driver, place, {"n": place}) for place in (2, 0, 1)]
    await write(store, driver, *items)
    assert await found(store, driver) == sorted(items, key=lambda one: one.item)
    assert [one.item for one in await found(store, driver, first=1, limit=1)] == [1]


async def test_how_far_a_step_is_is_told_by_places_and_only_what_is_open_is_read(store: Store) -> None:
    driver = await store.drive()
    failed = item(driver, 4, status=StepStatus.FAILED, output=None, output_sha256=None)
    elsewhere = item(driver, 6, step_id="n")
    await write(
        store, driver, item(driver, 3), item(driver, 1), failed, waiting(driver, 5), waiting(driver, 0), elsewhere
    )
    key = (driver.thread.execution_id, "m")
    marks = await store.reads.part_marks(driver.thread.thread_id, key)
    assert (marks.completed, marks.failed, [one.item for one in marks.open]) == ([1, 3], [4], [0, 5])
    assert marks.open[0] == (await found(store, driver))[0]
    assert await store.reads.part_marks(driver.thread.thread_id, (key[0], "o")) == PartMarks()


async def test_a_fenced_transition_writes_no_items_and_no_notes(store: Store) -> None:
    driver = await store.drive()
    key = (driver.thread.execution_id, "m", -1)
    note = Notes().add(key, "a", "1", utc_now())
    with pytest.raises(Fenced):
        await store.journal.commit(replace(driver.move(rev=7), items=[item(driver, 0)], notes=[note]))
    assert await found(store, driver) == []
    assert await store.reads.notes(driver.thread.thread_id, key[:2], -1) == []


async def test_an_item_that_waits_is_written_over_and_keeps_its_session(store: Store) -> None:
    driver = await store.drive()
    await write(store, driver, replace(waiting(driver, 0), session_id="s-1"))
    await write(store, driver, item(driver, 0, "done"))
    [one] = await found(store, driver)
    assert (one.status, one.output, one.session_id) == ("completed", '"done"', "s-1")


async def test_an_item_that_completed_is_not_written_over(store: Store) -> None:
    driver = await store.drive()
    await write(store, driver, item(driver, 0, "first"))
    await write(store, driver, item(driver, 0, "second"))
    await write(store, driver, waiting(driver, 0))
    assert [one.output for one in await found(store, driver)] == ['"first"']


async def test_a_damaged_item_is_written_over(store: Store) -> None:
    driver = await store.drive()
    await write(store, driver, item(driver, 0, "first", output_sha256=b"x" * 32))
    await write(store, driver, item(driver, 0, "second"))
    assert [one.output for one in await found(store, driver)] == ['"second"']


async def test_notes_come_back_in_their_order_by_key_and_item(store: Store) -> None:
    driver = await store.drive()
    thread_id, key = driver.thread.thread_id, (driver.thread.execution_id, "m")
    mine, other = Notes(), Notes()
    notes = [mine.add((*key, -1), name, '{"x": 1}', utc_now()) for name in ("b", "a")]
    await driver.commit(
        store.journal, replace(driver.move(), notes=[*notes, other.add((*key, 4), "b", "2", utc_now())])
    )
    assert await store.reads.notes(thread_id, key, -1) == notes
    assert Notes.read(await store.reads.notes(thread_id, key, 4)).values == {"b": 2}
    assert await store.reads.notes(thread_id, (key[0], "other"), -1) == []


async def test_what_step_runs_cost_is_summed_for_the_thread(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.end_step("a", 1))
    spent = driver.end_step("b", 2)
    spent.steps[0].usage = Usage(input_tokens=10, output_tokens=5, cost_usd=0.5)
    await driver.commit(store.journal, spent)
    assert await store.reads.spent(driver.thread.thread_id) == Usage(input_tokens=10, output_tokens=5, cost_usd=0.5)
    assert (await store.reads.steps(driver.thread.thread_id))[1].usage == spent.steps[0].usage


async def test_an_update_sets_usage_and_the_agents_version_and_a_later_one_keeps_them(store: Store) -> None:
    driver = await store.drive()
    begun = driver.end_step("a", 1)
    run = replace(begun.steps[0], status=StepStatus.RUNNING, output=None, output_sha256=None, completed_at=None)
    begun.steps[:] = [run]
    await driver.commit(store.journal, begun)
    update = StepUpdate(id=run.id, status=StepStatus.RUNNING, attempt=1, retry_count=0)
    cost = Usage(input_tokens=1)
    await driver.commit(store.journal, driver.move(step_updates=[replace(update, usage=cost, agent_version=3)]))
    await driver.commit(store.journal, driver.move(step_updates=[update]))
    [row] = await store.reads.steps(driver.thread.thread_id)
    assert (row.usage, row.agent_version) == (cost, 3)


async def test_a_page_of_items_is_of_one_status_has_counts_and_shortens_what_is_long(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.end_step("m", []))
    [run] = await store.reads.steps(driver.thread.thread_id)
    failed = item(driver, 2, status=StepStatus.FAILED, error='{"kind":"no"}')
    failed.output = failed.output_sha256 = None
    long = "\N{SNOWMAN}\0" * 2_000
    await write(store, driver, item(driver, 0, 1), item(driver, 1, long), failed, item(driver, 3, 3))
    key = (driver.thread.execution_id, "m")
    page = await store.reads.item_page(
        driver.thread.thread_id, run.id, key, ItemFilter(first=1, limit=1, status=StepStatus.COMPLETED, longest=100)
    )
    [one] = page.items
    text = jsontext.dumps(long)
    assert jsontext.loads(one.output or "") == {
        "truncated": True, "size_bytes": len(text.encode()), "preview": text[:1024]
    }  # fmt: skip
    assert page.counts == {StepStatus.COMPLETED: 3, StepStatus.FAILED: 1}
    assert page.given == run.input
    whole = await store.reads.item_page(driver.thread.thread_id, run.id, key, ItemFilter(first=1, longest=None))
    assert [each.output for each in whole.items] == [text, None, "3"]
