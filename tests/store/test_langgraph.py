"""What only PostgreSQL can get wrong with the inner checkpoints of graphs: writes at the same time, and what they weigh."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from app.domain.errors import Fenced, Unavailable
from app.domain.graph_checkpoints import ChannelValue, GraphCheckpoint, GraphQuery, GraphWrite
from app.runners.langgraph_saver import StoreSaver
from app.store.db import open_pool
from app.store.langgraph import PostgresGraphCheckpoints
from app.store.queries import load
from tests.graph_stores import add_thread

BARE: dict[str, Any] = {"ns": "", "parent_id": None, "run_id": None, "kind": "msgpack", "data": b"", "metadata": b""}
WRITE = GraphWrite(task_id="t", idx=0, task_path="", channel="c", kind="bytes", data=b"")


@pytest.mark.parametrize("what", ["put", "put_writes"])
async def test_a_write_that_meets_the_successor_in_the_middle_of_opening_is_refused(
    database_url: str, what: str
) -> None:
    async with open_pool(database_url) as pool:
        await add_thread(pool, "home")
        graphs = PostgresGraphCheckpoints(pool)
        zombie = await graphs.open("home", "run", 1)
        successor = await asyncpg.connect(database_url)
        opening = successor.transaction()
        await opening.start()
        await successor.fetch(load("langgraph")["open"], "home", "run", 1)
        late = asyncio.ensure_future(
            graphs.put(zombie, GraphCheckpoint(checkpoint_id="1", versions={}, **BARE), [])
            if what == "put"
            else graphs.put_writes(zombie, "", "1", [WRITE])
        )
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not late.done() and not await pool.fetchval(waits):  # noqa: ASYNC110 - nothing tells of a lock
            await asyncio.sleep(0)
        await opening.commit()
        with pytest.raises(Fenced):
            await late
        await successor.close()
        assert (
            await pool.fetchval(
                "SELECT (SELECT count(*) FROM langgraph_checkpoints) + (SELECT count(*) FROM langgraph_writes)"
            )
            == 0
        )


async def test_a_channel_that_does_not_change_is_stored_once(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        await add_thread(pool, "home")
        graphs = PostgresGraphCheckpoints(pool)
        run = await graphs.open("home", "run")
        large = [ChannelValue(channel="large", version="1", kind="bytes", data=b"x" * 100_000)]
        for number in range(20):
            step = ChannelValue(channel="step", version=str(number), kind="bytes", data=b"y")
            versions = {"large": "1", "step": str(number)}
            row = GraphCheckpoint(checkpoint_id=f"{number:02}", versions=versions, **BARE)
            await graphs.put(run, row, [*(large if number == 0 else []), step])
        found = await graphs.find(GraphQuery(thread_id="home", run_key="run"))
        assert all(len(each.values) == 2 for each in found)
        assert await pool.fetchval("SELECT sum(octet_length(data)) FROM langgraph_blobs") < 101_000


class AwayFor(PostgresGraphCheckpoints):
    """A store whose server is away for the first calls of `open`."""

    def __init__(self, pool: Any, calls: int) -> None:
        super().__init__(pool)
        self.left = calls

    async def open(self, thread_id: str, run_key: str, epoch: int | None = None) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("away")
        return await super().open(thread_id, run_key, epoch)


async def test_a_graph_waits_while_the_database_is_away(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        await add_thread(pool, "home")
        saver = StoreSaver(AwayFor(pool, 2), "home", epoch=1)
        assert await saver.aget_tuple({"configurable": {"thread_id": "run"}}) is None


async def test_nothing_is_waited_for_once_nobody_waits_for_the_graph(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        saver = StoreSaver(AwayFor(pool, 1), "home", wanted=lambda: False)
        with pytest.raises(Unavailable):
            await saver.aget_tuple({"configurable": {"thread_id": "run"}})
