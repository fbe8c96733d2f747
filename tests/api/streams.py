"""Reads streams of events as a browser would, and lets a test cut them wherever it likes."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import httpx


@dataclass
class Message:
    """One message; a block that has no data is a comment or an id alone."""

    id: str | None = None
    event: str | None = None
    data: Any = None
    comment: str | None = None

    @property
    def seq(self) -> int:
        """The number of a durable event."""
        assert self.id is not None
        return int(self.id)


@asynccontextmanager
async def reading(
    http: httpx.AsyncClient, path: str, last: str | None = None
) -> AsyncGenerator[tuple[httpx.Response, AsyncIterator[Message]]]:
    """The response and its messages, as they come."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with http.stream("GET", path, headers=headers) as answer:
        messages = _messages(answer)
        try:
            yield answer, messages
        finally:
            await messages.aclose()


async def _messages(answer: httpx.Response) -> AsyncGenerator[Message]:
    rest = b""
    async for chunk in answer.aiter_bytes():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            yield _message(block.decode())


def _message(block: str) -> Message:
    message = Message()
    for line in block.split("\n"):
        name, _, value = line.partition(": ")
        if name == "":
            message.comment = value
        elif name == "data":
            message.data = json.loads(value)
        elif name in ("id", "event"):
            setattr(message, name, value)
    return message


async def until(messages: AsyncIterator[Message], event: str) -> list[Message]:
    """The messages up to the first of that name."""
    found: list[Message] = []
    async for message in messages:
        found.append(message)
        if message.event == event:
            return found
    raise AssertionError(f"the stream ended before {event}")
