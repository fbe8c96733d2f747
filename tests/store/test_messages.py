"""The log of messages on PostgreSQL: what commits late, many at once, one that the server refuses, a server that is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.errors import InvalidRequest, Unavailable
from app.domain.messages import Message
from app.domain.ports import FeedPosition
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.messages import PostgresMessages, open_messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FIRST = FeedPosition(0, "", 0)
_LATE = """
INSERT INTO messages (id, source, topic, type, time, data, size_bytes, seq) VALUES ('late', '/s', 'a', 't', now(), '1', 1, 1)
"""


def message(name: str, **more: Any) -> Message:
    return Message(id=name, topic="a", source="/s", type="t", time=utc_now(), **{"data_json": "1", **more})


@pytest.fixture
async def book(database_url: str) -> AsyncGenerator[PostgresMessages]:
    async with open_pool(database_url) as pool, open_messages(pool) as messages:
        yield messages


async def read(book: PostgresMessages, after: FeedPosition) -> tuple[list[str], FeedPosition]:
    page = await book.read(after, ["a"], 100)
    return [one.id for one in page.items], page.place


async def test_what_commits_late_is_not_passed_over(book: PostgresMessages, database_url: str) -> None:
    late = await asyncpg.connect(database_url)
    writing = late.transaction()
    await writing.start()
    await late.execute(_LATE)
    await book.publish([message("early")])
    found, place = await read(book, FIRST)
    assert found == []
    await writing.commit()
    async with asyncio.timeout(20):
        while len(found) < 2:
            more, place = await read(book, place)
            found += more
    assert found == ["late", "early"]
    await late.close()


async def test_those_that_are_published_meanwhile_go_together(book: PostgresMessages, database_url: str) -> None:
    await asyncio.gather(*(book.publish([message(str(n))]) for n in range(300)))
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(DISTINCT xact) FROM messages") < 30
    await connection.close()


async def test_one_that_the_server_refuses_fails_alone(book: PostgresMessages) -> None:
    names = ("1", "a\x00b", "2")
    found = await asyncio.gather(*(book.publish([message(name)]) for name in names), return_exceptions=True)
    assert found[0] == found[2] == [True]
    assert isinstance(found[1], InvalidRequest)


async def test_while_the_server_is_away_who_publishes_is_told(book: PostgresMessages, database_url: str) -> None:
    other = await asyncpg.connect(database_url)
    await other.execute("ALTER TABLE messages RENAME TO hidden")
    with pytest.raises(Unavailable):
        await book.publish([message("1")])
    await other.execute("ALTER TABLE hidden RENAME TO messages")
    async with asyncio.timeout(20):
        while True:
            try:
                assert await book.publish([message("1")]) == [True]
            except Unavailable:
                continue
            break
    await other.close()


async def test_what_was_published_before_the_end_is_written_and_nothing_after(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        async with open_messages(pool) as book:
            publishing = asyncio.gather(*(book.publish([message(str(n))]) for n in range(50)))
            await asyncio.sleep(0)
        assert sum(new for [new] in await publishing) == 50
        with pytest.raises(Unavailable):
            await book.publish([message("x")])


async def test_what_is_not_old_is_not_locked_in_the_search_for_what_is(
    book: PostgresMessages, database_url: str
) -> None:
    await book.publish([message("young"), message("old")])
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE messages SET created_at = now() - interval '9 days' WHERE id = 'old'")
    assert await book.prune(7, [], 100) == 1
    assert await connection.fetch("SELECT id, xmax::text FROM messages") == [("young", "0")]
    await connection.close()


async def test_nothing_is_kept_of_those_that_were_given_up_while_the_server_hangs() -> None:
    nowhere: Any = None
    book = PostgresMessages(nowhere)  # nothing is taken to be written
    given = [asyncio.create_task(book.publish([message(str(number))])) for number in range(1_000)]
    await asyncio.sleep(0)
    assert len(book._waiting) == 1_000
    for one in given:
        one.cancel()
    await asyncio.wait(given)
    assert not book._waiting
