"""The list of events of a database whose dump came from a server that had begun more transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.domain.event_log import EventFilter
from app.domain.ids import uuid7
from app.domain.times import utc_now
from app.store.db import open_pool
from app.store.events import PostgresEvents
from app.store.restored import place_anew
from tests.store.test_event_log import _EVENT, _THREAD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FAR = "UPDATE workflow_events SET xact = 5000000000 + 1000 * seq"
_MANY = """
INSERT INTO workflow_events (thread_id, seq, execution_id, name, version, at, data, xact)
SELECT 't', n, $1, 'step_progress', 1, now(), '{}', n FROM generate_series(1, 20000) AS n
"""
_IN_ORDER = """
SELECT bool_and(xact >= before) FROM (SELECT xact, lag(xact) OVER (ORDER BY seq) AS before FROM workflow_events)
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(database_url)
    await found.execute(_THREAD, "t", uuid7(), utc_now())
    yield found
    await found.close()


async def shown(database_url: str, count: int = 0) -> list[int]:
    """What the list has, oldest first, once it has so many: it waits for all transactions of the server."""
    async with open_pool(database_url, size=1) as pool, asyncio.timeout(20):
        while True:
            found = (await PostgresEvents(pool).page(EventFilter(limit=1000))).items
            if len(found) >= count:
                return [item.event.seq for item in found]
            await asyncio.sleep(0.02)


async def test_restored_events_come_in_their_order_before_what_comes_after(
    database_url: str, connection: asyncpg.Connection
) -> None:
    for seq in (1, 2, 3):
        await connection.execute(_EVENT, "t", seq, uuid7(), "step_progress", utc_now())
    await connection.execute(_FAR)
    await connection.execute("INSERT INTO event_marks VALUES (now() - interval '1 day', 5000002000)")
    assert await shown(database_url) == []
    assert await place_anew(database_url) == 3
    await connection.execute(_EVENT, "t", 4, uuid7(), "step_progress", utc_now())
    assert await shown(database_url, 4) == [1, 2, 3, 4]
    assert await connection.fetchval("SELECT count(*) FROM event_marks") == 0


async def test_more_transactions_than_there_are_places_keep_their_order(
    database_url: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(_MANY, uuid7())
    await connection.execute(_FAR)
    assert await place_anew(database_url) == 20_000
    assert await connection.fetchval(_IN_ORDER)
    assert await connection.fetchval("SELECT min(xact) >= 1 FROM workflow_events")
    assert (await shown(database_url, 1000))[:3] == [1, 2, 3]


async def test_open_waits_are_searched_for_anew(database_url: str, connection: asyncpg.Connection) -> None:
    await connection.execute(_EVENT, "t", 1, uuid7(), "workflow_start", utc_now())
    await connection.execute(
        "INSERT INTO waits (thread_id, key_execution_id, step_name, run_id, topic, since, looked)"
        " VALUES ('t', $1, 'wait', $1, 'topic', 5000000000, 5000000000)",
        uuid7(),
    )
    await connection.execute(_FAR)
    await place_anew(database_url)
    assert await connection.fetchval("SELECT since IS NULL AND looked IS NULL FROM waits")


async def test_events_of_this_server_stay_where_they_are(database_url: str, connection: asyncpg.Connection) -> None:
    await connection.execute(_EVENT, "t", 1, uuid7(), "step_progress", utc_now())
    assert await place_anew(database_url) == 0
    await connection.execute(_FAR)
    assert [await place_anew(database_url) for _ in range(2)] == [1, 0]


_MESSAGE = """
INSERT INTO messages (id, source, topic, type, time, data, size_bytes, seq, xact)
VALUES ($1, '/s', 'a', 't', now(), '1', 1, $2, $3)
"""
_FOLLOWER = "INSERT INTO followers (name, xact, thread, seq) VALUES ('f', $1, 'x', 7)"
_TRIGGER = """
INSERT INTO triggers (name, id, topic, workflow, input, enabled, xact) VALUES ('t', $1, 'a', 'w', '1', true, $2)
"""
_PLACES = """
SELECT (SELECT xact FROM workflow_events) AS event, (SELECT array_agg(xact ORDER BY id) FROM messages) AS messages,
    (SELECT xact FROM followers) AS follower, (SELECT xact FROM triggers) AS trigger
"""


async def test_messages_followers_and_triggers_keep_one_order_with_events(
    database_url: str, connection: asyncpg.Connection
) -> None:
    far = 5_000_000_000
    await connection.execute(_EVENT, "t", 1, uuid7(), "step_progress", utc_now())
    await connection.execute("UPDATE workflow_events SET xact = $1", far + 2)
    for place, name in enumerate("abcd"):
        await connection.execute(_MESSAGE, name, 1, far + 2 * place + 1)
    await connection.execute(_FOLLOWER, far + 3)  # it has acted on a and on part of b
    await connection.execute(_TRIGGER, uuid7(), far + 4)  # made after b
    assert await place_anew(database_url) == 5
    found = await connection.fetchrow(_PLACES)
    assert found is not None
    [a, b, c, d] = found["messages"]
    assert a < found["event"] < b <= found["trigger"] < c < d
    assert found["follower"] == b
    assert await connection.fetchval("SELECT (thread, seq) = ('', 0) FROM followers")
    assert await place_anew(database_url) == 0


async def test_a_follower_alone_is_brought_back_too(database_url: str, connection: asyncpg.Connection) -> None:
    await connection.execute(_FOLLOWER, 5_000_000_000)
    assert await place_anew(database_url) == 0
    assert await connection.fetchval("SELECT xact < 5000000000 FROM followers")


async def test_messages_that_come_into_one_place_keep_their_order(
    database_url: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "INSERT INTO messages (id, source, topic, type, time, data, size_bytes, seq, xact) "
        "SELECT n, '/s', 'a', 't', now(), '1', 1, 1, 5000000000 + n FROM generate_series(1, 5000) AS n"
    )
    await place_anew(database_url)
    places = [tuple(row) for row in await connection.fetch("SELECT xact, seq FROM messages ORDER BY id::int")]
    assert places == sorted(set(places))
