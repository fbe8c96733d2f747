"""An async client of a Backstitch service: the routes of the HTTP API as methods, and an SSE reader that reconnects.

The file stands alone (httpx and the standard library), so that it can be copied into a project as it is.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast
from urllib.parse import quote, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

JsonObject: TypeAlias = dict[str, Any]
Fields: TypeAlias = "Mapping[str, Any] | None"

ENDINGS: Final[dict[str, str]] = {
    "workflow_complete": "completed",
    "workflow_failed": "failed",
    "workflow_cancelled": "cancelled",
    "workflow_interrupted": "interrupted",
}
"""The terminal events and the status that each gives its thread."""

_PASSING: Final = frozenset({429, 502, 503, 504})
_NO_CONTENT: Final = 204
_PATIENCE: Final = httpx.Timeout(45.0, connect=10.0)  # three missed heartbeats
_LONGEST_WAIT: Final = 5.0


class ClientError(Exception):
    """Base of what this client raises."""


class UnreachableError(ClientError):
    """No answer from the service: refused, timed out, cut off."""


class ApiError(ClientError):
    """The service refused; `code` is stable, `problem` is the whole problem+json document."""

    def __init__(self, status: int, problem: JsonObject) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code") or "")
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or "")
        super().__init__(f"{self.title}: {self.detail}" if self.detail else self.title)


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
        body=_parsed(fields["data"]) or {},
    )


class Backstitch:
    """The service at `url`, as `async with Backstitch() as service: ...`.

    Every method raises ApiError when the service refuses and UnreachableError when it does not answer within `timeout`
    seconds. Answers are the JSON documents of the HTTP API. `http` is the connection, for whoever needs more than those.
    """

    def __init__(self, url: str = "http://127.0.0.1:8000", *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        local = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
        # Loading the authorities takes longer than a request; plain HTTP needs none, and trusting none is safe.
        tls = True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A proxy of the environment is never the way to this machine itself.
        self.http = httpx.AsyncClient(base_url=self.url, timeout=timeout, trust_env=not local, verify=tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def request(
        self, method: str, path: str, *, json: object = None, params: Fields = None, headers: Fields = None
    ) -> JsonObject:
        """The JSON answer of any route under `url`; parameters that are None are left out."""
        try:
            answer = await self.http.request(method, path, json=json, params=_given(params or {}), headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _unreachable(error) from error
        return _document(answer)

    async def health(self) -> JsonObject:
        """Whether the service can work; ApiError (503) while it cannot."""
        return await self.request("GET", "/api/health")

    async def invoke(
        self, workflow: str | Mapping[str, Any], *, idempotency_key: str | None = None, **fields: object
    ) -> JsonObject:
        """Start `workflow` (a name, name@version or a document) durably; `fields` as in `POST /api/invoke/async`."""
        headers = None if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = _given(fields | {"workflow": workflow})
        return await self.request("POST", "/api/invoke/async", json=body, headers=headers)

    async def status(self, thread_id: str) -> JsonObject:
        """Where the thread stands, with all its steps."""
        return await self.request("GET", _path("status", thread_id))

    async def resume(self, thread_id: str, **fields: object) -> JsonObject:
        """Go on with what has not completed; `fields`: from_step, skip, overrides, limits, expected_version."""
        return await self.request("POST", _path("resume", thread_id), json=_given(fields))

    async def rollback(self, thread_id: str, to_version: int, **fields: object) -> JsonObject:
        """Move the thread's head to `to_version`; `fields`: resume, dry_run, compensate, reason, overrides, context, ..."""
        body = _given(fields | {"to_version": to_version})
        return await self.request("POST", _path("rollback", thread_id), json=body)

    async def cancel(self, thread_id: str, **fields: object) -> JsonObject:
        """Stop the thread for good; `fields`: reason, force."""
        return await self.request("POST", _path("cancel", thread_id), json=_given(fields))

    async def pause(self, thread_id: str) -> JsonObject:
        """Let running steps end and start no further one."""
        return await self.request("POST", _path("pause", thread_id))

    async def history(self, thread_id: str, **filters: object) -> JsonObject:
        """A page of the thread's checkpoints, oldest first; `filters`: from_version, to_version, step, ..., limit, cursor."""
        return await self.request("GET", _path("history", thread_id), params=filters)

    async def executions(self, **filters: object) -> JsonObject:
        """A page of executions, newest first; `filters`: status, workflow, since, until, thread_id, limit, cursor."""
        return await self.request("GET", "/api/workflow/executions", params=filters)

    async def execution(self, execution_id: str) -> JsonObject:
        """One execution with its steps, their inputs and outputs."""
        return await self.request("GET", f"/api/workflow/execution/{quote(execution_id, safe='')}")

    async def stream(
        self, thread_id: str, *, after: int = 0, on_cut: Callable[[str], None] | None = None
    ) -> AsyncGenerator[Event, None]:
        """The thread's events after `after`, each exactly once, then live ones until the thread has ended.

        A cut connection is taken up again from the last event seen, for as long as it takes, with a growing pause;
        `on_cut` is told why, once for each outage. A snapshot comes with each connection. Only the first connection may
        raise UnreachableError; ApiError ends the stream at any time. Close it (`aclosing`) when leaving early.
        """
        reader = _Reader(self.http, _path("stream", thread_id), after)
        failures = 0
        while True:
            async with aclosing(reader.connection()) as messages:
                async for event in messages:
                    failures = 0
                    yield event
            if reader.ended:
                return
            if failures == 0 and on_cut is not None:
                on_cut(reader.cut)
            wait = min(reader.pause * 2**failures, _LONGEST_WAIT)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - readers must not return all at once
            failures = min(failures + 1, 10)


class _Reader:
    """The cursor of one stream across its connections."""

    def __init__(self, http: httpx.AsyncClient, path: str, after: int) -> None:
        self.http = http
        self._path = path
        self._cursor = after
        self._last = ""
        self._connected = False
        self.ended = False
        self.cut = ""
        self.pause = 0.2

    async def connection(self) -> AsyncGenerator[Event, None]:
        """The events of one connection that are new; afterwards either `ended` is set or `cut` says what happened."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._cursor)} if self._cursor else {})
        try:
            async with self.http.stream("GET", self._path, headers=headers, timeout=_PATIENCE) as answer:
                if not answer.is_success:
                    await answer.aread()
                    _document(answer)
                self._connected = True
                async for event in self._events(answer):
                    yield event
        except (httpx.TransportError, ApiError) as error:
            self._survive(error)
        else:
            self.cut = "the service closed the stream"
            self.ended = answer.status_code == _NO_CONTENT or self._last in ENDINGS

    async def _events(self, answer: httpx.Response) -> AsyncGenerator[Event, None]:
        parser = SseParser()
        async for chunk in answer.aiter_bytes():
            for event in parser.feed(chunk):
                if event.seq is None:
                    yield event
                elif event.seq > self._cursor:
                    self._cursor, self._last = event.seq, event.name
                    yield event
            self.pause = min(parser.retry or self.pause, _LONGEST_WAIT)

    def _survive(self, error: httpx.TransportError | ApiError) -> None:
        """Keep what happened in `cut`, or raise what reconnecting cannot mend."""
        passing = not isinstance(error, ApiError) or error.status in _PASSING
        if not passing or not self._connected:
            raise _unreachable(error) if isinstance(error, httpx.TransportError) else error
        self.cut = str(error) or type(error).__name__


def _path(action: str, thread_id: str) -> str:
    return f"/api/invoke/{action}/{quote(thread_id, safe='')}"


def _given(fields: Mapping[str, Any]) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _unreachable(error: httpx.TransportError | httpx.InvalidURL) -> UnreachableError:
    return UnreachableError(str(error) or type(error).__name__)


def _document(answer: httpx.Response) -> JsonObject:
    found = _parsed(answer.text)
    if answer.is_success and found is not None:
        return found
    raise ApiError(answer.status_code, found or {"title": f"Not an answer of Backstitch (HTTP {answer.status_code})"})


def _parsed(text: str) -> JsonObject | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("JsonObject", found) if isinstance(found, dict) else None
