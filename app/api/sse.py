"""One thread's events as a stream: subscribe first, replay the table, then follow live, each event exactly once (G6).

The bus is a hint and a short cut, the table is the truth: a gap, a reader that lags and a long silence all end in
reading it again.  Nothing of the database is held while waiting.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError

from app.api.documents import status_of
from app.domain.errors import Unavailable
from app.domain.events import TERMINAL, Event
from app.domain.status import ENDED
from app.domain.views.common import encode
from app.engine.bus import Lagged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence

    from starlette.types import Receive, Scope, Send

    from app.api.services import Services
    from app.domain.records import ThreadRecord
    from app.engine.bus import Subscription

PAGE: Final = 200
"""Events of one read while replaying."""
_SILENCE: Final = 2.0
"""Seconds without a word from the bus after which the table is asked: another process may have written."""
_SEND_TIMEOUT: Final = 60.0
RETRY: Final = b"retry: 1000\n"
HEARTBEAT: Final = b": heartbeat\n\n"
OUTAGE_PAUSE: Final = 1.0
WAITING: Final = b": the store is away\n\n"
GONE: Final = b": the thread is gone\n\n"
GOODBYE: Final = b": the service is shutting down; connect again\n\n"
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


_Answer = TypeVar("_Answer")


class _AskerGone(Exception):
    """Whoever asked for all did not get an answer."""


class Streams:
    """The open streams of this process, so that a shutdown can end them before the server waits for them, and so that those
    which ask the table for the same at one moment ask once.
    """

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._asked: dict[Hashable, asyncio.Future[Any]] = {}
        self.closing = False

    async def once(self, what: Hashable, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer to `ask`, which another stream may be waiting for already under the same `what`."""
        while (asked := self._asked.get(what)) is not None:
            with suppress(_AskerGone):
                return await asyncio.shield(asked)
        asked = self._asked[what] = asyncio.get_running_loop().create_future()
        try:
            answer = await ask()
        except BaseException:
            asked.set_exception(_AskerGone)
            asked.exception()  # perhaps nobody else waits for it
            raise
        else:
            asked.set_result(answer)
            return answer
        finally:
            del self._asked[what]

    def close(self) -> None:
        """Wake every stream; each says goodbye and ends."""
        self.closing = True
        for subscription in self._open:
            subscription.push([GOODBYE])

    def add(self, subscription: Subscription) -> None:
        """A stream has begun to wait here."""
        self._open.add(subscription)

    def discard(self, subscription: Subscription) -> None:
        """It waits no more."""
        self._open.discard(subscription)


class EventStream(EventSourceResponse):
    """A response of ready-made frames, unbuffered by proxies; a reader that takes nothing for a minute is cut off."""

    def __init__(self, frames: AsyncIterator[bytes]) -> None:
        # No pings of its own: the frames bring their heartbeats, which spares a task for each reader.
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - one of its parameters is a bare dict
            frames, headers=HEADERS, ping=0, send_timeout=_SEND_TIMEOUT
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the frames end or the reader goes."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            return  # the server closes the connection, since the response is not complete


class Heart:
    """When the next heartbeat is due; beats are never waited for longer than `_SILENCE`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def beat(self) -> bytes:
        """A comment when one is due, else nothing."""
        now = time.monotonic()
        if now < self._next:
            return b""
        self._next = now + self._seconds
        return HEARTBEAT

    @property
    def patience(self) -> float:
        """How long to wait for news."""
        return min(_SILENCE, max(0.0, self._next - time.monotonic()))


class ThreadStream:
    """One reader of one thread."""

    def __init__(self, services: Services, streams: Streams, thread: ThreadRecord, cursor: int) -> None:
        self._services = services
        self._streams = streams
        self._thread = thread
        self._cursor = min(cursor, thread.last_seq)
        self._heart = Heart(services.limits.heartbeat_seconds)
        self._rest: list[Event | bytes] = []
        self._stale = True
        self._goal: int | None = None
        self._over = False

    async def frames(self) -> AsyncIterator[bytes]:
        """The snapshot, what is newer than the cursor, then everything as it happens, up to the thread's end."""
        greeting, pause = True, 0.0
        while not self._over:
            if pause and not self._streams.closing:
                await asyncio.sleep(pause)
                pause = 0.0
            with self._services.bus.subscribe(self._thread.thread_id) as subscription:
                self._streams.add(subscription)
                try:
                    if greeting and not self._streams.closing:
                        yield await self._snapshot()
                        greeting = False
                    async for chunk in self._follow(subscription):
                        yield chunk
                except Lagged:
                    self._stale, self._goal = True, None
                except Unavailable:  # the stream outlives an outage of the store
                    self._stale, self._goal, pause = True, None, OUTAGE_PAUSE
                    yield self._heart.beat() or WAITING
                finally:
                    self._streams.discard(subscription)

    async def _snapshot(self) -> bytes:
        document = encode(await status_of(self._services, self._thread))
        return b"".join((RETRY, b"event: snapshot\ndata: ", document, b"\n\n"))

    async def _follow(self, subscription: Subscription) -> AsyncIterator[bytes]:
        """Replay while stale, then live; raises Lagged."""
        while not self._over:
            if self._stale:
                async for chunk in self._replay():
                    yield chunk
            elif chunk := await self._live(subscription):
                yield chunk

    async def _replay(self) -> AsyncIterator[bytes]:
        """What the table has after the cursor, and then what had come by the bus when it was found missing."""
        while not self._over:
            if self._streams.closing:
                self._over = True
                yield GOODBYE
                return
            page = await self._page()
            if page and (chunk := await self._passed(page)):
                yield chunk
            if len(page) < PAGE:
                break
        self._stale, self._goal = False, None
        rest, self._rest = self._rest, []
        if rest and (chunk := await self._passed(rest)):
            yield chunk
        if self._stale:  # the table lacks what the bus told of: the next look at it will bring that
            self._stale, self._rest = False, []

    async def _page(self) -> list[Event]:
        """The next events of the table; readers that are as far and know how far it goes read them together.

        Whoever has just subscribed reads for itself: a read that began before does not see all that came before that.
        """
        thread_id, after, goal, reads = self._thread.thread_id, self._cursor, self._goal, self._services.reads
        if goal is None:
            return await reads.events(thread_id, after=after, limit=PAGE)
        return await self._streams.once(
            (thread_id, after, goal), lambda: reads.events(thread_id, after=after, limit=PAGE)
        )

    async def _live(self, subscription: Subscription) -> bytes:
        """The next news; a heartbeat when one is due; b"" when there is nothing to say."""
        try:
            async with asyncio.timeout(self._heart.patience):
                items = await subscription.next()
        except TimeoutError:
            return await self._ask() or self._heart.beat()
        if not items:  # poked: another process has written
            return await self._ask() or self._heart.beat()
        told = await self._passed(items)
        if self._streams.closing:
            self._over = True
        return told + self._heart.beat()

    async def _ask(self) -> bytes:
        """After a silence: has the thread moved on, or ended, without a word from the bus?"""
        thread_id, reads = self._thread.thread_id, self._services.reads
        thread = await self._streams.once((thread_id, self._services.bus.pokes), lambda: reads.thread(thread_id))
        if thread is None:
            self._over = True
            return GONE
        self._stale, self._goal = thread.last_seq > self._cursor, thread.last_seq
        self._over = thread.status in ENDED and not self._stale
        return b""

    async def _passed(self, items: Sequence[Event | bytes]) -> bytes:
        """The frames of what is new among `items`; moves the cursor and sees gaps and the end."""
        parts: list[bytes] = []
        for index, item in enumerate(items):
            if isinstance(item, bytes):
                parts.append(item)
            elif item.seq > self._cursor + 1:
                self._stale, self._rest = True, list(items[index:])
                break
            elif item.seq > self._cursor:
                self._cursor = item.seq
                parts.append(item.frame())
                if item.name in TERMINAL and await self._is_last():
                    self._over = True
                    break
        return b"".join(parts)

    async def _is_last(self) -> bool:
        """Whether the thread has ended with the event that was just told; where that cannot be asked, `_ask` will."""
        try:
            thread = await self._services.reads.thread(self._thread.thread_id)
        except Unavailable:
            return False
        return thread is None or (thread.status in ENDED and thread.last_seq == self._cursor)
