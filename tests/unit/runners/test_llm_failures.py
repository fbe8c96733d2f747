"""Agents of the kind llm that get no answer: each failure has its kind, is tried again or not, and never tells a key."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.domain.times import utc_now
from app.runners.llm.failures import retry_after
from tests.unit.runners.llm_house import KEY, both, house
from tests.unit.runners.remembering import Remembering


def says(status: int, message: str = "no", **error: Any) -> dict[str, Any]:
    """An answer that is an error."""
    return {"status": status, "error": {"message": message} | error}


@both
@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        (says(400), "llm.bad_request", False),
        (says(401), "llm.auth", False),
        (says(402), "llm.quota", False),
        (says(403), "llm.auth", False),
        (says(404), "llm.bad_request", False),
        (says(408), "timeout", True),
        (says(409), "llm.unavailable", True),
        (says(413), "llm.bad_request", False),
        (says(422), "llm.bad_request", False),
        (says(429), "llm.rate_limited", True),
        (says(429, code="insufficient_quota"), "llm.quota", False),
        (says(400, code="context_length_exceeded"), "llm.context_length", False),
        (says(400, "prompt is too long: 210000 tokens > 200000 maximum"), "llm.context_length", False),
        (says(500), "llm.unavailable", True),
        (says(503), "llm.unavailable", True),
        (says(529, type="overloaded_error"), "llm.unavailable", True),
        ({"status": 502, "body": "<html>"}, "llm.unavailable", True),
        ({"status": 307, "headers": {"location": "http://127.0.0.1:1/"}}, "llm.bad_request", False),
    ],
)
async def test_a_status_has_its_kind(provider: str, answer: dict[str, Any], kind: str, retryable: bool) -> None:
    async with house(answer) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == (kind, retryable)
    assert len(at.server.requests) == 1  # the library does not try again by itself
    assert str(answer["status"]) in failed.error.message


@both
async def test_the_providers_words_are_told(provider: str) -> None:
    async with house(says(404, "The model `m` does not exist")) as at:
        failed = await at.failed(provider)
    place = f"{provider} at 127.0.0.1:{at.server.port}"
    assert failed.error.message == f"{place} answered 404: The model `m` does not exist"


@both
@pytest.mark.parametrize("told", [f"Incorrect API key provided: {KEY}.", "Incorrect API key: sk-test-01*****6789."])
async def test_no_key_is_told(provider: str, told: str) -> None:
    async with house(says(401, told)) as at:
        failed = await at.failed(provider)
    assert "0123" not in failed.error.message
    assert "6789" not in failed.error.message


@both
@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "nan"}, 0.0),
    ],
)
async def test_the_pause_that_is_asked_for_is_handed_on(
    provider: str, headers: dict[str, str], pause: float | None
) -> None:
    async with house({**says(429), "headers": headers}) as at:
        failed = await at.failed(provider)
    assert failed.retry_after == pause


def test_a_pause_may_be_a_date() -> None:
    pause = retry_after({"retry-after": format_datetime(utc_now() + timedelta(seconds=60), usegmt=True)})
    assert pause is not None
    assert 0 < pause <= 60


@both
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "busy"}, "llm.unavailable"),
        ({"type": "rate_limit_error", "message": "slow down"}, "llm.rate_limited"),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, "llm.context_length"),
        ({"message": "strange"}, "llm.unavailable"),
    ],
)
async def test_an_error_in_the_middle_of_the_stream_has_its_kind(provider: str, error: Any, kind: str) -> None:
    async with house({"text": "Once upon", "error": error}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, error["message"] in failed.error.message) == (kind, True)


@pytest.mark.parametrize(
    ("code", "kind"), [(400, "llm.bad_request"), ("429", "llm.rate_limited"), (200, "llm.unavailable")]
)
async def test_an_error_in_the_stream_may_have_a_status_for_its_code(code: Any, kind: str) -> None:
    async with house({"text": "Once", "error": {"message": "no", "code": code}}) as at:
        failed = await at.failed()
    assert failed.error.kind == kind


@both
@pytest.mark.parametrize("how", ["cut", "drop"])
async def test_an_answer_that_breaks_off_is_no_answer(provider: str, how: str) -> None:
    context = Remembering()
    async with house({"text": "Once upon", how: True}) as at:
        failed = await at.failed(provider, context=context)
    assert (failed.error.kind, failed.error.retryable) == ("llm.unavailable", True)
    assert context.memory == {}


async def test_what_is_known_of_a_broken_answers_tokens_is_counted() -> None:
    context = Remembering()
    async with house({"text": "Once", "cut": True, "usage": {"input": 30, "output": 9}}) as at:
        await at.failed("anthropic", context=context)
    assert (context.usage.input_tokens, context.told) == (30, ["spend"])


@both
async def test_nobody_there_may_get_better(provider: str) -> None:
    async with house() as at:
        failed = await at.failed(provider, url="http://127.0.0.1:1/v1")
    assert (failed.error.kind, failed.error.retryable) == ("llm.unavailable", True)


@both
async def test_no_answer_in_time_is_a_timeout(provider: str) -> None:
    async with house({"hold": "for ever"}) as at:
        failed = await at.failed(provider, timeout="300ms")
        at.server.hold("for ever").set()
    assert (failed.error.kind, failed.error.retryable) == ("timeout", True)


@both
async def test_a_cancelled_attempt_ends_its_request(provider: str) -> None:
    async with house({"hold": "it"}) as at:
        async with asyncio.timeout(30):
            task = asyncio.create_task(at.perform(provider))
            await at.server.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        at.server.hold("it").set()


@both
async def test_a_refusal_is_final(provider: str) -> None:
    async with house({"refusal": "I will not"}) as at:
        failed = await at.failed(provider)
    assert (failed.error.kind, failed.error.retryable) == ("llm.refused", False)


async def test_a_filtered_answer_is_a_refusal() -> None:
    async with house({"text": "x", "stop": "content_filter"}) as at:
        failed = await at.failed()
    assert failed.error.kind == "llm.refused"


@both
async def test_a_tool_call_cut_at_the_limit_is_not_made(provider: str) -> None:
    stop = {"openai": "length", "anthropic": "max_tokens"}[provider]
    context = Remembering()
    async with house({"tools": [{"name": "search", "arguments": '{"q": "a'}], "stop": stop}) as at:
        failed = await at.failed(provider, context=context)
    assert (failed.error.kind, failed.error.retryable, context.memory) == ("llm.truncated", False, {})


async def test_a_prompt_that_cannot_be_filled_in_is_final() -> None:
    async with house() as at:
        failed = await at.failed(given={"a": 1}, prompt="{input.b}")
    assert (failed.error.kind, failed.error.retryable) == ("expression", False)


async def test_an_empty_prompt_is_not_sent() -> None:
    async with house() as at:
        failed = await at.failed(given="  ")
    assert (failed.error.kind, at.server.requests) == ("validation", [])


@both
async def test_no_key_is_told_of_an_answer_that_cannot_be_read(provider: str) -> None:
    async with house({"raw": f"data: {'x' * 95}{KEY}\n\n"}) as at:
        failed = await at.failed(provider)
    assert "x***" in failed.error.message.replace("'", "")
    assert KEY[:8] not in failed.error.message


@both
async def test_no_key_is_logged_even_at_the_finest_level(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with house({"text": "x"}, says(401, f"Incorrect API key provided: {KEY}.")) as at:
            await at.completed(provider)
            await at.failed(provider)
    assert len(caplog.records) > 1
    assert [record.name for record in caplog.records if KEY in record.getMessage()] == []
