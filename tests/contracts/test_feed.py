"""Reads.feed: the events of all threads in one order, each once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain import jsontext
from app.domain.events import preview
from app.domain.status import Status
from tests.feeds import BEGINNING, feed_of

if TYPE_CHECKING:
    from app.domain.ports import FeedItem
    from tests.contracts.conftest import Store


async def test_the_feed_read_in_pages_has_every_event_once(store: Store) -> None:
    drivers = [await store.drive(thread_id=f"thread-{number}") for number in range(7)]
    for _ in range(3):
        await asyncio.gather(*(driver.commit(store.journal, driver.event("step_progress")) for driver in drivers))
    seen: list[FeedItem] = []
    await feed_of(store.reads, 28)
    for _ in range(6):
        seen += await store.reads.feed(seen[-1].position if seen else BEGINNING, limit=5)
    assert await store.reads.feed(seen[-1].position) == []
    places = [(item.event.thread_id, item.event.seq) for item in seen]
    assert sorted(places) == [(f"thread-{number}", seq) for number in range(7) for seq in (1, 2, 3, 4)]
    assert [item.position for item in seen] == sorted(item.position for item in seen)
    for number in range(7):
        assert [seq for thread_id, seq in places if thread_id == f"thread-{number}"] == [1, 2, 3, 4]


async def test_an_item_names_its_workflow_and_the_present_status(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.complete({"a": 1}))
    first, last = await feed_of(store.reads, 2)
    assert (first.workflow, first.status) == ("sewing", Status.COMPLETED)
    assert (last.event.name, last.event.result) == ("workflow_complete", '{"a":1}')


async def test_after_the_end_come_only_later_events(store: Store) -> None:
    end_of_nothing = await store.reads.feed_end()
    driver = await store.drive()
    await feed_of(store.reads, 1)
    end = await store.reads.feed_end()
    assert await store.reads.feed(end) == []
    await driver.commit(store.journal, driver.event("step_progress"))
    assert [item.event.seq for item in await feed_of(store.reads, 1, end)] == [2]
    assert [item.event.seq for item in await store.reads.feed(end_of_nothing)] == [1, 2]


async def test_a_long_result_is_told_alike_live_and_from_the_store(store: Store) -> None:
    driver = await store.drive(thread_id="t")
    for output in ("ü" * 65_534, "ü" * 65_535):
        await driver.commit(store.journal, driver.end_step("read", output))
    of_feed = [item.event for item in await feed_of(store.reads, 3)][1:]
    for events in (of_feed, await store.reads.events("t", after=1)):
        short, long = [jsontext.loads(event.json())["data"]["result"] for event in events]
        assert short == "ü" * 65_534
        assert long == jsontext.loads(preview(f'"{"ü" * 65_535}"'))


async def test_the_feed_is_read_without_results_too(store: Store) -> None:
    driver = await store.drive()
    await driver.commit(store.journal, driver.end_step("a", {"n": 1}))
    await driver.commit(store.journal, driver.complete({"a": 1}))
    whole = await feed_of(store.reads, 3)
    bare = await store.reads.feed(BEGINNING, results=False)
    assert [item.position for item in bare] == [item.position for item in whole]
    assert [item.event.result for item in bare] == [None] * 3
    assert (bare[0].workflow, bare[0].status) == ("sewing", Status.COMPLETED)
