"""Agents of the kind llm with an output schema: how it is put to the models, and what does not fit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.runners.llm.structured import Shape, is_closed, is_strict
from tests.unit.runners.llm_house import House, both, house
from tests.unit.runners.remembering import FakeTools, Remembering

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SCORE: dict[str, Any] = {
    "type": "object",
    "properties": {"score": {"type": "integer", "maximum": 10}},
    "required": ["score"],
    "additionalProperties": False,
}
TEXTS: dict[str, Any] = {"type": "array", "items": {"$ref": "#/$defs/text"}, "$defs": {"text": {"type": "string"}}}


def answers(provider: str, text: str, **more: Any) -> dict[str, Any]:
    """An answer in the way of a provider: as text, or as the arguments of the tool that is made for it."""
    if provider == "openai":
        return {"text": text, **more}
    return {"tools": [{"name": "final_answer", "arguments": text}], **more}


@both
async def test_the_output_is_the_value_itself(provider: str) -> None:
    context = Remembering()
    async with house(answers(provider, '{"score": 7}')) as at:
        assert await at.completed(provider, schema=SCORE, context=context) == {"score": 7}
    assert "".join(context.chunks) == '{"score": 7}'


async def test_openai_is_held_to_a_schema_that_it_can_be_held_to() -> None:
    async with house(*[{"text": '{"score": 7}'}] * 2) as at:
        await at.completed(schema=SCORE)
        await at.completed(schema={**SCORE, "additionalProperties": True})
    first, second = (body["response_format"]["json_schema"] for body in at.server.bodies)
    assert first == {"name": "answer", "schema": SCORE, "strict": True}
    assert second["strict"] is False


@asynccontextmanager
async def at_anthropic(*script: dict[str, Any], **more: Any) -> AsyncGenerator[House]:
    """A house whose operator says that Anthropic is there."""
    async with house(*script, **more) as at:
        at.is_usual("anthropic")
        yield at


async def test_anthropic_itself_is_held_to_a_closed_schema_with_its_limits_told_in_words() -> None:
    async with at_anthropic({"text": '{"score": 7}'}) as at:
        effort = {"output_config": {"effort": "low"}}
        assert await at.completed("anthropic", url=None, schema=SCORE, params=effort) == {"score": 7}
    body = at.server.bodies[0]
    score = {"type": "integer", "description": "{maximum: 10}"}
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {**SCORE, "properties": {"score": score}},
    }
    assert (body["output_config"]["effort"], "tools" in body) == ("low", False)


async def test_anthropic_itself_is_asked_to_call_a_tool_for_an_open_schema() -> None:
    free = {"type": "object"}
    async with at_anthropic(answers("anthropic", '{"any": 1}')) as at:
        assert await at.completed("anthropic", url=None, schema=free, system="Be brief.") == {"any": 1}
    body = at.server.bodies[0]
    assert (body["tool_choice"], body["tools"][0]["input_schema"]) == ({"type": "auto"}, free)
    assert body["system"] == "Be brief.\n\nGive your final answer by calling the tool final_answer, once and last."


@both
async def test_the_prompt_may_be_all_that_tells_the_schema(provider: str) -> None:
    async with house({"text": '{"score": 7}'}) as at:
        assert await at.completed(provider, schema=SCORE, structured="prompt") == {"score": 7}
    body = at.server.bodies[0]
    system = body["messages"][0]["content"] if provider == "openai" else body["system"]
    assert "matches this JSON Schema" in system
    assert '"maximum":10' in system
    assert not {"tools", "response_format", "output_config"} & body.keys()


async def test_a_compatible_server_must_have_the_tool_of_the_answer_called() -> None:
    async with house(answers("anthropic", '{"score": 7}')) as at:
        await at.completed("anthropic", schema=SCORE)
    body = at.server.bodies[0]
    assert body["tool_choice"] == {"type": "tool", "name": "final_answer"}
    assert (body["tools"][0]["name"], body["tools"][0]["input_schema"]) == ("final_answer", SCORE)


async def test_anthropic_must_call_some_tool_while_it_has_others() -> None:
    tools = FakeTools(web={"final_answer": lambda _: "found"})
    calls = {"tools": [{"name": "web__final_answer", "arguments": {}}]}
    async with house(calls, answers("anthropic", '{"score": 7}'), tools=tools) as at:
        assert await at.completed("anthropic", schema=SCORE, tools=[{"mcp": "web"}]) == {"score": 7}
    assert at.server.bodies[0]["tool_choice"] == {"type": "any"}
    assert [tool["name"] for tool in at.server.bodies[0]["tools"]] == ["web__final_answer", "final_answer"]


async def test_an_answer_beside_tool_calls_waits_for_their_results() -> None:
    tools = FakeTools(web={"search": lambda _: "found"})
    calls = [{"name": "search", "arguments": {}}, {"name": "final_answer", "arguments": {"score": 1}}]
    async with house({"tools": calls}, answers("anthropic", '{"score": 7}'), tools=tools) as at:
        assert await at.completed("anthropic", schema=SCORE, tools=[{"mcp": "web"}]) == {"score": 7}
    assert len(tools.calls) == 1


async def test_a_model_that_thinks_cannot_be_made_to_call_a_tool_and_may_answer_in_text() -> None:
    async with house({"thinking": "hm", "text": '```json\n{"score": 7}\n```'}) as at:
        thinks = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        assert await at.completed("anthropic", schema=SCORE, params=thinks) == {"score": 7}
    assert at.server.bodies[0]["tool_choice"] == {"type": "auto"}


@both
async def test_a_value_that_is_no_object_is_wrapped_for_the_model(provider: str) -> None:
    async with house(answers(provider, '{"value": ["a", "b"]}')) as at:
        assert await at.completed(provider, schema=TEXTS) == ["a", "b"]
    body = at.server.bodies[0]
    shown = (
        body["response_format"]["json_schema"]["schema"] if provider == "openai" else body["tools"][0]["input_schema"]
    )
    assert shown["properties"]["value"]["items"] == {"$ref": "#/properties/value/$defs/text"}


async def test_a_bare_value_is_taken_too() -> None:
    async with house({"text": '["a"]'}) as at:
        assert await at.completed(schema=TEXTS) == ["a"]


@both
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"score": 11}', "/score: 11 is greater than the maximum of 10"),
        ('{"score": "x"}', "/score"),
        ("[1]", "(the whole)"),
    ],
)
async def test_an_answer_that_does_not_fit_may_get_better(provider: str, text: str, fault: str) -> None:
    async with house(answers(provider, text)) as at:
        failed = await at.failed(provider, schema=SCORE)
    assert (failed.error.kind, failed.error.retryable) == ("invalid_output", True)
    assert fault in failed.error.message
    assert text in failed.error.message


async def test_the_answer_in_the_message_is_shortened() -> None:
    async with house({"text": "y" * 10_000}) as at:
        failed = await at.failed(schema=SCORE)
    assert "not JSON" in failed.error.message
    assert len(failed.error.message) < 800


@both
async def test_the_next_attempt_tells_the_model_what_was_wrong(provider: str) -> None:
    memory: dict[str, str] = {}
    async with house(answers(provider, '{"score": 11}'), answers(provider, '{"score": 9}')) as at:
        await at.failed(provider, schema=SCORE, context=Remembering(memory), max_turns=1)
        output = await at.completed(provider, schema=SCORE, context=Remembering(memory), max_turns=1)
    said, told = at.server.bodies[1]["messages"][-2:]
    assert output == {"score": 9}
    assert '{"score": 11}' in str(said["content"])
    assert "11 is greater than the maximum of 10" in str(told["content"])
    assert [one["role"] for one in at.server.bodies[1]["messages"]] == ["user", "assistant", "user"]


@both
async def test_thinking_before_an_answer_that_does_not_fit_is_given_back_without_its_tool(provider: str) -> None:
    memory: dict[str, str] = {}
    async with house(answers(provider, '{"score": 11}', thinking="hm"), answers(provider, '{"score": 9}')) as at:
        await at.failed(provider, schema=SCORE, context=Remembering(memory))
        await at.completed(provider, schema=SCORE, context=Remembering(memory))
    assert "tool_use" not in str(at.server.bodies[1]["messages"])


@both
async def test_an_answer_cut_at_its_limit_is_final(provider: str) -> None:
    stop = {"openai": "length", "anthropic": "max_tokens"}[provider]
    context = Remembering()
    async with house(answers(provider, '{"score": ', stop=stop)) as at:
        failed = await at.failed(provider, schema=SCORE, context=context)
    assert (failed.error.kind, failed.error.retryable) == ("llm.truncated", False)
    assert (context.usage.output_tokens, context.memory) == (4, {})


async def test_params_may_ask_for_json_in_another_way() -> None:
    async with house({"text": '{"score": 7}'}) as at:
        await at.completed(schema=SCORE, params={"response_format": {"type": "json_object"}})
    assert at.server.bodies[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCORE, True),
        ({**SCORE, "required": []}, False),
        ({**SCORE, "$schema": "x"}, False),
        ({**SCORE, "properties": {"score": {"type": "string", "minLength": 1}}}, False),
        ({**SCORE, "properties": {"score": {"type": "object"}}}, False),
        ({**SCORE, "properties": {"score": True}}, False),
        ({**SCORE, "properties": {"score": {"anyOf": [SCORE, {"type": "null"}]}}}, True),
        ({**SCORE, "properties": {"score": {"type": "array", "items": {"type": "object"}}}}, False),
    ],
)
def test_strict_is_what_openai_can_be_held_to(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (SCORE, True),
        ({"type": "object"}, False),
        ({**SCORE, "additionalProperties": {"type": "string"}}, False),
        ({**SCORE, "patternProperties": {"^x": {}}}, False),
        ({**SCORE, "properties": {"score": {}}}, False),
        ({**SCORE, "properties": {"score": True}}, False),
        ({**SCORE, "properties": {"score": {"type": ["string", "null"]}}}, False),
        ({**SCORE, "properties": {"score": {"enum": ["a"]}}}, True),
        ({**SCORE, "properties": {"score": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, True),
        ({**SCORE, "properties": {"score": {"type": "array"}}}, False),
        ({**SCORE, "properties": {"score": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}, True),
        ({**SCORE, "properties": {"score": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}, False),
        ({**SCORE, "properties": {"score": {"$ref": "#"}}}, False),
    ],
)
def test_closed_is_what_anthropic_can_be_held_to(schema: dict[str, Any], closed: bool) -> None:
    assert is_closed(schema) is closed
    if closed:
        import anthropic  # noqa: PLC0415 - which takes seconds

        anthropic.transform_schema(schema)  # which raises for what it cannot say


def test_properties_alone_are_an_object() -> None:
    shape = Shape.of({"properties": {"value": {"type": "string"}}})
    assert shape.shown["type"] == "object"
    assert shape.take('{"value": "a"}') == ({"value": "a"}, None)


def test_a_schema_that_refers_to_itself_still_does_when_it_is_wrapped() -> None:
    shape = Shape.of({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]})
    assert shape.shown["properties"]["value"]["anyOf"][1]["items"] == {"$ref": "#/properties/value"}
    assert shape.take('{"value": [[null], []]}') == ([[None], []], None)
