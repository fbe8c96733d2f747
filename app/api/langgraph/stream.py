"""The events of one run, or of all runs of a thread, in LangGraph's stream modes: replayed, then live, each message once.

It is a thread's stream told otherwise: the same cursor, the same replay.  A message's id is `SEQ.RANK`, with what its reader
has heard of running texts; whoever comes again with one gets what comes after it, whichever messages of that event those are.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from app.api.langgraph.telling import TEXT, Teller
from app.api.langgraph.texts import Texts
from app.api.langgraph.views import error_of
from app.api.sse import RETRY, EventStream
from app.api.thread_stream import ThreadStream
from app.domain import events
from app.domain.errors import Unavailable
from app.domain.events import TERMINAL
from app.domain.sdk_threads import SdkStatus
from app.domain.status import ENDED, Status
from app.domain.views.common import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

    from starlette.types import Message, Receive, Scope, Send

    from app.api.langgraph.telling import Told
    from app.api.services import Services
    from app.api.sse import Streams
    from app.domain.events import Event
    from app.domain.records import ThreadRecord
    from app.engine.bus import Subscription

_ID: Final = re.compile(r"(\d{1,18})\.(\d{1,9})(?:~([A-Za-z0-9_-]{0,8000}))?\Z", re.ASCII)
_LAST: Final = 999_999_999
"""The rank after all messages of an event."""
_CHUNK: Final = b"event: step_chunk\ndata: "
_MAY_REST: Final = TERMINAL | {
    *(events.WORKFLOW_PAUSED, events.GATE_WAITING, events.STEP_COMPLETE, events.STEP_FAILED, events.STEP_SKIPPED),
}
"""After these a run may have come to rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last message that a reader has: of which event, which one of its messages, and how far running texts were."""

    seq: int
    rank: int = _LAST
    marks: str = ""
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is followed: a thread, of it one run or all (None), whose events come after `first`, and in which modes."""

    thread: ThreadRecord
    run_id: str | None
    modes: Collection[str]
    first: int = 0

    def place(self, last_event_id: str | None) -> Cursor:
        """Where to go on after a message, which is at the beginning of the run if it is of no message of the run."""
        known = _ID.match(last_event_id or "")
        if known is None or int(known[1]) <= self.first:
            return Cursor(seq=self.first)
        return Cursor(seq=int(known[1]), rank=int(known[2]), marks=known[3] or "", given=True)


class RunStream(ThreadStream):
    """One reader of one run, up to the run's rest: its end, a pause, or questions that nobody has answered."""

    def __init__(self, services: Services, streams: Streams, watched: Watched, last_event_id: str | None) -> None:
        cursor = watched.place(last_event_id)
        # The event of the cursor is told again as far as its messages come after the one that the reader has.
        seen = cursor.seq - 1 if cursor.given else cursor.seq
        super().__init__(services, streams, watched.thread, max(0, seen))
        self._run_id = watched.run_id
        self._given = cursor
        self._texts = Texts(watched.run_id or watched.thread.thread_id, cursor.marks)
        self._teller = Teller(services, watched.thread, watched.modes, self._texts)
        self._place = f"{cursor.seq}.{cursor.rank}" if cursor.given else f"{cursor.seq + 1}.0"
        self._own = cursor.given
        self._current: str | None = None
        self.complete = False
        """All of it has been sent."""

    async def _snapshot(self) -> bytes:
        """Which run this is, for who has not been told."""
        if self._given.given or self._run_id is None:
            return RETRY
        return RETRY + self._frame("metadata", self._about(self._run_id), self._place)

    async def _follow(self, subscription: Subscription) -> AsyncIterator[bytes]:
        self._texts.begin_again()
        async for chunk in super()._follow(subscription):
            yield chunk

    async def _replay(self) -> AsyncIterator[bytes]:
        async for chunk in super()._replay():
            yield chunk
        if not self._over and (last := await self._ask()):
            yield last

    def _gap(self, first: int, last: int) -> bytes:
        return f": events {first} to {last} are not kept any more\n\n".encode()

    def _relayed(self, frame: bytes) -> bytes:
        if not frame.startswith(_CHUNK):
            return frame
        body: dict[str, Any] = orjson.loads(frame[len(_CHUNK) :])
        if self._run_id not in (None, body["execution_id"]):
            return b""
        data = cast("dict[str, Any]", body["data"])
        piece = self._texts.hear((body["step_id"], data.get("index", -1)), body["attempt"], data["text"])
        told = [] if piece is None else self._teller.piece(piece)
        return b"".join(self._frame(name, value, self._id(self._place)) for _, name, value in told)

    async def _told(self, event: Event) -> bytes:
        if event.seq <= self._cursor:
            return b""
        gap = self._gap(self._cursor + 1, event.seq - 1) if self._cursor + 1 < event.seq else b""
        if self._run_id not in (None, event.execution_id):
            self._cursor = event.seq
            return gap + (await self._superseded() if self._own else b"")
        frames = gap + await self._frames(event)
        self._own, self._cursor = True, event.seq
        if event.name in _MAY_REST and self._run_id is not None:
            with suppress(Unavailable):  # then `_ask` finds out
                frames += await self._rest_after(event.seq)
        return frames

    async def _frames(self, event: Event) -> bytes:
        before = self._texts.marks()
        told: list[Told] = await self._teller.tell(event)
        after = self._texts.marks()
        seen = self._given.rank if event.seq == self._given.seq and self._given.given else -1
        greeting = self._turn(event) if seen < 0 else b""
        frames = [
            self._frame(name, data, self._id(f"{event.seq}.{rank}", after if rank >= TEXT else before))
            for rank, name, data in told
            if rank > seen
        ]
        self._place = f"{event.seq}.{_LAST}"
        return greeting + b"".join(frames) + (self._done(event) if seen < _LAST else b"")

    def _turn(self, event: Event) -> bytes:
        """For who follows all runs: another one goes on."""
        if self._run_id is not None or self._current == event.execution_id:
            return b""
        self._current = event.execution_id
        return self._frame("metadata", {**self._about(event.execution_id), "status": "running"}, f"{event.seq}.0")

    def _done(self, event: Event) -> bytes:
        """For who follows all runs: this one has ended."""
        if self._run_id is not None or event.name not in TERMINAL:
            return b""
        told = {"run_id": event.execution_id, "status": "run_done"}
        return self._frame("metadata", told, f"{event.seq}.{_LAST}")

    async def _rest_after(self, seq: int) -> bytes:
        """What ends the stream, if this is the last event of the thread and the run rests."""
        thread = await self._services.reads.thread(self._thread.thread_id)
        return await self._at_rest(thread) if thread is not None and thread.last_seq == seq else b""

    async def _at_rest(self, thread: ThreadRecord) -> bytes:
        if self._run_id is None:
            return b""
        if thread.execution_id != self._run_id:
            return await self._superseded()
        stopped = thread.status in ENDED or thread.status is Status.PAUSED
        if not stopped:
            statuses = await self._services.sdk_threads.statuses([thread.thread_id])
            stopped = statuses.get(thread.thread_id) is SdkStatus.INTERRUPTED
        return self._end() if stopped else b""

    async def _superseded(self) -> bytes:
        """Another execution has taken the run's place, which tells of no end of its own."""
        execution = await self._services.reads.execution(self._run_id or "")
        if execution is None or execution.status is not Status.CANCELLED or self._given.rank == _LAST - 1:
            return self._end()
        told = error_of(execution)
        if told["error"] != "superseded":
            return self._end()
        return self._frame("error", told, self._id(f"{max(1, self._cursor)}.{_LAST - 1}")) + self._end()

    def _end(self) -> bytes:
        self._over = self.complete = True
        return self._frame("end", None)

    def _about(self, run_id: str) -> dict[str, Any]:
        return {"run_id": run_id, "thread_id": self._thread.thread_id, "attempt": 1}

    def _id(self, place: str, marks: str | None = None) -> str:
        marks = self._texts.marks() if marks is None else marks
        return f"{place}~{marks}" if marks else place

    @staticmethod
    def _frame(name: str, data: Any, event_id: str | None = None) -> bytes:
        line = b"" if event_id is None else f"id: {event_id}\n".encode()
        return b"".join((line, f"event: {name}\ndata: ".encode(), encode(data), b"\n\n"))


class RunEvents(EventStream):
    """The response; `cut` is awaited when the reader goes before the end, if the service itself does not end.

    Of a stream that ends before its run has come to rest, because the service shuts down, the connection is closed in the
    middle of the answer: only then does the SDK connect again whatever has become of the run meanwhile.
    """

    def __init__(
        self,
        stream: RunStream,
        streams: Streams,
        headers: Mapping[str, str],
        cut: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(stream.frames())
        self.headers.update(headers)
        self._stream, self._streams, self._cut = stream, streams, cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run rests or the reader goes."""

        async def sending(message: Message) -> None:
            if self._stream.complete or message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)

        await super().__call__(scope, receive, sending)
        if self._cut is not None and not self._stream.complete and not self._streams.closing:
            await self._cut()
