"""The feed of all threads: one shared reader of the table for all who watch, running only while somebody does.

The bus only tells it to look; positions in the table decide what comes next, so that other processes' events come too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from app.api import cursors
from app.api.sse import GOODBYE, OUTAGE_PAUSE, RETRY, WAITING, Heart, Piece
from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.views.events import compact_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from app.api.services import Services
    from app.domain.events import Event
    from app.domain.ports import FeedFilter, FeedItem, FeedPosition

PAGE: Final = 1000
_BUFFER: Final = 5_000
"""Items that a reader may leave unread; one that does is sent back to the table."""
_PACE: Final = 0.05
"""Seconds between two reads."""
_SOON: Final = 0.1
"""Seconds until the next read after a hint that nothing was found for: its transaction is not visible yet."""
_POLL: Final = 1.0
_ERROR_PAUSE: Final = 1.0


class FeedFrame:
    """An item of the feed, encoded once for all its readers."""

    __slots__ = ("_bytes", "_compact", "item")

    def __init__(self, item: FeedItem) -> None:
        self.item = item
        self._bytes: bytes | None = None
        self._compact: bytes | None = None

    def encoded(self) -> bytes:
        """The event's frame with the feed's cursor for an id and its workflow's name."""
        if self._bytes is None:
            event = self.item.event
            self._bytes = self._framed(f'{event.json()[:-1]},"workflow":{jsontext.dumps(self.item.workflow)}}}')
        return self._bytes

    def compact(self) -> bytes:
        """The same without the result and without long values."""
        if self._compact is None:
            self._compact = self._framed(compact_json(self.item.event, self.item.workflow))
        return self._compact

    def _framed(self, data: str) -> bytes:
        cursor = cursors.of_position(self.item.position)
        return f"id: {cursor}\nevent: {self.item.event.name}\ndata: {data}\n\n".encode()


class FeedReader:
    """What one watcher has not read yet; `results`: whether it wants those too."""

    def __init__(self, *, results: bool = True) -> None:
        self.results = results
        self.items: deque[FeedFrame] = deque()
        self.lagged = False
        self.news = asyncio.Event()

    def push(self, frames: Sequence[FeedFrame]) -> None:
        """Hand frames over, or cut the reader loose when it has left too many."""
        if self.lagged:
            return
        if len(self.items) + len(frames) > _BUFFER:
            self.lagged = True
            self.items.clear()
        else:
            self.items.extend(frames)
        self.news.set()

    def take(self) -> list[FeedFrame]:
        """All that is unread."""
        found = list(self.items)
        self.items.clear()
        self.news.clear()
        return found


class Feed:
    """The one tail of the table; `run` keeps it going for as long as the app lives."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readers: set[FeedReader] = set()
        self._wanted = asyncio.Event()
        self._hint = asyncio.Event()
        self._position: FeedPosition | None = None
        self.closing = False
        services.bus.listen(self._hinted)
        services.bus.listen_far(lambda: self._hinted(True))

    def _hinted(self, events: Sequence[Event] | bool) -> None:
        if events and self._readers:
            self._hint.set()

    @property
    def readers(self) -> int:
        """How many streams of the feed are open."""
        return len(self._readers)

    def close(self) -> None:
        """Wake every reader; each says goodbye and ends."""
        self.closing = True
        for reader in self._readers:
            reader.news.set()

    async def attach(self, reader: FeedReader) -> FeedPosition:
        """From the returned place on, `reader` gets everything."""
        if self._position is None:
            end = await self._services.reads.feed_end()
            self._position = self._position or end
        self._readers.add(reader)
        self._wanted.set()
        return self._position

    def detach(self, reader: FeedReader) -> None:
        """The reader has gone; without any the tail rests and forgets its place."""
        self._readers.discard(reader)
        if not self._readers:
            self._wanted.clear()
            self._position = None

    async def run(self) -> None:
        """Read on while anybody watches; a store that is away is asked again."""
        while True:
            await self._wanted.wait()
            try:
                found = await self._step()
            except Exception:  # noqa: BLE001 - readers wait, the next poll tries again
                await asyncio.sleep(_ERROR_PAUSE)
                continue
            if found < PAGE:
                await self._rest(hinted=self._hint.is_set())

    async def _step(self) -> int:
        """Read one page and hand it out; how many there were."""
        start = self._position
        if start is None:
            return 0
        results = any(reader.results for reader in self._readers)
        items = await self._services.reads.feed(start, PAGE, results=results)
        if not items or self._position != start:  # everybody left, and perhaps others came, while it was read
            return 0
        if not results and any(reader.results for reader in self._readers):  # one came who wants them: once more
            return PAGE
        self._position = items[-1].position
        frames = [FeedFrame(item) for item in items]
        for reader in self._readers:
            reader.push(frames)
        return len(items)

    async def _rest(self, *, hinted: bool) -> None:
        """Keep the pace, then wait for a hint or the next poll."""
        self._hint.clear()
        await asyncio.sleep(_PACE)
        patience = _SOON if hinted else _POLL  # what was hinted at may have come after the read, or not be visible yet
        try:
            async with asyncio.timeout(patience):
                await self._hint.wait()
        except TimeoutError:
            return


class FeedStream:
    """One reader of the feed."""

    def __init__(
        self, services: Services, feed: Feed, where: FeedFilter, after: FeedPosition | None, *, compact: bool = False
    ) -> None:
        self._compact = compact
        self._services = services
        self._feed = feed
        self._where = where
        self._cursor = after
        self._heart = Heart(services.limits.heartbeat_seconds)

    async def frames(self) -> AsyncIterator[bytes]:
        """What is newer than the cursor, then everything as it happens, until the service or the reader goes."""
        while not self._feed.closing:
            reader = FeedReader(results=not self._compact)
            try:
                async for chunk in self._followed(reader):
                    yield chunk
            except Unavailable:  # the stream outlives an outage of the store
                yield self._heart.beat() or WAITING
                await asyncio.sleep(OUTAGE_PAUSE)
            finally:
                self._feed.detach(reader)
        yield GOODBYE

    async def _followed(self, reader: FeedReader) -> AsyncIterator[bytes]:
        """Replay up to where the tail is, then what it hands over; ends when the reader has lagged."""
        place = await self._feed.attach(reader)
        if self._cursor is None or await self._is_beyond(place):
            self._cursor = place
            # The id alone: a reader that is cut before the first event still loses none.
            yield RETRY + f"id: {cursors.of_position(place)}\n\n".encode()
        else:
            yield RETRY + b": replay\n\n"
        async for chunk in self._replay(place):
            yield chunk
        async for chunk in self._live(reader):
            yield chunk

    async def _is_beyond(self, place: FeedPosition) -> bool:
        """Whether the cursor is of another database, which had come further than this one (after a restore, say)."""
        return self._cursor is not None and self._cursor > max(place, await self._services.reads.feed_end())

    async def _replay(self, until: FeedPosition) -> AsyncIterator[bytes]:
        """What the table has between the cursor and the place from which on the reader is served."""
        while self._cursor is not None and self._cursor < until and not self._feed.closing:
            page = await self._services.reads.feed(self._cursor, PAGE, results=not self._compact)
            for chunk in self._passed([FeedFrame(item) for item in page]):
                yield chunk
            if len(page) < PAGE:
                return

    async def _live(self, reader: FeedReader) -> AsyncIterator[bytes]:
        """What the tail hands over, with heartbeats; ends when the reader has lagged or the service shuts down."""
        while not (reader.lagged or self._feed.closing):
            try:
                async with asyncio.timeout(self._heart.patience):
                    await reader.news.wait()
            except TimeoutError:
                pass
            for chunk in self._passed(reader.take()):
                yield chunk
            if beat := self._heart.beat():
                yield beat

    def _passed(self, frames: Sequence[FeedFrame]) -> Iterator[bytes]:
        """The frames of what is new and wanted; moves the cursor over all of them."""
        piece = Piece()
        for frame in frames:
            item = frame.item
            if self._cursor is not None and item.position <= self._cursor:
                continue
            self._cursor = item.position
            if self._where.workflow not in (None, item.workflow) or self._where.status not in (None, item.status):
                continue
            if piece.add(frame.compact() if self._compact else frame.encoded()):
                yield piece.take()
        if chunk := piece.take():
            yield chunk
