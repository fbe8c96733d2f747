"""A service made of answers, for the client: each request takes the next one, the last one stays."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx

from app.client import Backstitch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    Answer = httpx.Response | httpx.RequestError

THREAD = "t-1"
EVENTS = {"content-type": "text/event-stream"}
ACCEPTED: dict[str, Any] = {
    "thread_id": THREAD,
    "execution_id": "e-1",
    "status": "pending",
    "version": 1,
    "durable": True,
}


class Wire:
    """`asked` are the requests so far."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: list[Any] = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.RequestError):
            raise answer
        return answer

    def client(self, **given: Any) -> Backstitch:
        """A client of this service."""
        return Backstitch("http://service", transport=httpx.MockTransport(self), **given)

    @property
    def bodies(self) -> list[Any]:
        """What was sent."""
        return [json.loads(one.content) if one.content else None for one in self.asked]


def refusal(status: int, code: str = "unavailable", **headers: str) -> httpx.Response:
    """A problem document."""
    body = {"title": "No", "detail": "not now", "status": status, "code": code}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def status_of(status: str = "completed", **more: Any) -> dict[str, Any]:
    """A status document."""
    found = {"thread_id": THREAD, "status": status, "version": 4, "last_seq": 8, "output": {"plan": 1}, "error": None}
    return {**found, **more}


FAILED: Any = status_of("failed", error={"kind": "timeout", "message": "too slow", "step_id": "a"})


def frame(seq: int | None, name: str, step: str | None = None, **data: Any) -> bytes:
    """An event as the service sends it."""
    body = {"seq": seq, "event": name, "step_id": step, "execution_id": "e-1", "attempt": 1, "data": data}
    number = "" if seq is None else f"id: {seq}\n"
    return f"{number}event: {name}\ndata: {json.dumps(body)}\n\n".encode()


def streamed(*frames: bytes, cut: bool = False) -> httpx.Response:
    """A stream of these, which ends or is cut after them."""

    async def body() -> AsyncIterator[bytes]:
        yield b"retry: 1\n\n"
        for one in frames:
            yield one
        if cut:
            raise httpx.ReadError("cut")

    return httpx.Response(200, content=body(), headers={"content-type": "text/event-stream; charset=utf-8"})


class Body(httpx.AsyncByteStream):
    """A stream of these that goes on without a further one; `closed` once nobody reads it."""

    def __init__(self, *frames: bytes) -> None:
        self._frames = frames
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for one in self._frames:
            yield one
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Nobody reads it."""
        self.closed.set()


def names(events: Iterable[Any]) -> list[str]:
    """Of events."""
    return [event.name for event in events]
