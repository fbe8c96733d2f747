"""One thread's events as a stream: subscribe first, replay the table, then follow live, each event exactly once (G6).

The bus is a hint and a short cut, the table is the truth: a gap, a reader that lags and a long silence all end in
reading it again.  Nothing of the database is held while waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from app.api.documents import status_of
from app.api.sse import GONE, GOODBYE, OUTAGE_PAUSE, RETRY, WAITING, Heart, Piece
from app.domain.errors import Unavailable
from app.domain.events import TERMINAL, Event, gap_frame
from app.domain.status import ENDED
from app.domain.views.common import encode
from app.engine.bus import Lagged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.api.services import Services
    from app.api.sse import Streams
    from app.domain.records import ThreadRecord
    from app.engine.bus import Subscription

PAGE: Final = 200
"""Events of one read while replaying."""


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
            else:
                async for chunk in self._live(subscription):
                    yield chunk

    async def _replay(self) -> AsyncIterator[bytes]:
        """What the table has after the cursor, and then what had come by the bus when it was found missing."""
        while not self._over:
            if self._streams.closing:
                self._over = True
                yield GOODBYE
                return
            page = await self._page()
            async for chunk in self._passed(page, stored=True):
                yield chunk
            if len(page) < PAGE:
                if lost := self._lost():
                    yield lost
                break
        self._stale, self._goal = False, None
        rest, self._rest = self._rest, []
        async for chunk in self._passed(rest):
            yield chunk
        if self._stale:  # the table lacks what the bus told of: the next look at it will bring that
            self._stale, self._rest = False, []

    def _lost(self) -> bytes:
        """What the thread's row counts, and the table did not have when it was read after that."""
        if self._goal is None or self._cursor >= self._goal:
            return b""
        first, self._cursor = self._cursor + 1, self._goal
        return self._gap(first, self._goal)

    def _gap(self, first: int, last: int) -> bytes:
        """What tells of events that are not there any more."""
        return gap_frame(thread_id=self._thread.thread_id, first=first, last=last)

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

    async def _live(self, subscription: Subscription) -> AsyncIterator[bytes]:
        """The next news, and a heartbeat when one is due; nothing when there is nothing to say."""
        items: list[Event | bytes] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heart.patience):
                items = await subscription.next()
        if not items and (gone := await self._ask()):  # a silence, or poked: another process has written
            yield gone
        async for chunk in self._passed(items):
            yield chunk
        if items and self._streams.closing:
            self._over = True
        if beat := self._heart.beat():
            yield beat

    async def _ask(self) -> bytes:
        """After a silence: has the thread moved on, or ended, without a word from the bus?"""
        thread_id, reads = self._thread.thread_id, self._services.reads
        thread = await self._streams.once((thread_id, self._services.bus.pokes), lambda: reads.thread(thread_id))
        if thread is None:
            self._over = True
            return GONE
        self._stale, self._goal = thread.last_seq > self._cursor, thread.last_seq
        return b"" if self._stale else await self._at_rest(thread)

    async def _at_rest(self, thread: ThreadRecord) -> bytes:
        """All has been told that there is: whether more can come, and what to say if not."""
        self._over = thread.status in ENDED
        return b""

    async def _passed(self, items: Sequence[Event | bytes], *, stored: bool = False) -> AsyncIterator[bytes]:
        """The frames of what is new among `items`; moves the cursor and sees gaps and the end.

        What is missing among `stored` events is nowhere; of what the bus told it is in the table.
        """
        piece = Piece()
        try:
            for index, item in enumerate(items):
                frame = await self._frame_of(item, stored=stored)
                if frame is None:
                    self._stale, self._rest = True, list(items[index:])
                    break
                full = piece.add(frame)
                if self._over:
                    break
                if full:
                    yield piece.take()
        except Unavailable:  # the cursor is past what has been gathered
            if chunk := piece.take():
                yield chunk
            raise
        if chunk := piece.take():
            yield chunk

    async def _frame_of(self, item: Event | bytes, *, stored: bool) -> bytes | None:
        """The frame of an item; None of an event before which others are missing, which the table has."""
        if isinstance(item, bytes):
            return self._relayed(item)
        return await self._told(item) if stored or item.seq <= self._cursor + 1 else None

    def _relayed(self, frame: bytes) -> bytes:
        """What the bus handed over ready-made: a piece of text, or a word to all streams."""
        return frame

    async def _told(self, event: Event) -> bytes:
        """The frame of an event, if it is new, after one that tells of what is missing before it."""
        if event.seq <= self._cursor:
            return b""
        gap, missing = b"", self._cursor + 1
        if missing < event.seq:
            gap = self._gap(missing, event.seq - 1)
        self._cursor = event.seq
        if event.name in TERMINAL and await self._is_last():
            self._over = True
        return gap + event.frame()

    async def _is_last(self) -> bool:
        """Whether the thread has ended with the event that was just told; where that cannot be asked, `_ask` will."""
        try:
            thread = await self._services.reads.thread(self._thread.thread_id)
        except Unavailable:
            return False
        return thread is None or (thread.status in ENDED and thread.last_seq == self._cursor)
