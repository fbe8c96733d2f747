"""Readers of streams over bare sockets, many in one loop: cut wherever a row likes, going on from any cursor."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from tests.acceptance.sse import TERMINAL, Message, _unchunked, parse

GOODBYE = "shutting down"


@dataclass(slots=True)
class Part:
    """What one connection brought.  `clean`: the server ended the answer in good order."""

    status: int = 0
    messages: list[Message] = field(default_factory=list)
    clean: bool = False

    @property
    def ids(self) -> list[str]:
        """Of the durable events, in order."""
        return [message.id for message in self.messages if message.id is not None]

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        last = next((message.event for message in reversed(self.messages) if message.id is not None), None)
        return self.status == 204 or (self.clean and last in TERMINAL)

    @property
    def goodbye(self) -> bool:
        """Whether the server said that it goes."""
        return any(GOODBYE in (message.comment or "") for message in self.messages)


async def read(port: int, path: str, last: str | None = None, *, at_most: int, seconds: float, abort: bool) -> Part:
    """Connect, take so many bytes or for so long, hang up: in good order, or with a reset."""
    header = f"Last-Event-ID: {last}\r\n" if last is not None else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = bytearray()
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n".encode())
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while len(raw) < at_most and (piece := await reader.read(min(16_384, at_most - len(raw)))):
                    raw += piece
    finally:
        if abort:
            writer.transport.abort()
        else:
            writer.close()
    return _part(bytes(raw))


def _part(raw: bytes) -> Part:
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return Part()
    status, chunked = int(head.split()[1]), b"chunked" in head.lower()
    if status != 200:
        return Part(status=status, clean=True)
    text = (_unchunked(body) if chunked else body).decode("utf-8", "ignore")
    return Part(status=status, messages=parse(text), clean=body.endswith(b"0\r\n\r\n"))


class Faithful:
    """One reader of one stream, who is cut off again and again and always goes on from the last it has seen."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self.seen: list[str] = []
        self.parts: list[Part] = []
        self.ended = False

    async def go_on(self, *, at_most: int = 1 << 40, seconds: float = 60.0, abort: bool = False) -> Part:
        """One more connection; an empty part when it was refused."""
        last = self.seen[-1] if self.seen else None
        try:
            part = await read(self._port, self._path, last, at_most=at_most, seconds=seconds, abort=abort)
        except OSError:
            part = Part()
        self.seen += part.ids
        self.parts.append(part)
        self.ended = self.ended or part.ended
        return part
