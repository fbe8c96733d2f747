"""The tool that follows a thread: bounded long polls, each event once by its `seq`, and what an SSE reader needs."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.client import UnreachableError
from app.client.polling import Polling
from app.mcp_server.calling import Answer, Call, Document
from app.mcp_server.wording import event_line, next_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.mcp_server.arguments import InvokeStream

EVENT_SCHEMA: Final[Document] = {
    "type": "object",
    "required": ["seq", "thread_id", "execution_id", "type", "event", "step_id", "attempt", "version", "data"],
    "properties": {
        "seq": {"type": ["integer", "null"], "description": "1, 2, 3, ... without a gap; null for a gap"},
        "thread_id": {"type": "string"},
        "execution_id": {"type": ["string", "null"]},
        "type": {"enum": ["progress", "message", "status", "error", "complete"]},
        "event": {"type": "string", "description": "workflow_start, step_complete, gate_waiting, ...; more may come"},
        "step_id": {"type": ["string", "null"]},
        "attempt": {"type": ["integer", "null"]},
        "version": {"type": ["integer", "null"], "description": "the head after it"},
        "at": {"type": ["string", "null"], "description": "RFC 3339"},
        "data": {"type": "object", "description": "what the event itself says: status, progress, result, error, ..."},
    },
}
_SLICE: Final = 5.0
"""Seconds between two words of progress while nothing happens."""
_SOON: Final = 0.2
_PAUSE: Final = 0.5
STOPS: Final = frozenset({"gate_waiting", "workflow_paused"})
"""Events after which `until: end` has nothing to wait for."""


class _Gathering:
    """What a call has gathered so far, within its bounds."""

    def __init__(self, given: InvokeStream) -> None:
        self.events: list[Document] = []
        self.cursor = given.cursor
        self.page: Document = {}
        self._given = given
        self._bytes = 0
        self._until = monotonic() + given.wait

    @property
    def left(self) -> float:
        """Seconds that may still be waited."""
        return max(0.0, self._until - monotonic())

    @property
    def asked(self) -> dict[str, Any]:
        """The next poll."""
        room = max(1024, self._given.max_bytes - self._bytes)
        return {
            "after": self.cursor,
            "limit": self._given.max_events - len(self.events),
            "max_bytes": room,
            "wait": min(_SLICE, self.left),
        }

    def take(self, page: Document) -> None:
        """Add a page."""
        self.page = page
        found: list[Document] = page["events"]
        self.events += found
        self._bytes += sum(len(str(event)) for event in found)
        self.cursor = page["next_cursor"]

    @property
    def enough(self) -> bool:
        """Whether the call is to be answered now."""
        if self.page["done"] or self.left <= 0 or self._is_full:
            return True
        if self._given.until == "event":
            return bool(self.events)
        stops = any(event["event"] in STOPS for event in self.page["events"])
        return stops or (self.page["status"] == "paused" and not self.page["events"])

    @property
    def _is_full(self) -> bool:
        return len(self.events) >= self._given.max_events or self._bytes >= self._given.max_bytes


async def invoke_stream(call: Call, given: InvokeStream) -> Answer:
    """Events after a cursor."""
    polling, gathering = Polling(call.service), _Gathering(given)
    token = await _patiently(gathering, lambda: polling.token(given.thread_id))
    total = await _total(call, given.thread_id)
    while True:
        asked, began = gathering.asked, monotonic()
        page = await _patiently(gathering, lambda: polling.events(given.thread_id, **asked))  # noqa: B023 - awaited
        gathering.take(page)
        await _report(call, gathering, total)
        if gathering.enough:
            break
        if not page["events"] and monotonic() - began < min(_SOON, asked["wait"]):
            break  # a service that shuts down does not wait
    return _answer(call, given, gathering, token)


async def _patiently(gathering: _Gathering, ask: Callable[[], Awaitable[Document]]) -> Document:
    """The answer; a service that is away is waited for as long as the call may wait at all."""
    while True:
        try:
            return await ask()
        except UnreachableError:
            if gathering.left <= 0:
                raise
            await asyncio.sleep(min(_PAUSE, gathering.left))


async def _total(call: Call, thread_id: str) -> int:
    """How many steps there are, if progress is asked for; tells how many of them have ended."""
    if not call.wants_progress:
        return 0
    status = await call.service.status(thread_id)
    total = max(1, len(status["steps"]))
    await call.progress(round(status["progress"] * total), total, status["status"])
    return total


async def _report(call: Call, gathering: _Gathering, total: int) -> None:
    """How many steps have ended, out of what the last events say; where they say nothing, what was told before holds."""
    shares = [event["data"]["progress"] for event in gathering.page["events"] if _has_progress(event)]
    if shares and total:
        await call.progress(round(shares[-1] * total), total, gathering.page["status"])


def _has_progress(event: Document) -> bool:
    """Whether an event tells of the thread's progress, rather than of a step's own."""
    return event["event"] != "step_progress" and isinstance(event["data"].get("progress"), int | float)


def _answer(call: Call, given: InvokeStream, gathering: _Gathering, token: Document) -> Answer:
    page = gathering.page
    document = {
        "thread_id": given.thread_id,
        "status": page["status"],
        "events": gathering.events,
        "next_cursor": gathering.cursor,
        "last_seq": page["last_seq"],
        "done": page["done"],
        "sse": {
            "url": f"{call.base}{token['stream']}",
            "token": token["token"],
            "expires_at": token["expires_at"],
        },
        "event_schema": EVENT_SCHEMA,
    }
    lines = [event_line(event) for event in gathering.events] or ["No new events."]
    if page["done"]:
        lines.append(f"done: the thread has ended ({page['status']}). {next_text(page['status'], given.thread_id)}")
    else:
        asks = [event["step_id"] for event in gathering.events if event["event"] == "gate_waiting"]
        if asks:
            lines.append(f"Step {asks[-1]} waits for an answer: gate_answer gives it.")
        lines.append(f"{page['status']}; call invoke_stream again with cursor={gathering.cursor}.")
    return Answer(document, "\n".join(lines))
