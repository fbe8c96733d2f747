"""Providers that mean harm or are broken: no answer has no end, whatever cannot be read is told, and no count breaks a step."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest

from app.domain.retry import OUTPUT_TOO_LARGE
from app.domain.runner import Completed
from app.runners.llm.reading import Endless
from app.runners.llm.talk import Heard, Wanted
from tests.unit.runners.llm_house import both, house
from tests.unit.runners.remembering import Remembering

LIMIT = 2_000
PATIENCE = "15s"
"""After which what does not end has failed."""
ENOUGH = 900
"""Characters that no message may have more of."""


def data(*values: Any) -> str:
    """Events that hold these values."""
    return "".join(f"data: {json.dumps(value)}\n\n" for value in values)


def piece(provider: str, text: Any, place: Any = 0) -> dict[str, Any]:
    """An event with a piece of the answer's text."""
    if provider == "openai":
        return {"choices": [{"index": 0, "delta": {"content": text}}]}
    return {"type": "content_block_delta", "index": place, "delta": {"type": "text_delta", "text": text}}


START = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
ENDLESS = {
    "texts": "longer than 2,000 characters",
    "arguments": "longer than 2,000 characters",
    "lines": "2,000 bytes without the end of an event",
    "comments": "2,000 bytes without the end of an event",
    "events": "longer than 16,000 bytes",
}


def endless(provider: str, what: str) -> str:
    """What is sent again and again."""
    function = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "x" * 50}}
    tool = {"type": "content_block_start", "content_block": {"type": "tool_use", "id": "c", "name": "n" * 50}}
    return {
        "texts": data(START, piece(provider, "x" * 50)),
        "arguments": data({"choices": [{"delta": {"tool_calls": [function]}}]} if provider == "openai" else tool),
        "lines": "data: " + "x" * 100,
        "comments": ": still there\n\n",
        "events": data({"type": "ping"}),
    }[what]


@both
@pytest.mark.parametrize("what", ENDLESS)
async def test_an_answer_without_end_is_given_up(provider: str, what: str) -> None:
    async with house({"raw": endless(provider, what), "endless": True}, max_bytes=LIMIT) as at:
        failed = await at.failed(provider, timeout=PATIENCE)
    assert (failed.error.kind, failed.error.retryable) == (OUTPUT_TOO_LARGE, False)
    assert failed.error.message.startswith(f"the answer of {provider} at 127.0.0.1:")
    assert failed.error.message.endswith(ENDLESS[what])


@both
async def test_an_answer_that_is_packed_though_that_was_not_asked_for_is_bounded_unpacked(provider: str) -> None:
    bomb = gzip.compress(data({"type": "ping"}).encode() * 500_000)
    answer = {"raw": bomb, "headers": {"content-encoding": "gzip"}}
    async with house(answer, max_bytes=100_000) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == (OUTPUT_TOO_LARGE, False)
    assert failed.error.message.endswith("longer than 800,000 bytes")


async def test_an_answer_that_is_packed_is_read() -> None:
    packed = gzip.compress((data(piece("openai", "Hi"), {"choices": [{"finish_reason": "stop"}]})).encode())
    async with house({"raw": packed, "headers": {"content-encoding": "gzip"}}) as at:
        assert (await at.completed())["text"] == "Hi"


@both
@pytest.mark.parametrize(
    ("encoding", "body"), [("br", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x", mtime=0)[:-4])]
)
async def test_an_answer_that_is_packed_wrongly_may_get_better(provider: str, encoding: str, body: bytes) -> None:
    async with house({"raw": body, "headers": {"content-encoding": encoding}}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == ("llm.unavailable", True)
    assert "packed" in failed.error.message


@both
@pytest.mark.parametrize("text", ["x" * 1_000, json.dumps({"error": {"message": "x" * 1_000}})])
async def test_an_error_without_end_keeps_its_kind(provider: str, text: str) -> None:
    async with house({"status": 401, "raw": text, "endless": True}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == ("llm.auth", False)
    assert len(failed.error.message) < ENOUGH


@both
@pytest.mark.parametrize(
    ("encoding", "body"), [("gzip", gzip.compress(b"x" * 10_000_000, mtime=0)), ("br", b"x"), ("gzip", b"x" * 9)]
)
async def test_an_error_that_is_packed_keeps_its_kind(provider: str, encoding: str, body: bytes) -> None:
    answer = {"status": 429, "raw": body, "headers": {"content-encoding": encoding, "retry-after": "3"}}
    async with house(answer) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.retry_after) == ("llm.rate_limited", 3.0)


@both
async def test_an_error_is_read_as_text_whatever_charset_it_names(provider: str) -> None:
    kind = {"content-type": "text/plain; charset=punycode"}
    async with house({"status": 503, "raw": "busy-abc", "headers": kind}) as at:
        failed = await at.failed(provider)
    assert failed.error.message.endswith("answered 503: busy-abc")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_the_parts_of_an_answer_are_counted(provider: str) -> None:
    if provider == "openai":
        parts = [{"choices": [{"delta": {"tool_calls": [{"id": f"c{at}", "index": at}]}}]} for at in range(1_001)]
    else:
        parts = [START | {"index": at} for at in range(1_001)]
    async with house({"raw": data(*parts)}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == (OUTPUT_TOO_LARGE, False)
    assert failed.error.message.endswith("more than 1,000 parts")


async def test_one_event_cannot_hold_any_number_of_pieces() -> None:
    async with house({"raw": data({"choices": [{"delta": {"tool_calls": [{}] * 1_001}}]})}) as at:
        failed = await at.failed()
    assert failed.error.message.endswith("tool_calls has more than 1,000 items")


@both
async def test_the_arguments_of_one_tool_call_without_end_are_given_up(provider: str) -> None:
    function = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "x" * 100_000}}
    more: Any = {"choices": [{"delta": {"tool_calls": [function]}}]}
    begun = ""
    if provider == "anthropic":
        begun = data(START | {"content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}}})
        delta = {"type": "input_json_delta", "partial_json": "x" * 100_000}
        more = {"type": "content_block_delta", "index": 0, "delta": delta}
    async with house({"raw": begun + data(*[more] * 11)}) as at:
        failed = await at.failed(provider, timeout=PATIENCE)
    assert (failed.error.kind, failed.error.retryable) == (OUTPUT_TOO_LARGE, False)
    assert failed.error.message.endswith("the arguments of a tool call are longer than 1,000,000 characters")


def test_the_arguments_of_all_tool_calls_of_an_answer_have_a_limit_together() -> None:
    heard = Heard(say=lambda _: None, limit=16_000_000)
    for _ in range(4):
        heard.argue(Wanted(), "x" * 1_000_000)
    with pytest.raises(Endless, match="longer than 4,000,000 characters together"):
        heard.argue(Wanted(), "x")


@pytest.mark.parametrize("field", ["input", "citations"])
@pytest.mark.parametrize("kind", ["text", "tool_use", "final_answer", "thinking", "new"])
async def test_a_block_does_not_begin_with_any_number_of_values(kind: str, field: str) -> None:
    called = {"type": "tool_use", "id": "c", "name": kind}
    block = called if kind in {"tool_use", "final_answer"} else {"type": kind}
    async with house({"raw": data(START | {"content_block": {**block, field: [{}] * 20_000}})}) as at:
        failed = await at.failed("anthropic")
    assert (failed.error.kind, failed.error.retryable) == (OUTPUT_TOO_LARGE, False)
    assert failed.error.message.endswith("a block begins with more than 1,000,000 characters that are no text")


async def test_a_refusal_without_end_is_given_up() -> None:
    refusing = data({"choices": [{"delta": {"refusal": "no" * 50}}]})
    async with house({"raw": refusing, "endless": True}, max_bytes=LIMIT) as at:
        failed = await at.failed()
    assert failed.error.kind == OUTPUT_TOO_LARGE
    assert failed.error.message.endswith("longer than 2,000 characters")


# ---- what cannot be read

DEEP = "[" * 100_000
ANY = [
    "data: {no json\n\n",
    "data: [1]\n\n",
    "data: 5\n\n",
    f"data: {DEEP}\n\n",
    'data: {"choices": [{"del',
    "data: \ud83d",
]
OPENAI = [
    {"choices": 5},
    {"choices": [5]},
    {"choices": [{"delta": "x"}]},
    piece("openai", ["x"]),
    piece("openai", {"text": "x"}),
    {"choices": [{"finish_reason": {}}]},
    {"choices": [{"delta": {"refusal": 5}}]},
    {"choices": [{"delta": {"tool_calls": {}}}]},
    {"choices": [{"delta": {"tool_calls": ["x"]}}]},
    {"choices": [{"delta": {"tool_calls": [{"id": 5}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"function": "f"}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"function": {"name": []}}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {"q": 1}}}]}}]},
    {"model": {}},
    {"usage": 5},
    {"usage": {"prompt_tokens_details": "x"}},
]
ANTHROPIC = [
    {"type": "message_start", "message": 5},
    {"type": "message_start", "message": {"model": 5}},
    {"type": "message_start", "message": {"usage": []}},
    {"type": "content_block_start", "content_block": "x"},
    {"type": "content_block_start", "content_block": {"type": 5}},
    {"type": "content_block_start", "content_block": {"type": "text", "text": 5}},
    {"type": "content_block_start", "content_block": {"type": "tool_use", "id": 5, "name": "f"}},
    {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": math.inf}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}},
    piece("anthropic", "x", 1),
    piece("anthropic", "x", -1),
    piece("anthropic", "x", "0"),
    piece("anthropic", 5),
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "x"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": {}}},
    {"type": "message_delta", "delta": 5},
    {"type": "message_delta", "delta": {"stop_reason": 5}},
]
BROKEN = [
    *[(provider, raw) for provider in ("openai", "anthropic") for raw in ANY],
    *[("openai", data(value)) for value in OPENAI],
    *[("anthropic", data(START, value).replace("Infinity", "1e999")) for value in ANTHROPIC],
]


@pytest.mark.parametrize(("provider", "raw"), BROKEN, ids=range(len(BROKEN)))
async def test_what_cannot_be_read_is_told_and_may_get_better(provider: str, raw: str) -> None:
    context = Remembering()
    async with house({"raw": raw.encode("utf-8", "surrogatepass")}) as at:
        failed = await at.failed(provider, context=context)
    assert (failed.error.kind, failed.error.retryable, context.memory) == ("llm.unavailable", True, {})
    assert failed.error.message.startswith(f"the answer of {provider} at 127.0.0.1:{at.server.port} cannot be read: ")
    assert len(failed.error.message) < ENOUGH


@both
async def test_what_is_no_stream_is_told(provider: str) -> None:
    async with house({"raw": "<html>Welcome</html>", "headers": {"content-type": "text/html"}}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == ("llm.unavailable", True)
    assert failed.error.message.endswith("cannot be read: it is no stream of events, but text/html")


async def test_a_call_nested_too_deep_to_be_kept_may_get_better() -> None:
    deep = '{"a":' * 198 + "1" + "}" * 198
    context = Remembering()
    async with house({"tools": [{"name": "f", "arguments": deep}]}) as at:
        failed = await at.failed(context=context)
    assert (failed.error.kind, failed.error.retryable, context.memory) == ("llm.unavailable", True, {})
    assert "cannot be kept" in failed.error.message


@both
async def test_half_a_character_is_no_reason_to_fail(provider: str) -> None:
    async with house({"pieces": ["Hi \ud83d", "\ude00"]}) as at:
        assert (await at.completed(provider))["text"].startswith("Hi ")


async def test_the_last_event_may_lack_its_empty_line() -> None:
    raw = data(piece("openai", "Hi"), {"choices": [{"finish_reason": "stop"}]}) + "data: [DONE]"
    async with house({"raw": raw}) as at:
        assert (await at.completed())["text"] == "Hi"


@both
async def test_what_comes_after_the_end_is_not_waited_for(provider: str) -> None:
    stop = {"openai": {"choices": [{"finish_reason": "stop"}]}, "anthropic": {"type": "message_delta"}}[provider]
    last = "data: [DONE]\n\n" if provider == "openai" else data({"type": "message_stop"})
    ended = stop | ({"delta": {"stop_reason": "end_turn"}} if provider == "anthropic" else {})
    async with house({"raw": data(START, piece(provider, "Hi"), ended) + last, "endless": True}) as at:
        assert (await at.completed(provider, timeout=PATIENCE))["text"] == "Hi"


@both
@pytest.mark.parametrize(
    "body",
    [[], 5, "x", None, {"error": 5}, {"error": [1]}, {"error": {"message": {"a": 1}}}, {"error": {"type": [1], "code": {}}},
     {"error": {"message": "x" * 100_000}}, {"error": "x" * 100_000}, {"message": 5}],
)  # fmt: skip
async def test_an_error_in_any_words_keeps_its_kind(provider: str, body: Any) -> None:
    async with house({"status": 500, "body": body}, {"raw": data({"error": body or 1})}) as at:
        for failed in (await at.failed(provider), await at.failed(provider)):
            assert (failed.error.kind, failed.error.retryable) == ("llm.unavailable", True)
            assert failed.error.message.startswith(f"{provider} at 127.0.0.1:{at.server.port} answered 500")
            assert len(failed.error.message) < ENOUGH


# ---- what is counted

ODD = [-5, -1e300, 1e308, math.nan, math.inf, "12", None, True, [1], {}, 10**400, 10**30, 12.9]


@both
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_no_count_of_a_provider_breaks_a_step(provider: str, odd: Any) -> None:
    context = Remembering()
    if provider == "openai":
        told = {"prompt_tokens": odd, "completion_tokens": odd, "prompt_tokens_details": {"cached_tokens": odd}}
        raw = data(piece("openai", "Hi"), {"choices": [{"finish_reason": "stop"}]}, {"usage": told})
    else:
        told = {"input_tokens": odd, "output_tokens": odd, "cache_read_input_tokens": odd}
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": told}
        raw = data(START, piece("anthropic", "Hi"), ended)
    async with house({"raw": raw}) as at:
        outcome = await at.perform(provider, context=context, price=None, model="gpt-4o")
    assert isinstance(outcome, Completed), outcome
    counted = [context.usage.input_tokens, context.usage.output_tokens, context.usage.cost_usd]
    assert all(math.isfinite(one) and 0 <= one <= 1_000_000_000 for one in counted)
    assert all(
        type(one) is int and 0 <= one <= 3_000_000_000 for one in json.loads(context.memory["turn:1"])["usage"].values()
    )


async def test_a_price_without_end_gives_a_cost_that_can_be_counted() -> None:
    context = Remembering()
    dear = {"input_per_million": 1e308, "output_per_million": 1e308}
    async with house({"text": "x", "usage": {"input": 10**9, "output": 10**9}}) as at:
        await at.completed(context=context, price=dear)
    assert math.isfinite(context.usage.cost_usd)


async def test_no_more_of_the_input_is_cached_than_there_is() -> None:
    context = Remembering()
    async with house({"text": "x", "usage": {"input": 10, "output": 1, "cached": 50}}) as at:
        await at.completed(context=context)
    assert json.loads(context.memory["turn:1"])["usage"]["cache_read_tokens"] == 10
