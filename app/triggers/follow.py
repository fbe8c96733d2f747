"""Following a log: read on from the place that was reached, act, move the place.  After a crash some messages come again."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from app.domain.messages import Consumer, Log, Places
    from app.domain.ports import FeedPosition

PAGE: Final = 500
"""Messages that are acted on together."""
_LOOK: Final = 1.0
"""Seconds after which it looks unasked: another process may have written what nobody hinted at."""
_PACE: Final = 0.02
"""Seconds between two looks, so that many small commits are read together."""
_LONGEST_PAUSE: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Follower:
    """One reader of one log on behalf of one consumer, in whichever process holds its place.

    `name` is its own among all; `owner` names this process; `lease` is how many seconds another process waits for a silent one.
    """

    def __init__(self, name: str, log: Log, consumer: Consumer, places: Places, *, owner: str, lease: float) -> None:
        self.name = name
        self._source = log
        self._consumer = consumer
        self._places = places
        self._owner = owner
        self._lease = lease
        self._news = asyncio.Event()
        self._idle = False
        """Nothing was wanted the last time: news are none, it looks once in a while whether anything is."""
        self._pause = 0.0
        self.pulse = Pulse(_LOOK)

    def hint(self) -> None:
        """There may be news."""
        if not self._idle:
            self._news.set()

    def wake(self) -> None:
        """Something may be wanted that was not."""
        self._news.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                self._news.clear()
                busy = await self._turn()
                self.pulse.beat()
                if not busy:
                    await self._wait()
                await asyncio.sleep(self._pause or _PACE)
        finally:
            try:
                async with asyncio.timeout(1.0):
                    await self._places.release(self.name, self._owner)
            except (Unavailable, TimeoutError):
                _log.debug("%s: another process waits until the lease is over", self.name)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK):
                await self._news.wait()
        except TimeoutError:
            return

    async def _turn(self) -> bool:
        """Whether there may be more at once."""
        try:
            more = await self._step()
        except Unavailable as error:
            _log.debug("%s waits: %s", self.name, error)
        except Exception:  # noqa: BLE001 - what cannot be done now must be done later, not left out
            _log.exception("%s could not act on messages; it tries again", self.name)
        else:
            self._pause = 0.0
            return more
        self._pause = min(max(0.1, 2 * self._pause), _LONGEST_PAUSE)
        return False

    async def _step(self) -> bool:
        place = await self._places.take(self.name, self._owner, self._lease)
        if place is None:
            return False
        # The end comes first, and nothing beyond it counts: who begins to want something after this looks for himself, up to an
        # end of his own that is no earlier.
        end = await self._source.end()
        patterns = await self._consumer.wants()
        self._idle = not patterns
        if not patterns:
            return await self._move(place, end) and False
        found = await self._source.read(place, patterns, PAGE)
        items = [message for message in found.items if message.place is None or message.place < end]
        if items:
            await self._consumer.take(items)
        reached = min(found.place, end)
        return await self._move(place, reached) and reached > place

    async def _move(self, before: FeedPosition, place: FeedPosition) -> bool:
        return place <= before or await self._places.move(self.name, self._owner, place)
