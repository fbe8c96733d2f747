"""Waits on PostgreSQL: a row that somebody holds holds nobody up, and what is looked up is found by an index."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.domain.errors import InvalidRequest
from app.domain.waits import Got
from app.store.waits import SQL
from tests.contracts.conftest import Store, open_postgres
from tests.contracts.test_waits import HELLO, Waiting, a_wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def store(database_url: str) -> AsyncGenerator[Store]:
    async with open_postgres(database_url) as (journal, reads, registry, gates, events, timelines, waits):
        workflow = await registry.register(name="sewing", document='{"name":"sewing"}', hash="sewing-1")
        yield Store(journal, reads, registry, gates, events, timelines, waits, workflow)


async def test_a_row_that_somebody_holds_is_not_waited_for(store: Store, database_url: str) -> None:
    wait: Waiting = await a_wait(store, topic="t")
    free = await a_wait(store, topic="t")
    psql = await asyncpg.connect(database_url)
    async with psql.transaction():
        await psql.execute("SELECT FROM threads WHERE thread_id = $1 FOR UPDATE", wait.thread_id)
        others = asyncio.create_task(wait.send())  # who sends a signal waits for five seconds
        assert await store.waits.take(wait.key, HELLO) == (Got.BUSY, None)
        given = await store.waits.give([(wait.key, HELLO), (free.key, HELLO)])
        assert [got for got, _ in given] == [Got.BUSY, Got.TAKEN]
        assert not others.done()
    await others
    assert (await store.waits.take(wait.key, HELLO))[0] is Got.TAKEN
    await psql.close()


async def test_what_is_looked_up_for_a_message_is_found_by_an_index(store: Store, database_url: str) -> None:
    wait = await a_wait(store, topic="t")
    psql = await asyncpg.connect(database_url)
    await psql.execute(
        "INSERT INTO waits (thread_id, key_execution_id, step_name, item, run_id, topic)"
        " SELECT thread_id, key_execution_id, step_name, number, run_id, 'topic.' || number"
        " FROM waits, generate_series(1, 20000) AS number"
    )
    await psql.execute("ANALYZE waits")
    first = "'', '1970-01-01', '00000000-0000-0000-0000-000000000000', '', -2, -1"
    for query, arguments, index in [
        ("wanted", "ARRAY['topic.7', 'nothing']", "waits_topics"),
        ("open_for", f"'topic.7', 100, {first}", "waits_topics"),
        ("heads", "10, ''", "waits_heads"),
        ("patterns", "ARRAY['', 'topic']", "waits_patterns"),
    ]:
        await psql.execute(f"PREPARE {query}_it AS {SQL[query]}")
        told = "\n".join(row[0] for row in await psql.fetch(f"EXPLAIN EXECUTE {query}_it({arguments})"))
        assert index in told, told
        assert "Seq Scan on waits" not in told, told
    assert await store.waits.wanted(["topic.7", "topic.0"]) == ["topic.7"]
    assert [one.key.item for one in await store.waits.open_for("topic.7", None, 10)] == [7]
    assert await store.waits.heads(10) == ["t", "topic.>"]
    assert wait.key.item == -1
    await psql.close()


async def test_what_waits_is_listed_without_a_look_at_all_that_waited(store: Store, database_url: str) -> None:
    await a_wait(store, topic="t")
    psql = await asyncpg.connect(database_url)
    await psql.execute(
        "INSERT INTO waits (thread_id, key_execution_id, step_name, item, run_id, topic, answered_at)"
        " SELECT thread_id, key_execution_id, step_name, number, run_id, topic, now()"
        " FROM waits, generate_series(1, 5000) AS number"
    )
    await psql.execute("ANALYZE waits")
    query = SQL["listed_open"].replace("/* filters */", "")
    plan = await psql.fetch(f"EXPLAIN {query}".replace("$1", "50").replace("$2", "100").replace("$3", "10"))
    assert "waits_open" in "\n".join(row[0] for row in plan)
    await psql.close()


async def test_what_the_database_cannot_hold_is_refused_for_good(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="does not take it"):
        await a_wait(store, topic="t", match="message.data == '\0'")
