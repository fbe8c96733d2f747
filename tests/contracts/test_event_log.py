"""EventLog: the events of all threads as a list, filtered, in pages, and followed from its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.event_log import EventFilter, names_of
from app.domain.status import Status
from app.domain.times import utc_now
from tests.feeds import feed_of

if TYPE_CHECKING:
    from app.domain.ports import FeedItem, FeedPosition
    from tests.builders import Driver
    from tests.contracts.conftest import Store

Place = tuple[str, int]


def places(items: list[FeedItem]) -> list[Place]:
    return [(item.event.thread_id, item.event.seq) for item in items]


async def whole(store: Store, **filters: Any) -> list[Place]:
    """Every page from the first to the end."""
    found: list[FeedItem] = []
    after: FeedPosition | None = None
    for _ in range(1000):
        page = await store.events.page(EventFilter(**{"limit": 3, **filters}, after=after))
        found += page.items
        assert len(page.items) <= 3
        after = page.next
        if after is None:
            return places(found)
    raise AssertionError


async def filled(store: Store) -> list[Driver]:
    """Five threads `t0` to `t4` with four events each: start, two of progress, the end of step `read`."""
    drivers = [await store.drive(thread_id=f"t{number}") for number in range(5)]
    for _ in range(2):
        await asyncio.gather(*(driver.commit(store.journal, driver.event("step_progress")) for driver in drivers))
    for driver in drivers:
        await driver.commit(store.journal, driver.end_step("read", {"n": 1}))
    await feed_of(store.reads, 20)  # none of them is still held back by another test's transaction
    return drivers


ALL = [(f"t{number}", seq) for number in range(5) for seq in (1, 2, 3, 4)]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_the_pages_have_every_event_once(store: Store, newest_first: bool) -> None:
    await filled(store)
    found = await whole(store, newest_first=newest_first)
    assert sorted(found) == ALL
    for number in range(5):
        seqs = [seq for thread_id, seq in found if thread_id == f"t{number}"]
        assert seqs == sorted(seqs, reverse=newest_first)


@pytest.mark.parametrize("look", [1, 2, 7, None])
@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_filter_that_looks_at_little_finds_all_in_the_end(
    store: Store, newest_first: bool, look: int | None
) -> None:
    await filled(store)
    found = await whole(store, names=frozenset({"step_complete"}), newest_first=newest_first, look=look)
    assert sorted(found) == [(f"t{number}", 4) for number in range(5)]


async def test_a_page_looks_at_no_more_than_it_may_and_says_where_to_go_on(store: Store) -> None:
    await filled(store)
    page = await store.events.page(EventFilter(names=frozenset({"nothing"}), look=4))
    assert list(page.items) == []
    assert page.next is not None


async def test_each_filter_keeps_its_own(store: Store) -> None:
    drivers = await filled(store)
    await drivers[0].commit(store.journal, drivers[0].complete({}))
    await feed_of(store.reads, 21)
    of_t0 = [("t0", seq) for seq in (1, 2, 3, 4, 5)]
    names, other_than = names_of("status")
    assert await whole(store, step_id="read") == [(f"t{number}", 4) for number in range(5)]
    assert await whole(store, status=Status.COMPLETED) == of_t0
    assert await whole(store, thread_id="t0") == of_t0
    assert await whole(store, thread_id="t0", newest_first=True) == of_t0[::-1]
    assert await whole(store, thread_id="t0", names=frozenset({"step_progress"}), look=1) == [("t0", 2), ("t0", 3)]
    assert await whole(store, names=names_of("complete")[0]) == [("t0", 5)]
    assert sorted(await whole(store, names=names, other_than=other_than)) == [each for each in ALL if each[1] in (1, 4)]
    assert await whole(store, workflow="another") == await whole(store, agent="nobody") == []
    assert len(await whole(store, workflow="sewing")) == 21


async def test_times_bound_it(store: Store) -> None:
    before = utc_now()
    await store.events.mark()
    await filled(store)
    after = utc_now()
    assert len(await whole(store, since=before, until=after)) == 20
    assert await whole(store, since=after) == await whole(store, until=before) == []
    assert await whole(store, since=after, newest_first=True) == []
    assert len(await whole(store, since=before, until=after, newest_first=True)) == 20


@pytest.mark.parametrize("newest_first", [False, True])
async def test_the_ends_of_time_bound_nothing(store: Store, newest_first: bool) -> None:
    await filled(store)
    ends = {"since": datetime.min.replace(tzinfo=UTC), "until": datetime.max.replace(tzinfo=UTC)}
    assert len(await whole(store, newest_first=newest_first, **ends)) == 20


@pytest.mark.parametrize("thread_id", [None, "t0"])
async def test_whoever_follows_goes_on_at_the_end(store: Store, thread_id: str | None) -> None:
    drivers = await filled(store)
    page = await store.events.page(EventFilter(thread_id=thread_id, limit=100))
    assert page.next is None
    await drivers[0].commit(store.journal, drivers[0].event("step_progress"))
    await feed_of(store.reads, 21)
    news = await store.events.page(EventFilter(thread_id=thread_id, after=page.place))
    assert places(list(news.items)) == [("t0", 5)]
    assert list((await store.events.page(EventFilter(thread_id=thread_id, after=news.place))).items) == []


async def test_the_newest_page_says_where_the_present_is(store: Store) -> None:
    drivers = await filled(store)
    page = await store.events.page(EventFilter(newest_first=True, limit=2))
    assert (len(page.items), page.next is None) == (2, False)
    await drivers[3].commit(store.journal, drivers[3].event("step_progress"))
    await feed_of(store.reads, 21)
    assert places(list((await store.events.page(EventFilter(after=page.place))).items)) == [("t3", 5)]


@pytest.mark.parametrize("thread_id", [None, "t0"])
async def test_a_cursor_of_a_database_that_was_further_begins_at_the_present(
    store: Store, thread_id: str | None
) -> None:
    drivers = await filled(store)
    page = await store.events.page(EventFilter(limit=100))
    far = type(page.place)(page.place.xact + 10**9, "t0", 70)
    clamped = (await store.events.page(EventFilter(thread_id=thread_id, after=far))).place
    await drivers[0].commit(store.journal, drivers[0].event("step_progress"))
    await feed_of(store.reads, 21)
    news = await store.events.page(EventFilter(thread_id=thread_id, after=clamped))
    assert places(list(news.items)) == [("t0", 5)]


async def test_a_long_result_is_told_by_its_size_and_its_beginning(store: Store) -> None:
    driver = await store.drive(thread_id="t")
    for output in ("x" * 8_190, "y" * 8_191):
        await driver.commit(store.journal, driver.end_step(output[0], output))
    short, long = [jsontext.loads(item.event.result or "") for item in await feed_page(store)]
    assert short == "x" * 8_190
    assert (long["truncated"], long["size_bytes"], len(long["preview"])) == (True, 8_193, 1024)


async def feed_page(store: Store) -> list[FeedItem]:
    return list((await store.events.page(EventFilter(thread_id="t", names=frozenset({"step_complete"})))).items)
