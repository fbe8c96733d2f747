"""Agents of the kind llm that use tools: the loop, what of it is durable, and what a crash does not repeat."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.runner import StepFailure
from app.domain.tools import ToolResult
from tests.unit.runners.llm_house import both, house
from tests.unit.runners.remembering import Crash, FakeTools, Remembering

WEB: dict[str, Any] = {"tools": [{"mcp": "web"}]}


def asks(*tools: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of the model that calls tools."""
    return {
        "tools": [
            {"name": name, "arguments": arguments, "id": f"id_{at}"} for at, (name, arguments) in enumerate(tools)
        ]
    } | more


def results(provider: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    """The results of tools that a request tells the model, by id."""
    if provider == "openai":
        return [(one["tool_call_id"], one["content"]) for one in body["messages"] if one["role"] == "tool"]
    blocks = [block for one in body["messages"] for block in one["content"] if isinstance(block, dict)]
    return [(one["tool_use_id"], one["content"]) for one in blocks if one["type"] == "tool_result"]


@both
async def test_the_model_is_told_what_its_tools_gave(provider: str) -> None:
    tools = FakeTools(web={"search": lambda given: f"hits for {given['q']}"})
    async with house(asks(("search", {"q": "ada"})), {"text": "Done"}, tools=tools) as at:
        output = await at.completed(provider, **WEB)
    assert output["text"] == "Done"
    assert tools.calls == [("web", "search", {"q": "ada"}, "t:e:s:tool:1:1")]
    assert results(provider, at.server.bodies[1]) == [("id_0", "hits for ada")]


@both
async def test_the_model_is_offered_the_tools_that_are_allowed(provider: str) -> None:
    tools = FakeTools(web={"search": str, "delete": str})
    async with house({"text": "x"}, tools=tools) as at:
        await at.completed(provider, tools=[{"mcp": "web", "allow": ["search"]}])
    (offered,) = at.server.bodies[0]["tools"]
    shown = offered["function"] if provider == "openai" else offered
    schema = shown["parameters" if provider == "openai" else "input_schema"]
    assert (shown["name"], shown["description"], schema["type"]) == ("search", "It can search", "object")


@both
async def test_calls_of_one_turn_run_side_by_side(provider: str) -> None:
    both_there = asyncio.Barrier(2)

    async def meet(_: Any) -> str:
        await both_there.wait()
        return "met"

    tools = FakeTools(web={"meet": meet})
    async with house(asks(("meet", {}), ("meet", {})), {"text": "Done"}, tools=tools) as at:
        await at.completed(provider, **WEB)
    assert results(provider, at.server.bodies[1]) == [("id_0", "met"), ("id_1", "met")]


async def test_a_server_that_numbers_all_its_calls_0_is_understood() -> None:
    tools = FakeTools(web={"search": lambda given: given["q"]})
    async with house(
        asks(("search", {"q": "a"}), ("search", {"q": "b"}), alike=True), {"text": "x"}, tools=tools
    ) as at:
        await at.completed(**WEB)
    assert results("openai", at.server.bodies[1]) == [("id_0", "a"), ("id_1", "b")]


@both
async def test_a_tools_own_error_goes_back_to_the_model(provider: str) -> None:
    tools = FakeTools(web={"search": lambda _: ToolResult(text="no such page", value=None, is_error=True)})
    async with house(asks(("search", {})), {"text": "Sorry"}, tools=tools) as at:
        output = await at.completed(provider, **WEB)
    assert output["text"] == "Sorry"
    assert results(provider, at.server.bodies[1]) == [("id_0", "no such page")]


@both
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("destroy", {}), "there is no tool 'destroy'; there are: search"),
        (("search", '{"q": '), "the arguments are not a JSON object"),
        (("search", "[1]"), "the arguments are not a JSON object"),
    ],
)
async def test_a_call_that_cannot_be_made_goes_back_to_the_model(
    provider: str, call: tuple[str, Any], told: str
) -> None:
    tools = FakeTools(web={"search": str})
    async with house(asks(call), {"text": "x"}, tools=tools) as at:
        await at.completed(provider, **WEB)
    assert (tools.calls, results(provider, at.server.bodies[1])) == ([], [("id_0", told)])


async def test_arguments_that_do_not_match_go_back_to_the_model() -> None:
    def refuse(_: Any) -> Any:
        raise StepFailure("q: not a text", kind="validation", retryable=False)

    async with house(asks(("search", {"q": 1})), {"text": "x"}, tools=FakeTools(web={"search": refuse})) as at:
        await at.completed(**WEB)
    assert results("openai", at.server.bodies[1]) == [("id_0", "q: not a text")]


async def test_a_server_that_is_lost_fails_the_attempt_after_the_other_calls_have_ended() -> None:
    def lost(_: Any) -> Any:
        raise StepFailure("gone", kind="mcp.disconnected", retry_after=3)

    context = Remembering()
    tools = FakeTools(web={"lost": lost, "search": lambda _: "found"})
    async with house(asks(("lost", {}), ("search", {})), tools=tools) as at:
        failed = await at.failed(context=context, **WEB)
    assert (failed.error.kind, failed.error.retryable, failed.retry_after) == ("mcp.disconnected", True, 3)
    assert list(context.memory) == ["turn:1", "tool:1:2"]


async def test_what_stops_a_result_from_being_remembered_is_raised_by_itself() -> None:
    context = Remembering(dies_at="tool:1:1")
    async with house(asks(("search", {}), ("search", {})), tools=FakeTools(web={"search": str})) as at:
        with pytest.raises(Crash):  # no Exception, as the engine's own are none
            await at.perform(context=context, **WEB)
    assert list(context.memory) == ["turn:1", "tool:1:2"]


async def test_a_server_without_an_allowed_tool_is_a_fault_of_the_configuration() -> None:
    async with house(tools=FakeTools(web={"search": str})) as at:
        failed = await at.failed(tools=[{"mcp": "web", "allow": ["find"]}])
    assert (failed.error.kind, failed.error.retryable) == ("configuration", False)
    assert failed.error.message == "MCP server web has no tool find"


async def test_tools_of_two_servers_with_one_name_are_told_apart() -> None:
    tools = FakeTools(web={"search": lambda _: "web"}, **{"my files": {"search": lambda _: "files", "a b": str}})
    async with house(asks(("my_files__search", {}), ("web__search", {})), {"text": "x"}, tools=tools) as at:
        await at.completed(tools=[{"mcp": "web"}, {"mcp": "my files"}])
    names = [one["function"]["name"] for one in at.server.bodies[0]["tools"]]
    assert names == ["web__search", "my_files__search", "a_b"]
    assert results("openai", at.server.bodies[1]) == [("id_0", "files"), ("id_1", "web")]


async def test_names_that_are_too_long_are_shortened_and_stay_unique() -> None:
    tools = FakeTools(web={"x" * 70: str, "x" * 71: str})
    async with house({"text": "x"}, tools=tools) as at:
        await at.completed(**WEB)
    names = {one["function"]["name"] for one in at.server.bodies[0]["tools"]}
    assert len(names) == 2
    assert all(len(name) == 64 for name in names)


@both
async def test_after_max_turns_it_fails_for_good_without_more_calls(provider: str) -> None:
    tools = FakeTools(web={"search": lambda _: "more"})
    async with house(asks(("search", {})), asks(("search", {})), tools=tools) as at:
        failed = await at.failed(provider, max_turns=2, **WEB)
    assert (failed.error.kind, failed.error.retryable) == ("llm.max_turns", False)
    assert (len(at.server.requests), len(tools.calls)) == (2, 1)


async def test_the_texts_of_two_turns_are_shown_with_a_line_between() -> None:
    context = Remembering()
    async with house(
        asks(("search", {}), pieces=["Let me ", "look."]), {"text": "Done"}, tools=FakeTools(web={"search": str})
    ) as at:
        await at.completed(context=context, **WEB)
    assert context.chunks == ["Let me ", "look.", "\n\nDone"]


async def test_anthropic_gets_its_thinking_back_as_it_was() -> None:
    tools = FakeTools(web={"search": lambda _: "found"})
    async with house(asks(("search", {"q": "a"}), thinking="hm", text="Look."), {"text": "Done"}, tools=tools) as at:
        await at.completed("anthropic", **WEB)
    said = at.server.bodies[1]["messages"][1]["content"]
    assert said[0] == {"type": "thinking", "thinking": "hm", "signature": "s1"}
    assert said[2]["input"] == {"q": "a"}


# ---- crashes


@both
@pytest.mark.parametrize(
    ("dies", "asked", "called"),
    [
        ({"dies_after": "turn:1"}, 2, 2),
        ({"dies_after": "tool:1:1"}, 2, None),
        ({"dies_after": "turn:2"}, 2, 2),
        ({"dies_at": "turn:2"}, 3, 2),
    ],
)
async def test_a_crash_repeats_nothing_that_was_remembered(
    provider: str, dies: dict[str, str], asked: int, called: int | None
) -> None:
    memory: dict[str, str] = {}
    tools = FakeTools(web={"search": lambda given: given["q"]})
    script = [asks(("search", {"q": "a"}), ("search", {"q": "b"})), *[{"text": "Done"}] * 2]
    async with house(*script, tools=tools) as at:
        with pytest.raises(Crash):
            await at.perform(provider, context=Remembering(memory, **dies), **WEB)
        already = {name for name in memory if name.startswith("tool")}
        before = len(tools.calls)
        output = await at.completed(provider, context=Remembering(memory), **WEB)
    assert (output["text"], len(at.server.requests)) == ("Done", asked)
    assert len(tools.calls) - before == 2 - len(already)
    assert called is None or len(tools.calls) == called


@both
async def test_a_replayed_turn_costs_nothing_and_is_shown_again(provider: str) -> None:
    memory: dict[str, str] = {}
    tools = FakeTools(web={"search": lambda _: "found"})
    async with house(asks(("search", {}), text="Look."), {"text": "Done"}, tools=tools) as at:
        with pytest.raises(Crash):
            await at.perform(provider, context=Remembering(memory, dies_after="turn:1"), **WEB)
        again = Remembering(memory)
        await at.completed(provider, context=again, **WEB)
    assert again.told.count("spend") == 1
    assert "".join(again.chunks) == "Look.\n\nDone"


async def test_an_answer_that_was_remembered_needs_no_server_at_all() -> None:
    memory: dict[str, str] = {}
    tools = FakeTools(web={"search": str})
    async with house({"text": "Done"}, tools=tools) as at:
        with pytest.raises(Crash):
            await at.perform(context=Remembering(memory, dies_after="turn:1"), **WEB)
    async with house(tools=tools) as at:
        output = await at.completed(context=Remembering(memory), **WEB)
    assert (output["text"], at.server.requests, tools.listed) == ("Done", [], ["web"])


async def test_another_providers_model_can_go_on() -> None:
    memory: dict[str, str] = {}
    tools = FakeTools(web={"search": lambda _: "found"})
    async with house(asks(("search", {"q": "a"}), thinking="hm", text="Look."), {"text": "Done"}, tools=tools) as at:
        with pytest.raises(Crash):
            await at.perform("anthropic", context=Remembering(memory, dies_after="turn:1"), **WEB)
        await at.completed("openai", context=Remembering(memory), **WEB)
    said = at.server.bodies[1]["messages"][1]
    assert (said["content"], said["tool_calls"][0]["function"]) == (
        "Look.",
        {"name": "search", "arguments": '{"q":"a"}'},
    )


async def test_more_turns_may_be_allowed_later() -> None:
    memory: dict[str, str] = {}
    tools = FakeTools(web={"search": lambda _: "found"})
    async with house(asks(("search", {})), {"text": "Done"}, tools=tools) as at:
        await at.failed(max_turns=1, context=Remembering(memory), **WEB)
        output = await at.completed(max_turns=2, context=Remembering(memory), **WEB)
    assert (output["text"], len(tools.calls)) == ("Done", 1)
