"""The kind `langgraph` goes on where the graph was: what has finished does not run again, a zombie writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import Send

from app.domain.errors import Fenced
from app.domain.graph_checkpoints import ChannelValue, GraphCheckpoint, GraphQuery, GraphRun
from app.runners.langgraph import LangGraphKind
from app.runners.langgraph_saver import StoreSaver
from app.store.memory_langgraph import MemoryGraphCheckpoints
from tests.unit.runners.graph_steps import Bench, Calls, State, line, output, single


async def test_a_graph_is_run_with_the_steps_input_and_gives_its_final_state() -> None:
    bench = Bench(line(Calls(), "one", "two"))
    assert await output(bench, {"topic": "sewing"}) == {"topic": "sewing", "done": ["one", "two"]}


async def test_a_new_attempt_does_not_run_finished_nodes_again() -> None:
    calls = Calls()
    bench, calls.broken = Bench(line(calls, "one", "two", "three")), {"two"}
    with pytest.raises(RuntimeError, match="two is broken"):
        await bench.perform({"topic": "sewing"})
    calls.broken.clear()
    assert await output(bench, {"topic": "sewing"}) == {"topic": "sewing", "done": ["one", "two", "three"]}
    assert calls.made == ["one", "two", "two", "three"]


async def test_of_parallel_nodes_only_the_unfinished_run_again() -> None:
    calls = Calls()
    builder = StateGraph(State)
    for name in ("left", "right"):
        builder.add_node(name, calls.node(name)).add_edge(START, name)
    bench, calls.broken = Bench(builder), {"right"}
    with pytest.raises(RuntimeError):
        await bench.perform({})
    calls.broken.clear()
    assert sorted((await output(bench))["done"]) == ["left", "right"]
    assert sorted(calls.made) == ["left", "right", "right"]


async def test_a_graph_that_had_ended_gives_its_output_again_without_running() -> None:
    calls = Calls()
    bench = Bench(line(calls, "one"))
    assert await output(bench) == await output(bench) == {"done": ["one"]}
    assert calls.made == ["one"]


async def test_another_input_under_the_same_key_is_another_run() -> None:
    calls = Calls()
    bench = Bench(line(calls, "one"))
    await output(bench, {"topic": "sewing"})
    assert (await output(bench, {"topic": "knitting"}))["topic"] == "knitting"
    assert calls.made == ["one", "one"]


async def test_a_zombie_is_refused_as_soon_as_its_successor_has_begun() -> None:
    entered, go = asyncio.Event(), asyncio.Event()
    made: list[int] = []

    async def node(state: State) -> State:
        made.append(len(made))
        if len(made) == 1:
            entered.set()
            await go.wait()
        return {"done": [f"by {made[-1]}"]}

    bench = Bench(single(node))
    zombie = asyncio.ensure_future(bench.perform({}))
    await entered.wait()
    assert await output(bench) == {"done": ["by 1"]}
    go.set()
    with pytest.raises(Fenced):
        await zombie
    assert await output(bench) == {"done": ["by 1"]}


async def test_an_attempt_of_an_old_epoch_begins_nothing() -> None:
    calls = Calls()
    bench = Bench(line(calls, "one"))
    bench.tables.threads["home"].epoch = 2
    with pytest.raises(Fenced):
        await bench.perform({})
    assert calls.made == []


async def test_a_subgraph_goes_on_where_it_was_too() -> None:
    calls = Calls()
    bench, calls.broken = Bench(single(line(calls, "one", "two").compile())), {"two"}
    with pytest.raises(RuntimeError):
        await bench.perform({})
    calls.broken.clear()
    await output(bench)
    assert calls.made == ["one", "two", "two"]


async def test_a_plain_function_may_call_a_subgraph_from_its_thread() -> None:
    inner = single(lambda state: {"done": ["inner"]}).compile(checkpointer=True)

    def node(state: State) -> State:
        return {"done": ["plain", *inner.invoke({"done": []})["done"]]}

    bench = Bench(single(node))
    assert await output(bench) == {"done": ["plain", "inner"]}
    namespaces = {each.checkpoint.ns for each in await bench.checkpoints.find(GraphQuery(thread_id="home"))}
    assert namespaces == {"", "node"}


async def test_sends_and_the_functional_api_work_too() -> None:
    def fan_out(state: State) -> list[Send]:
        return [Send("node", {"topic": topic}) for topic in "ab"]

    async def node(state: State) -> State:
        return {"done": [state.get("topic", "")]}

    fan = StateGraph(State).add_node("node", node).add_conditional_edges(START, fan_out, ["node"])
    assert await output(Bench(fan)) == {"done": ["a", "b"]}

    @entrypoint()
    async def double(number: int) -> int:
        return number * 2

    bench = Bench(double)
    assert [await output(bench, 4), await output(bench, 4)] == [8, 8]


class SlowToPut(MemoryGraphCheckpoints):
    """A store that takes its time."""

    async def put(self, run: GraphRun, checkpoint: GraphCheckpoint, values: Sequence[ChannelValue]) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        await super().put(run, checkpoint, values)


async def test_what_a_node_has_done_is_stored_before_the_next_begins() -> None:
    stored: list[list[str]] = []

    async def node(state: State) -> State:
        found = await checkpoints.find(GraphQuery(thread_id="home", limit=1))
        stored.append([value.channel for each in found for value in each.values])
        return {"done": ["node"]}

    builder = StateGraph(State).add_node("one", node).add_node("two", node)
    bench = Bench(builder.add_edge(START, "one").add_edge("one", "two"))
    checkpoints = SlowToPut(bench.tables)
    bench.kind = LangGraphKind(checkpoints, bench.graphs, bench.gates)
    await output(bench)
    assert "done" in stored[1]


def add_all(state: list[str], added: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for items in added for item in items)]


class Growing(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(add_all, list)]


@pytest.mark.parametrize("pruned", [False, True], ids=["whole", "pruned"])
async def test_a_delta_channel_is_put_together_again_from_its_ancestors(*, pruned: bool) -> None:
    broken = {"three"}

    def node(name: str) -> Any:
        async def run(state: Growing) -> Growing:
            if name in broken:
                raise RuntimeError(name)
            return {"log": [name]}

        return run

    builder = StateGraph(Growing)
    for before, name in ((START, "one"), ("one", "two"), ("two", "three")):
        builder.add_node(name, node(name)).add_edge(before, name)
    bench = Bench(builder)
    with pytest.raises(RuntimeError):
        await bench.perform({"log": ["input"]})
    broken.clear()
    if pruned:
        [(_, run_key)] = bench.checkpoints._runs
        await StoreSaver(bench.checkpoints, "home", epoch=1).aprune([run_key])
    assert await output(bench, {"log": ["input"]}) == {"log": ["input", "one", "two", "three"]}
