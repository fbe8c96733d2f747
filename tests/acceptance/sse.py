"""An SSE reader written from the standard alone, over httpx for whole streams and over a bare socket for cut ones."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.acceptance.shapes import EVENT, STATUS, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.acceptance.service import Service


@dataclass
class Message:
    """What one block of a stream says; a block of comments or of an id alone has no data."""

    id: str | None = None
    event: str | None = None
    data: Any = None
    comment: str | None = None
    retry: int | None = None


def parse(text: str) -> list[Message]:
    """The whole blocks of a stream; what is cut off at the end does not count."""
    return [_block(block) for block in text.split("\n\n")[:-1]]


def _block(block: str) -> Message:
    message, data = Message(), []
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            message.comment = value
        elif name == "data":
            data.append(value)
        elif name == "retry":
            message.retry = int(value)
        elif name in ("id", "event"):
            setattr(message, name, value)
    assert len(data) <= 1, f"data of more than one line: {block!r}"
    message.data = json.loads(data[0]) if data else None
    return message


def live(answer: httpx.Response) -> Iterator[Message]:
    """The messages of a response, as they come."""
    rest = ""
    for text in answer.iter_text():
        *blocks, rest = (rest + text).split("\n\n")
        for block in blocks:
            yield _block(block)


def events(messages: list[Message]) -> list[dict[str, Any]]:
    """The durable events, each checked to the letter, with its id."""
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.id is None or message.data is None:
            continue
        check(message.data, EVENT)
        assert message.id == str(message.data["seq"])
        assert message.event == message.data["event"]
        found.append(message.data)
    return found


def whole(service: Service, thread: str, *, prefix: str = "/api") -> list[dict[str, Any]]:
    """All events of a thread up to its end; a snapshot must come first."""
    answer = service.http.get(f"{prefix}/invoke/stream/{thread}", timeout=90)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = parse(answer.text)
    assert messages[0].event == "snapshot"
    assert messages[0].id is None
    check(messages[0].data, STATUS)
    return events(messages)


def names(found: list[dict[str, Any]]) -> list[str]:
    """`event` or `event step` of each."""
    return [f"{one['event']} {one['step_id']}" if one["step_id"] else one["event"] for one in found]


def without_gap(found: list[dict[str, Any]], first: int = 1) -> None:
    """The events are numbered one by one."""
    assert [one["seq"] for one in found] == list(range(first, first + len(found)))


class CutReader:
    """A reader whose connection is torn after so many bytes, wherever that is; it goes on from the last whole event."""

    def __init__(self, port: int, thread: str) -> None:
        self._port = port
        self._thread = thread
        self.seen: list[int] = []
        self.ended = False
        self.cuts = 0

    def read(self, at_most: int) -> None:
        """Connect, take at most so many bytes, hang up."""
        last = f"Last-Event-ID: {self.seen[-1]}\r\n" if self.seen else ""
        request = f"GET /api/invoke/stream/{self._thread} HTTP/1.1\r\nHost: x\r\n{last}Connection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
                connection.sendall(request.encode())
                raw = _taken(connection, at_most)
        except (ConnectionError, TimeoutError):
            self.cuts += 1
            return
        self._took(raw, whole_answer=len(raw) < at_most)

    def _took(self, raw: bytes, *, whole_answer: bool) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        status = int(head.split()[1]) if len(head.split()) > 1 else 0
        if status == 204:
            self.ended = True
            return
        messages = parse(_unchunked(body).decode("utf-8", "ignore"))
        self.seen += [int(message.id) for message in messages if message.id is not None]
        self.ended = whole_answer and bool(messages) and messages[-1].event in TERMINAL
        self.cuts += not whole_answer


TERMINAL = {"workflow_complete", "workflow_failed", "workflow_cancelled", "workflow_interrupted"}


def _taken(connection: socket.socket, at_most: int) -> bytes:
    raw = b""
    while len(raw) < at_most:
        piece = connection.recv(min(4096, at_most - len(raw)))
        if not piece:
            break
        raw += piece
    return raw


def _unchunked(body: bytes) -> bytes:
    """The payload of a chunked body as far as it came."""
    found = b""
    while body:
        size, newline, rest = body.partition(b"\r\n")
        if not newline:
            break
        length = int(size, 16)
        if length == 0:
            break
        found += rest[:length]
        body = rest[length + 2 :]
    return found
