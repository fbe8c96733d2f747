"""The kind `langgraph`: graphs go on where they were, ask by gates, stream as chunks, and give JSON."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from operator import add
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Send, interrupt

from app.domain.errors import Fenced, StartupError
from app.domain.graph_checkpoints import ChannelValue, GraphCheckpoint, GraphQuery, GraphRun
from app.domain.runner import Asleep, Completed, StepFailure, Usage
from app.runners.graphs import Graphs, graph
from app.runners.langgraph import LangGraphKind
from app.runners.langgraph_saver import StoreSaver
from app.store.memory_langgraph import MemoryGraphCheckpoints
from tests.unit.runners.graph_steps import Bench

PAGE = Path(__file__).parents[3] / "docs/langgraph.md"


class State(TypedDict, total=False):
    done: Annotated[list[str], add]
    topic: str


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Calls:
    """Nodes that count how often they ran; one that is named in `broken` fails."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.broken: set[str] = set()

    def node(self, name: str) -> Any:
        async def run(state: State) -> State:
            self.made.append(name)
            if name in self.broken:
                raise RuntimeError(f"{name} is broken")
            return {"done": [name]}

        return run


def line(calls: Calls, *names: str, **compiling: Any) -> Any:
    """A graph of nodes in a line."""
    builder = StateGraph(State)
    for before, name in zip((START, *names), names, strict=False):
        builder.add_node(name, calls.node(name)).add_edge(before, name)
    return builder.compile(**compiling) if compiling else builder


def single(node: Any, schema: Any = State) -> Any:
    """A graph of one node."""
    return StateGraph(schema).add_node("node", node).add_edge(START, "node")


async def output(bench: Bench, given: Any = None) -> Any:
    """That of an attempt that must complete."""
    outcome = await bench.perform({} if given is None else given)
    assert isinstance(outcome, Completed), outcome
    return outcome.output


# ---- where it goes on
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


# ---- interrupts
async def asks(state: State) -> State:
    first = interrupt({"question": "first?"})
    second = interrupt("second?")
    return {"done": [f"{first}, {second}"]}


async def test_an_interrupt_is_a_gate_and_its_answer_the_interrupts_value() -> None:
    bench = Bench(single(asks))
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert outcome.gate is not None
    assert outcome.gate.show_json == '{"question":"first?"}'
    await bench.answer("yes")
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert outcome.gate is not None
    assert (outcome.gate.key.round, outcome.gate.show_json) == (1, '"second?"')
    await bench.answer(None, 1)
    assert await output(bench) == {"done": ["yes, None"]}


async def test_a_look_before_there_is_an_answer_asks_the_same_again() -> None:
    bench = Bench(single(asks))
    asked = [await bench.perform({}) for _ in range(3)]
    assert {each.gate.key.round for each in asked if isinstance(each, Asleep) and each.gate} == {0}


async def test_an_answer_that_was_taken_up_before_a_crash_is_not_the_answer_to_the_next_question() -> None:
    made: list[str] = []

    async def node(state: State) -> State:
        made.append(interrupt("first?"))
        if len(made) == 1:
            raise RuntimeError("after the answer")
        return {"done": [made[-1], interrupt("second?")]}

    bench = Bench(single(node))
    await bench.perform({})
    await bench.answer("one")
    with pytest.raises(RuntimeError):
        await bench.perform({})
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    await bench.answer("two", 1)
    assert await output(bench) == {"done": ["one", "two"]}


async def test_an_answer_that_was_handed_over_but_never_taken_up_is_handed_over_again() -> None:
    bench = Bench(single(asks))
    await bench.perform({})
    await bench.answer("yes")
    bench.memory["handed:0"] = 0  # and then the process died
    await bench.perform({})
    await bench.answer("no", 1)
    assert await output(bench) == {"done": ["yes, no"]}


async def test_of_answers_at_once_the_one_that_was_not_taken_up_is_handed_over_again() -> None:
    tried: list[str] = []

    async def left(state: State) -> State:
        if tried.append("left") or len(tried) == 2:  # before it has looked at its answer
            raise RuntimeError("left fails")
        return {"done": [interrupt("left?"), interrupt("more?")]}

    async def right(state: State) -> State:
        return {"done": [interrupt("right?")]}

    builder = StateGraph(State).add_node(left).add_node(right).add_edge(START, "left").add_edge(START, "right")
    bench = Bench(builder)
    await bench.perform({})
    shown = {text: key for key, text in json.loads(bench.attempts[-1].asked[0].show_json or "").items()}
    await bench.answer({shown["left?"]: "L", shown["right?"]: "R"})
    with pytest.raises(RuntimeError):
        await bench.perform({})
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert outcome.gate is not None
    assert outcome.gate.show_json == '"more?"'
    await bench.answer("M", 1)
    assert await output(bench) == {"done": ["L", "M", "R"]}


async def test_an_interrupt_in_a_subgraph_is_answered_once_too() -> None:
    made: list[str] = []

    async def inner(state: State) -> State:
        made.append(interrupt("first?"))
        if len(made) == 1:
            raise RuntimeError("after the answer")
        return {"done": [made[-1], interrupt("second?")]}

    bench = Bench(single(single(inner).compile()))
    await bench.perform({"done": []})
    await bench.answer("one")
    with pytest.raises(RuntimeError):
        await bench.perform({"done": []})
    assert isinstance(await bench.perform({"done": []}), Asleep)
    await bench.answer("two", 1)
    assert (await output(bench, {"done": []}))["done"][-2:] == ["one", "two"]


async def test_interrupts_at_once_are_one_gate_whose_answer_has_a_value_for_each() -> None:
    async def left(state: State) -> State:
        return {"done": [f"left {interrupt('left?')}"]}

    async def right(state: State) -> State:
        return {"done": [f"right {interrupt('right?', response_schema={'type': 'integer'})}"]}

    builder = StateGraph(State).add_node(left).add_node(right).add_edge(START, "left").add_edge(START, "right")
    bench = Bench(builder)
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    gate = bench.attempts[-1].asked[0]
    assert gate.show_json is not None
    shown = {text: key for key, text in json.loads(gate.show_json).items()}
    assert gate.form_json is not None
    assert '{"type":"integer"}' in gate.form_json
    await bench.answer({shown["left?"]: "L", shown["right?"]: 7})
    assert await output(bench) == {"done": ["left L", "right 7"]}


async def test_each_answer_is_looked_at_again_by_later_attempts_so_that_events_tell_of_it() -> None:
    bench = Bench(single(asks))
    await bench.perform({})
    await bench.answer("yes")
    await bench.perform({})
    await bench.perform({})
    assert [gate.key.round for gate in bench.attempts[-1].asked if gate.answered] == [0]


@pytest.mark.parametrize("stop", ["interrupt_before", "interrupt_after"])
async def test_a_breakpoint_is_a_gate_that_any_answer_opens(stop: str) -> None:
    calls = Calls()
    bench = Bench(line(calls, "one", "two", "three", **{stop: ["two"]}))
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    reached = list(calls.made)
    assert isinstance(await bench.perform({}), Asleep)
    assert calls.made == reached == (["one"] if stop == "interrupt_before" else ["one", "two"])
    await bench.answer({"go": "on"})
    assert await output(bench) == {"done": ["one", "two", "three"]}
    assert calls.made == ["one", "two", "three"]


async def test_a_breakpoint_inside_of_a_subgraph_is_a_clear_failure() -> None:
    bench = Bench(single(line(Calls(), "one", "two", interrupt_before=["two"])))
    with pytest.raises(StepFailure, match=r"stopped inside node: .* interrupt\(\)"):
        await bench.perform({})


# ---- streams
async def test_nodes_are_progress_and_custom_text_is_chunks() -> None:
    async def node(state: State) -> State:
        write = get_stream_writer()
        write("some ")
        write("text")
        write({"progress": 0.5, "message": "half"})
        write({"unknown": True})
        return {"done": ["node"]}

    bench = Bench(single(node))
    await output(bench)
    assert bench.said == ["some ", "text", (0.5, "half"), (None, "node")]


async def test_what_a_model_says_is_chunks_and_what_it_costs_is_spent() -> None:
    answer = AIMessage("to sew", usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5})
    model = GenericFakeChatModel(messages=iter([answer]))

    async def node(state: Chat) -> Chat:
        return {"messages": [await model.ainvoke(state["messages"])]}

    bench = Bench(single(node, Chat))
    said = await output(bench, {"messages": [{"role": "user", "content": "what is it?"}]})
    assert "".join(text for text in bench.said if isinstance(text, str)) == "to sew"
    assert [(each["type"], each["content"]) for each in said["messages"]] == [
        ("human", "what is it?"),
        ("ai", "to sew"),
    ]


async def test_messages_that_a_node_gives_tell_of_tokens_and_only_the_models_are_streamed() -> None:
    async def node(state: Chat) -> Chat:
        usage: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
        return {"messages": [HumanMessage("aside"), AIMessage("spoken", usage_metadata=usage)]}

    bench = Bench(single(node, Chat))
    await output(bench, {"messages": []})
    context: Any = bench.attempts[-1].context
    assert [text for text in bench.said if isinstance(text, str)] == ["spoken"]
    assert context.usage == Usage(input_tokens=3, output_tokens=2)


# ---- what it is given and gives
async def test_a_state_that_json_has_no_word_for_is_an_invalid_output() -> None:
    async def node(state: dict[str, Any]) -> dict[str, Any]:
        return {"thing": {"deep": [b"bytes"]}}

    class Anything(TypedDict, total=False):
        thing: Any

    with pytest.raises(StepFailure, match=r"the output\.thing\.deep\[0\] is a builtins\.bytes") as failed:
        await Bench(single(node, Anything)).perform({})
    assert (failed.value.kind, failed.value.retryable) == ("invalid_output", False)


async def test_a_value_that_is_too_large_to_be_kept_fails_the_step() -> None:
    async def node(state: State) -> State:
        return {"topic": "x" * 100_001}

    with pytest.raises(StepFailure) as failed:
        await Bench(single(node)).perform({})
    assert failed.value.kind == "output_too_large"


async def test_too_many_supersteps_and_a_wrong_input_are_final() -> None:
    endless = StateGraph(State).add_node("again", Calls().node("again"))
    endless.add_edge(START, "again").add_conditional_edges("again", lambda state: "again", ["again", END])
    for bench, given, kind in (
        (Bench(endless, recursion_limit=3), {}, "recursion_limit"),
        (Bench(line(Calls(), "one")), "not an object", "validation"),
    ):
        with pytest.raises(StepFailure) as failed:
            await bench.perform(given)
        assert (failed.value.kind, failed.value.retryable) == (kind, False)


async def test_a_node_finds_the_key_and_what_the_agent_is_configured_with() -> None:
    found: dict[str, Any] = {}

    async def node(state: State, config: RunnableConfig) -> State:
        found.update(config.get("configurable", {}))
        return {}

    await output(Bench(single(node), configurable={"tone": "dry"}))
    assert (found["tone"], found["idempotency_key"]) == ("dry", "home:0199aaaa-0000-7000-8000-000000000001:research")


# ---- what is wrong with it
def test_an_unknown_graph_and_one_that_cannot_be_built_are_told() -> None:
    def build() -> Any:
        raise RuntimeError("no model")

    bench = Bench(build)
    assert bench.kind.check(bench.agent) == ["the graph 'researcher' cannot be built: RuntimeError: no model"]
    bench.agent = type(bench.agent)(name="a", kind="langgraph", config={"graph": "other"})
    assert bench.kind.check(bench.agent) == ["no graph is registered as 'other'; known: researcher (see MODULES)"]


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runners.langgraph.find_spec", lambda name: None)
    bench = Bench(line(Calls(), "one"))
    assert bench.kind.check(bench.agent) == ["LangGraph is not installed: pip install 'backstitch[langgraph]'"]


# ---- how it is registered
def test_marked_graphs_of_a_module_are_agents_of_their_names() -> None:
    module = ModuleType("some_graphs")
    module.__dict__["built"] = graph("built", description="as it is")(line(Calls(), "one").compile())
    module.__dict__["again"] = module.__dict__["built"]

    @graph("made", tags=["slow"])
    def make() -> Any:
        return line(Calls(), "one")

    module.__dict__["make"] = make
    graphs = Graphs()
    graphs.scan(module)
    assert [(about.name, about.kind, dict(about.config), where) for about, where in graphs.agents()] == [
        ("built", "langgraph", {"graph": "built"}, "some_graphs:built"),
        ("made", "langgraph", {"graph": "made"}, "some_graphs:make"),
    ]


def test_two_graphs_of_one_name_and_what_is_no_graph_are_refused() -> None:
    graphs = Graphs()
    graphs.add(graph("same")(line(Calls(), "one")))
    with pytest.raises(StartupError, match="two graphs are registered as 'same'"):
        graphs.add(graph("same")(line(Calls(), "one")))
    with pytest.raises(TypeError, match="neither a graph nor a function"):
        graph("nothing")(3)


def test_the_kind_is_there_without_langgraph_being_imported() -> None:
    program = (
        "import sys, app.runners.langgraph, app.runners.graphs, app.store.langgraph; print('langgraph' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


# ---- docs/langgraph.md
def shown(number: int) -> dict[str, Any]:
    """What a block of Python in the page leaves behind."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    module = ModuleType("my_graphs")
    sys.modules["my_graphs"] = module  # where LangGraph looks for the types of a state
    exec(compile(blocks[number], str(PAGE), "exec"), module.__dict__)  # noqa: S102
    return module.__dict__


async def test_the_example_of_the_page_asks_and_goes_on() -> None:
    bench = Bench(shown(0)["build"])
    asked = await bench.perform({"topic": "sewing"})
    assert isinstance(asked, Asleep)
    assert bench.said[0] == "All about sewing."
    assert asked.gate is not None
    assert asked.gate.show_json == '{"text":"All about sewing."}'
    await bench.answer({"approved": True})
    assert (await output(bench, {"topic": "sewing"}))["verdict"] == {"approved": True}
    assert bench.said == [(None, "review")]


@pytest.mark.parametrize(("number", "name"), [(1, "echo"), (2, "finder")])
def test_the_other_graphs_of_the_page_can_be_registered(number: int, name: str) -> None:
    module = ModuleType("shown")
    module.__dict__.update(shown(number))
    graphs = Graphs()
    graphs.scan(module)
    found = graphs.find(name)
    assert found is not None
    assert found.build() is found.compiled


# ---- channels that are stored as what was added to them
def add_all(state: list[str], added: list[list[str]]) -> list[str]:
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
