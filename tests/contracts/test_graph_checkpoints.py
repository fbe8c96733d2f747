"""The inner checkpoints of graphs: who may write them, which is the newest, what is kept and what goes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Fenced
from app.domain.graph_checkpoints import (
    ChannelValue,
    GraphCheckpoint,
    GraphCheckpoints,
    GraphQuery,
    GraphRun,
    GraphWrite,
)
from app.store.db import open_pool
from app.store.langgraph import PostgresGraphCheckpoints
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_tables import MemoryTables
from tests.graph_stores import add_thread, memory_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ALL = GraphQuery(thread_id="home", run_key="run")


@pytest.fixture
async def graphs(store_dsn: str | None) -> AsyncGenerator[GraphCheckpoints]:
    """A store with one thread, "home", at epoch 3."""
    async with in_memory() if store_dsn is None else on_postgres(store_dsn) as opened:
        yield opened


@asynccontextmanager
async def in_memory() -> AsyncGenerator[GraphCheckpoints]:
    tables = MemoryTables()
    memory_thread(tables, "home", epoch=3)
    yield MemoryGraphCheckpoints(tables)


@asynccontextmanager
async def on_postgres(dsn: str) -> AsyncGenerator[GraphCheckpoints]:
    async with open_pool(dsn) as pool:
        await add_thread(pool, "home", epoch=3)
        yield PostgresGraphCheckpoints(pool)


def checkpoint(checkpoint_id: str, **fields: Any) -> GraphCheckpoint:
    bare = {
        "ns": "",
        "parent_id": None,
        "run_id": None,
        "kind": "msgpack",
        "data": b"d",
        "metadata": b"m",
        "versions": {},
    }
    return GraphCheckpoint(checkpoint_id=checkpoint_id, **bare | fields)


def value(version: str, data: bytes, channel: str = "c") -> ChannelValue:
    return ChannelValue(channel=channel, version=version, kind="bytes", data=data)


def write(idx: int, data: bytes = b"w", *, task: str = "t", path: str = "") -> GraphWrite:
    return GraphWrite(task_id=task, idx=idx, task_path=path, channel="c", kind="bytes", data=data)


async def ids(graphs: GraphCheckpoints, query: GraphQuery = ALL) -> list[str]:
    return [each.checkpoint.checkpoint_id for each in await graphs.find(query)]


async def test_what_was_put_is_found_with_its_values_and_writes(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run", 3)
    stored = checkpoint("1", versions={"c": "v1"}, run_id="call", parent_id="0")
    await graphs.put(run, stored, [value("v1", b"\x00\xff")])
    await graphs.put_writes(run, "", "1", [write(0)])
    [found] = await graphs.find(replace(ALL, ns="", limit=1))
    assert (found.run_key, found.checkpoint) == ("run", stored)
    assert (found.values, found.writes) == ([value("v1", b"\x00\xff")], [write(0)])


async def late(graphs: GraphCheckpoints, run: GraphRun) -> None:
    """Every write of one who had opened the run before is refused."""
    for attempt in (
        graphs.put(run, checkpoint("9"), [value("v9", b"9")]),
        graphs.put_writes(run, "", "1", [write(5)]),
        graphs.keep(run, []),
        graphs.copy("run", run),
        graphs.delete(run),
    ):
        with pytest.raises(Fenced):
            await attempt


async def test_whoever_has_opened_a_run_before_writes_nothing_any_more(graphs: GraphCheckpoints) -> None:
    zombie = await graphs.open("home", "run", 3)
    await graphs.put(zombie, checkpoint("1"), [])
    await graphs.open("home", "run", 3)
    before = await graphs.find(ALL)
    await late(graphs, zombie)
    assert await graphs.find(ALL) == before


async def test_a_late_write_does_not_bring_a_deleted_run_back(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run", 3)
    await graphs.put(run, checkpoint("1", versions={"c": "v1"}), [value("v1", b"1")])
    await graphs.put_writes(run, "", "1", [write(0)])
    await graphs.delete(run)
    await late(graphs, run)
    assert await graphs.find(ALL) == []


@pytest.mark.parametrize(("thread_id", "epoch"), [("home", 2), ("elsewhere", 3), ("elsewhere", None)])
async def test_a_run_is_opened_only_in_a_thread_that_is_at_the_epoch(
    graphs: GraphCheckpoints, thread_id: str, epoch: int | None
) -> None:
    with pytest.raises(Fenced):
        await graphs.open(thread_id, "run", epoch)


async def test_the_newest_is_what_was_stored_last_whatever_its_clock_said(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run")
    for checkpoint_id in ("5", "9", "7"):
        await graphs.put(run, checkpoint(checkpoint_id), [])
    assert await ids(graphs) == ["7", "9", "5"]
    assert await ids(graphs, replace(ALL, ns="", limit=1)) == ["7"]
    assert await ids(graphs, replace(ALL, before="9")) == ["5"]
    assert await ids(graphs, replace(ALL, before="8")) == ["7", "5"]  # not there: by its id


async def test_putting_a_checkpoint_again_changes_neither_its_place_nor_stored_values(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run")
    first = checkpoint("1", versions={"c": "v1"})
    await graphs.put(run, first, [value("v1", b"first")])
    await graphs.put(run, checkpoint("2", versions={"c": "v1"}), [])
    await graphs.put(run, first, [value("v1", b"again")])
    assert await ids(graphs) == ["2", "1"]
    assert {each.values[0].data for each in await graphs.find(ALL)} == {b"first"}


async def test_a_write_is_stored_once_but_a_special_one_is_replaced(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run")
    await graphs.put(run, checkpoint("1"), [])
    for data in (b"first", b"second"):
        await graphs.put_writes(run, "", "1", [write(0, data), write(-3, data)])
    [found] = await graphs.find(ALL)
    assert {each.idx: each.data for each in found.writes} == {0: b"first", -3: b"second"}


async def test_writes_come_in_the_order_of_their_tasks_paths(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run")
    await graphs.put(run, checkpoint("1"), [])
    for task, path in (("a", "~b"), ("z", "B"), ("b", "a")):
        await graphs.put_writes(run, "", "1", [write(1, task=task, path=path), write(0, task=task, path=path)])
    [found] = await graphs.find(ALL)
    assert [(each.task_id, each.idx) for each in found.writes] == [(t, i) for t in "zba" for i in (0, 1)]


async def test_runs_and_namespaces_are_apart(graphs: GraphCheckpoints) -> None:
    run, other = await graphs.open("home", "run"), await graphs.open("home", "other")
    await graphs.put(run, checkpoint("1", versions={"c": "v"}), [value("v", b"root")])
    await graphs.put(run, checkpoint("2", ns="sub", versions={"c": "v"}), [value("v", b"sub")])
    await graphs.put(other, checkpoint("3", versions={"c": "v"}), [value("v", b"other")])
    found = {
        (each.run_key, each.checkpoint.ns): each.values[0].data
        for each in await graphs.find(GraphQuery(thread_id="home"))
    }
    assert found == {("run", ""): b"root", ("run", "sub"): b"sub", ("other", ""): b"other"}


async def test_what_only_forgotten_checkpoints_had_goes_with_them(graphs: GraphCheckpoints) -> None:
    run = await graphs.open("home", "run")
    await graphs.put(run, checkpoint("1", versions={"c": "v1", "d": "v"}), [value("v1", b"1"), value("v", b"d", "d")])
    await graphs.put_writes(run, "", "1", [write(0)])
    await graphs.put(run, checkpoint("2", versions={"c": "v2", "d": "v"}), [value("v2", b"2")])
    await graphs.keep(run, [("", "2")])
    [found] = await graphs.find(ALL)
    assert sorted(each.data for each in found.values) == [b"2", b"d"]
    await graphs.put(run, checkpoint("1", versions={"c": "v1"}), [value("v1", b"anew")])
    [newest, _] = await graphs.find(ALL)
    assert ([each.data for each in newest.values], newest.writes) == ([b"anew"], [])


async def test_a_copy_is_whole_and_goes_on_from_its_end(graphs: GraphCheckpoints) -> None:
    run, target = await graphs.open("home", "run"), await graphs.open("home", "copy")
    await graphs.put(run, checkpoint("1", versions={"c": "v1"}), [value("v1", b"1")])
    await graphs.put_writes(run, "", "1", [write(0)])
    await graphs.copy("run", target)
    await graphs.put(target, checkpoint("2", versions={"c": "v1"}), [])
    copied = await graphs.find(replace(ALL, run_key="copy"))
    assert [(each.checkpoint.checkpoint_id, each.values[0].data) for each in copied] == [("2", b"1"), ("1", b"1")]
    assert copied[1].writes == [write(0)]
    assert await ids(graphs) == ["1"]
