"""How the client follows a thread: server-sent events, each once, whatever is cut in between."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from app.client.http import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PASSING,
    ApiError,
    Patience,
    UnreachableError,
    document,
    foreign,
    parsed,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from app.client.http import Connection, JsonObject

ENDINGS: Final[dict[str, str]] = {
    "workflow_complete": "completed",
    "workflow_failed": "failed",
    "workflow_cancelled": "cancelled",
    "workflow_interrupted": "interrupted",
}
"""The terminal events and the status that each gives its thread."""
ENDED: Final = frozenset(ENDINGS.values())
"""The statuses of a thread that has ended."""

_NO_CONTENT: Final = 204
_SILENT: Final = frozenset({"step_complete", "step_failed", "step_retry", "step_skipped"})
_SILENCE: Final = httpx.Timeout(45.0, connect=10.0)  # three missed heartbeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One message of a stream; `body` is its data, `seq` is None for a snapshot, a chunk and a gap."""

    name: str
    seq: int | None
    body: JsonObject

    @property
    def step_id(self) -> str | None:
        """The step that it tells of, if any."""
        return self.body.get("step_id")

    @property
    def data(self) -> JsonObject:
        """The event's own data; empty for a snapshot."""
        found = self.body.get("data")
        return cast("JsonObject", found) if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """The piece of text that a step streams with a `step_chunk`; empty for any other event."""
        return str(self.data.get("text", "")) if self.name == "step_chunk" else ""


class SseParser:
    """Turns the bytes of a `text/event-stream` into events; a message that is cut off is dropped, as the standard says.

    Lines end at CR, LF or both and nowhere else (httpx's own line reader also splits at U+2028, which JSON may hold).
    """

    _end_of_line = re.compile(rb"\r\n|\n|\r(?!\Z)")

    def __init__(self) -> None:
        self.retry: float | None = None
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes."""
        *lines, self._rest = self._end_of_line.split(self._rest + chunk)
        for line in lines:
            if line:
                self._take(line.decode("utf-8", "replace"))
                continue
            fields, self._fields = self._fields, {}
            if "data" in fields:
                yield _event(fields)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            self._fields["data"] += "\n" + value
        elif name == "retry":
            self.retry = int(value) / 1000 if value.isdecimal() else self.retry
        elif name:
            self._fields[name] = value


def _event(fields: Mapping[str, str]) -> Event:
    number = fields.get("id", "")
    return Event(
        name=fields.get("event", "message"),
        seq=int(number) if number.isdecimal() else None,
        body=parsed(fields["data"]) or {},
    )


async def follow(
    connection: Connection, path: str, after: int, on_cut: Callable[[str], None] | None
) -> AsyncGenerator[Event, None]:
    """As Backstitch.stream, for the stream at `path`."""
    reader = _Reader(connection.http, path, after)
    patience = Patience(connection.retry_for)
    while True:
        async with aclosing(reader.connection()) as messages:
            async for event in messages:
                patience.reset()
                yield event
        if reader.ended:
            return
        if patience.failures == 0 and on_cut is not None:
            on_cut(str(reader.cut))
        if not patience.lasts(reader.cut, reader.pause) and not reader.connected:
            raise reader.cut
        await asyncio.sleep(patience.pause)


class _Reader:
    """The cursor of one stream across its connections."""

    def __init__(self, http: httpx.AsyncClient, path: str, after: int) -> None:
        self.http = http
        self._path = path
        self._cursor = after
        self._last = ""
        self._texts = _Texts()
        self.connected = False
        self.ended = False
        self.cut: ApiError | UnreachableError = UnreachableError("")
        self.pause = FIRST_PAUSE

    async def connection(self) -> AsyncGenerator[Event, None]:
        """The events of one connection that are new; afterwards either `ended` is set or `cut` says what happened.

        Raises what asking again cannot mend.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._cursor)} if self._cursor else {})
        self._texts.cut()
        self._last = ""
        try:
            async with self.http.stream("GET", self._path, headers=headers, timeout=_SILENCE) as answer:
                await _check(answer)
                self.connected = True
                async for event in self._events(answer):
                    yield event
        except httpx.RequestError as error:
            self.cut = unreachable(error)
        except ApiError as error:
            if error.status not in PASSING:
                raise
            self.cut = error
        else:
            self.cut = UnreachableError("the service closed the stream")
            self.ended = answer.status_code == _NO_CONTENT or self._last in ENDINGS

    async def _events(self, answer: httpx.Response) -> AsyncGenerator[Event, None]:
        parser = SseParser()
        async for chunk in answer.aiter_bytes():
            for event in parser.feed(chunk):
                if event.text:
                    if fresh := self._texts.fresh(event):
                        yield fresh
                elif event.seq is None:
                    self._look(event)
                    yield event
                elif event.seq > self._cursor:
                    self._cursor, self._last = event.seq, event.name
                    self._texts.take(event)
                    yield event
            self.pause = min(parser.retry or self.pause, LONGEST_PAUSE)

    def _look(self, event: Event) -> None:
        """A thread that has fewer events than were seen is that of a database that was put back: new ones follow those."""
        if event.name == "snapshot":
            self._cursor = min(self._cursor, event.body.get("last_seq", self._cursor))


async def _check(answer: httpx.Response) -> None:
    """Raise ApiError for what is no stream."""
    kind = answer.headers.get("content-type", "")
    if answer.is_success and (answer.status_code == _NO_CONTENT or kind.startswith("text/event-stream")):
        return
    await answer.aread()
    if not answer.is_success:
        document(answer)
    raise ApiError(answer.status_code, foreign(answer))


class _Texts:
    """What running steps have streamed: a new connection begins with the text so far, of which the rest alone is news."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], list[str]] = {}
        self._stale: set[tuple[Any, ...]] = set()

    def cut(self) -> None:
        """The next chunk of each text is the text so far."""
        self._stale = set(self._seen)

    def fresh(self, event: Event) -> Event | None:
        """The event with what is new of its text; None when nothing is."""
        place = (event.step_id, event.data.get("index"), event.body.get("execution_id"), event.body.get("attempt"))
        if place not in self._stale:
            self._seen.setdefault(place, []).append(event.text)
            return event
        self._stale.discard(place)
        seen, text = "".join(self._seen[place]), event.text
        if seen.startswith(text):
            return None
        self._seen[place] = [text]
        data = {**event.data, "text": text.removeprefix(seen)}
        return Event(name=event.name, seq=None, body={**event.body, "data": data})

    def take(self, event: Event) -> None:
        """What streams no more is forgotten."""
        if event.name in _SILENT:
            self._seen = {place: text for place, text in self._seen.items() if place[0] != event.step_id}
            self._stale &= self._seen.keys()
