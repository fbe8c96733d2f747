"""What a graph is given, streams and gives."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph, add_messages

from app.domain.runner import StepFailure, Usage
from tests.unit.runners.graph_steps import Bench, Calls, State, line, output, single


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


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
