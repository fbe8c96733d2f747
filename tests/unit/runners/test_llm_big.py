"""Big answers of models are read in a thread, what they hold once; and connections that are being made are made once."""

from __future__ import annotations

import asyncio
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.runner import Completed
from app.runners.aside import BIG
from app.runners.llm import reading, structured, transport
from app.runners.llm.clients import Clients
from app.runners.llm.config import Config
from tests.unit.runners.llm_house import agent, both, house
from tests.unit.runners.remembering import Remembering, attempt
from tests.unit.runners.test_llm_bounds import START, data, piece

if TYPE_CHECKING:
    from collections.abc import Callable

BIG_TEXT = json.dumps({"q": "x" * BIG})
THOUGHTS = START | {"content_block": {"type": "thinking", "thinking": "hm"}}
HERE = threading.get_ident


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The big things that were read or written, each with its thread."""
    found: list[tuple[str, int]] = []

    def noted(work: Callable[..., Any], *given: Any, **more: Any) -> Any:
        if len(str(given[-1])) > BIG:
            found.append((str(given[-1]), HERE()))
        return work(*given, **more)

    for module, name in ((jsontext, "loads"), (reading, "kept"), (structured, "validate")):
        monkeypatch.setattr(module, name, partial(noted, getattr(module, name)))
    monkeypatch.setattr(reading, "_value", partial(noted, reading._value))
    monkeypatch.setattr("app.runners.llm.loop.kept", reading.kept)
    return found


def calling(provider: str) -> str:
    """An answer that is a tool call with big arguments."""
    if provider == "openai":
        function = {"index": 0, "id": "c", "function": {"name": "f", "arguments": BIG_TEXT}}
        return data({"choices": [{"delta": {"tool_calls": [function]}, "finish_reason": "tool_calls"}]})
    begun = START | {"index": 1, "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}}}
    delta = {"type": "input_json_delta", "partial_json": BIG_TEXT}
    more = {"type": "content_block_delta", "index": 1, "delta": delta}
    return data(THOUGHTS, begun, more, {"type": "message_delta", "delta": {"stop_reason": "tool_use"}})


@both
async def test_big_arguments_are_read_once_and_in_a_thread(provider: str, read: list[tuple[str, int]]) -> None:
    context = Remembering()
    async with house({"raw": calling(provider)}) as at:
        await at.failed(provider, context=context, max_turns=1)
    turn = json.loads(context.memory["turn:1"])
    assert turn["calls"][0]["arguments"] == json.loads(BIG_TEXT)
    assert provider == "openai" or turn["blocks"][1]["input"] == json.loads(BIG_TEXT)
    assert [text for text, _ in read].count(BIG_TEXT) == 1
    assert len(read) >= 4
    assert HERE() not in {thread for _, thread in read}


@both
async def test_a_big_structured_answer_is_read_in_a_thread(provider: str, read: list[tuple[str, int]]) -> None:
    stop: Any = {"choices": [{"finish_reason": "stop"}]}
    if provider == "anthropic":
        stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    async with house({"raw": data(START, piece(provider, BIG_TEXT), stop)}) as at:
        one = agent(provider, at.url(provider), schema={"type": "object"})
        outcome = await at.kind.perform(one, attempt("Hi"))
    assert outcome == Completed(output=json.loads(BIG_TEXT))
    assert len(read) >= 4
    assert HERE() not in {thread for _, thread in read}


class Lock:
    """A lock that tells when a second thread comes to it."""

    def __init__(self, second: threading.Event) -> None:
        self._lock, self._second, self._came = threading.Lock(), second, 0

    def __enter__(self) -> None:
        self._came += 1
        if self._came > 1:
            self._second.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


async def test_connections_are_made_once_though_who_wanted_them_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, second, made = threading.Event(), threading.Event(), list[Any]()

    class Slow(transport.Connections):
        """Is not made before somebody else wants connections too."""

        def __init__(self, **given: Any) -> None:
            made.append(self)
            (begun if len(made) == 1 else second).set()
            assert second.wait(30)
            super().__init__(**given)

    monkeypatch.setattr(transport, "Connections", Slow)
    clients = Clients(allow_private=True, max_bytes=1_000)
    clients._connecting = Lock(second)  # pyright: ignore[reportAttributeAccessIssue]
    config = Config.of(agent(url="http://127.0.0.1:9/v1"), {}.get)
    async with asyncio.TaskGroup() as group:
        cancelled = group.create_task(clients.get(config, "k"))
        await asyncio.to_thread(begun.wait, 30)
        cancelled.cancel()
        await clients.get(config, "k")
    assert len(made) == 1
    await clients.aclose()
