"""Agents of the kind llm that answer in text: what is asked, what is given, what is shown, what it costs."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.domain.runner import Usage
from tests.unit.runners.llm_house import both, house
from tests.unit.runners.remembering import Remembering


@both
async def test_an_answer_is_text_with_model_and_stop_reason(provider: str) -> None:
    async with house({"text": "Hello, Ada"}) as at:
        output = await at.completed(provider)
    assert output == {"text": "Hello, Ada", "model": "m", "stop_reason": "end_turn"}


@both
async def test_the_answer_is_shown_piece_by_piece_as_it_comes(provider: str) -> None:
    context = Remembering()
    async with house({"pieces": ["Hel", "lo, ", "Ada"]}) as at:
        await at.completed(provider, context=context)
    assert context.chunks == ["Hel", "lo, ", "Ada"]


@both
async def test_the_tokens_are_counted_before_the_turn_is_remembered(provider: str) -> None:
    context = Remembering()
    async with house({"text": "Hi", "usage": {"input": 1_000_000, "output": 500_000}}) as at:
        await at.completed(provider, context=context)
    assert context.usage == Usage(input_tokens=1_000_000, output_tokens=500_000, cost_usd=2.0)
    assert context.told == ["spend", "turn:1"]


@both
async def test_tokens_from_a_cache_are_tokens_of_the_input(provider: str) -> None:
    context = Remembering()
    async with house({"text": "Hi", "usage": {"input": 100, "output": 1, "cached": 80}}) as at:
        await at.completed(provider, context=context)
    assert context.usage.input_tokens == 100


async def test_system_and_prompt_are_templates_over_the_input() -> None:
    async with house({"text": "x"}) as at:
        await at.completed(
            given={"who": "Ada", "tags": ["a", "b"]}, system="You are {input.who}.", prompt="Tags: {input.tags} {{}}"
        )
    assert at.server.bodies[0]["messages"] == [
        {"role": "system", "content": "You are Ada."},
        {"role": "user", "content": 'Tags: ["a","b"] {}'},
    ]


async def test_anthropic_gets_the_system_text_beside_the_messages() -> None:
    async with house({"text": "x"}) as at:
        await at.completed("anthropic", {"who": "Ada"}, system="You are {input.who}.")
    body = at.server.bodies[0]
    assert (body["system"], body["messages"]) == ("You are Ada.", [{"role": "user", "content": '{"who":"Ada"}'}])


@pytest.mark.parametrize(("given", "asked"), [("Hi", "Hi"), ({"a": [1, None]}, '{"a":[1,null]}'), (7, "7")])
async def test_without_a_prompt_the_input_itself_is_asked(given: Any, asked: str) -> None:
    async with house({"text": "x"}) as at:
        await at.completed(given=given)
    assert at.server.bodies[0]["messages"] == [{"role": "user", "content": asked}]


async def test_the_request_carries_what_is_configured() -> None:
    async with house({"text": "x"}, {"text": "y"}) as at:
        config = {"temperature": 0.2, "max_output_tokens": 99, "params": {"seed": 7}}
        await at.completed("openai", **config)
        await at.completed("anthropic", **config)
    first, second = at.server.bodies
    assert (first["temperature"], first["max_tokens"], first["seed"]) == (0.2, 99, 7)
    assert (second["temperature"], second["max_tokens"], second["seed"]) == (0.2, 99, 7)


async def test_anthropic_is_given_a_limit_where_none_is_configured() -> None:
    async with house({"text": "x"}) as at:
        await at.completed("anthropic")
    assert at.server.bodies[0]["max_tokens"] == 16_000


@both
async def test_the_key_of_the_named_variable_is_sent(provider: str) -> None:
    async with house({"text": "x"}, OTHER_KEY="other") as at:
        await at.completed(provider, api_key_env="OTHER_KEY")
    assert at.server.requests[0]["headers"]["authorization"] == "Bearer other"


@both
async def test_without_a_variable_no_key_is_sent(provider: str) -> None:
    async with house({"text": "x"}, OPENAI_API_KEY="", ANTHROPIC_API_KEY="") as at:
        await at.completed(provider, api_key_env=None)
    assert not {"authorization", "x-api-key"} & at.server.requests[0]["headers"].keys()


async def test_the_operators_base_url_is_the_usual_one() -> None:
    async with house({"text": "x"}) as at:
        at.is_usual("openai")
        await at.completed(url=None)
    assert at.server.requests[0]["path"] == "/v1/chat/completions"


@both
async def test_an_answer_cut_at_its_limit_is_still_an_answer_in_text(provider: str) -> None:
    stop = {"openai": "length", "anthropic": "max_tokens"}[provider]
    async with house({"text": "Once upon", "stop": stop}) as at:
        output = await at.completed(provider)
    assert (output["text"], output["stop_reason"]) == ("Once upon", "max_tokens")


async def test_the_published_price_of_a_known_model_is_used() -> None:
    context = Remembering()
    async with house({"text": "x", "usage": {"input": 1_000_000, "output": 0}}) as at:
        at.is_usual("openai")
        await at.completed(url=None, model="gpt-4o-mini", price=None, context=context)
    assert context.usage.cost_usd == pytest.approx(0.15)


async def test_an_unknown_price_is_nothing_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    context = Remembering()
    async with house({"text": "x"}, {"text": "y"}) as at:
        with caplog.at_level(logging.WARNING):
            await at.completed(model="llama3", price=None, context=context)
            await at.completed(model="llama3", price=None)
    assert (context.usage.input_tokens, context.usage.cost_usd) == (10, 0.0)
    assert [record.getMessage() for record in caplog.records].count(
        "the price of model llama3 is not known: it counts as free (config.price sets one)"
    ) == 1
