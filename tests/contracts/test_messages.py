"""MessageBook: each message once, in the order of publishing, read in bounded pages, deleted when all are past it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.message_book import LOOK, MessageFilter
from app.domain.messages import Message
from app.domain.ports import FeedPosition
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.followers import PostgresPlaces
from app.store.memory_followers import MemoryPlaces
from app.store.memory_messages import MemoryMessages
from app.store.memory_tables import MemoryTables
from app.store.messages import open_messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.message_book import MessageBook
    from app.domain.messages import Places

FIRST = FeedPosition(0, "", 0)
EXACT = '{"n": 1.10, "big": 123456789012345678901234567890, "nul": "\\u0000"}'


@pytest.fixture
async def stores(store_dsn: str | None) -> AsyncGenerator[tuple[MessageBook, Places]]:
    if store_dsn is None:
        tables = MemoryTables()
        places = MemoryPlaces(tables)
        yield MemoryMessages(tables, places), places
        return
    async with open_pool(store_dsn) as pool, open_messages(pool) as messages:
        yield messages, PostgresPlaces(pool)


@pytest.fixture
def book(stores: tuple[MessageBook, Places]) -> MessageBook:
    return stores[0]


@pytest.fixture
def places(stores: tuple[MessageBook, Places]) -> Places:
    return stores[1]


def message(name: str, topic: str = "orders.created", **more: Any) -> Message:
    fields = {"source": "/s", "type": "t", "time": utc_now(), "data_json": EXACT, **more}
    return Message(id=name, topic=topic, **fields)


async def settled(book: MessageBook, after: FeedPosition, *patterns: str, limit: int = 100) -> list[str]:
    """The ids up to the present end, once the end is past all that was published: a server has other transactions too."""
    found: list[str] = []
    place = after
    async with asyncio.timeout(20):
        newest = (await book.listed(MessageFilter(limit=1))).items
        while True:
            page = await book.read(place, patterns, limit)
            found += [one.id for one in page.items]
            place = page.place
            if not newest or newest[0].place is None or place >= newest[0].place:
                return found
            await asyncio.sleep(0.01)


async def test_a_message_is_kept_as_it_was_given(book: MessageBook) -> None:
    given = message("1", subject="x", attributes={"region": "eu", "count": 3})
    assert await book.publish([given]) == [True]
    [found] = await book.find("1")
    assert found == replace(given, place=found.place, kept_at=found.kept_at)
    assert found.data_json == EXACT


async def test_a_message_is_known_by_its_source_and_id(book: MessageBook) -> None:
    assert await book.publish([message("1"), message("1"), message("1", source="/other")]) == [True, False, True]
    assert await book.publish([message("1", topic="elsewhere"), message("2")]) == [False, True]
    assert [one.topic for one in await book.find("1", source="/s")] == ["orders.created"]
    assert len(await book.find("1")) == 2
    assert await book.find("1", topic="elsewhere") == []


async def test_many_that_publish_the_same_at_once_publish_it_once(book: MessageBook) -> None:
    news = await asyncio.gather(*(book.publish([message(str(n % 10))]) for n in range(100)))
    assert sum(new for [new] in news) == 10


async def test_messages_are_read_in_the_order_of_publishing_by_their_topics(book: MessageBook) -> None:
    await book.publish([message("1", "a.x"), message("2", "b"), message("3", "a.y")])
    await book.publish([message("4", "a.x.z"), message("5", "b")])
    assert await settled(book, FIRST, ">") == ["1", "2", "3", "4", "5"]
    assert await settled(book, FIRST, "a.*", "b", limit=2) == ["1", "2", "3", "5"]
    assert await settled(book, FIRST, "a.>") == ["1", "3", "4"]
    assert await settled(book, FIRST, "A.x") == []


async def test_reading_goes_on_where_it_was_and_at_the_end_there_is_nothing(book: MessageBook) -> None:
    await book.publish([message("1")])
    await settled(book, FIRST, ">")
    end = await book.end()
    assert not (await book.read(end, [">"], 10)).items
    await book.publish([message("2")])
    assert await settled(book, end, ">") == ["2"]


async def test_a_read_of_long_messages_takes_a_few_at_a_time(
    book: MessageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.message_book.READ_BYTES", 1000)
    await book.publish([message(str(n), data_json=f'"{"x" * 600}"') for n in range(5)])
    assert await settled(book, FIRST, ">") == ["0", "1", "2", "3", "4"]
    assert len((await book.read(FIRST, [">"], 100)).items) == 2


async def test_a_read_looks_at_a_bounded_number_and_says_how_far(
    book: MessageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.message_book.LOOK", 3)
    await book.publish([message(str(n), "rare" if n == 7 else "common") for n in range(9)])
    await settled(book, FIRST, ">")
    page = await book.read(FIRST, ["rare"], 10)
    assert (list(page.items), page.place.seq) == ([], 3)
    assert await settled(book, FIRST, "rare") == ["7"]
    assert LOOK > 3


async def test_a_list_is_newest_first_with_filters_in_pages(book: MessageBook) -> None:
    await book.publish([message("1", "a.x"), message("2", "b"), message("3", "a.y", source="/other")])
    assert [one.id for one in (await book.listed(MessageFilter())).items] == ["3", "2", "1"]
    assert [one.id for one in (await book.listed(MessageFilter(pattern="a.*"))).items] == ["3", "1"]
    assert [one.id for one in (await book.listed(MessageFilter(source="/s"))).items] == ["2", "1"]
    assert (await book.listed(MessageFilter(since=utc_now() + timedelta(hours=1)))).items == []
    first = await book.listed(MessageFilter(limit=2))
    assert first.next is not None
    rest = await book.listed(MessageFilter(limit=2, before=first.next))
    assert ([one.id for one in rest.items], rest.next) == (["1"], None)


async def test_a_list_shows_the_beginning_of_long_data(book: MessageBook) -> None:
    await book.publish([message("1", data_json=f'"{"é" * 9000}"')])
    [shown] = (await book.listed(MessageFilter())).items
    assert (shown.data["truncated"], shown.data["size_bytes"]) == (True, 18_002)
    assert shown.data["preview"] == '"' + "é" * 1023


async def test_what_a_follower_has_not_passed_is_not_deleted(book: MessageBook, places: Places) -> None:
    place = await places.take("triggers_messages", "me", 10)
    assert place is not None
    await book.publish([message("1")])
    await settled(book, FIRST, ">")
    assert await book.prune(0, ["triggers_messages"], 10) == 0
    assert await places.move("triggers_messages", "me", await book.end())
    await book.publish([message("2")])
    assert await book.prune(1, ["triggers_messages"], 10) == 0
    assert await book.prune(0, ["triggers_messages"], 10) == 1
    assert [one.id for one in (await book.listed(MessageFilter())).items] == ["2"]


async def test_who_listens_hears_of_new_messages_only(book: MessageBook) -> None:
    heard: list[int] = []
    book.listen(lambda: heard.append(1))
    await book.publish([message("1")])
    await book.publish([message("1")])
    assert heard == [1]
