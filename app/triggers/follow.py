"""Following a log: read on from the place that was reached, act, move the place.  After a crash some messages come again."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.messages import Messages
from app.domain.times import utc_now
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.messages import Consumer, Log, Places
    from app.domain.ports import FeedPosition

PAGE: Final = 500
"""Messages that are acted on together."""
_LOOK: Final = 5.0
"""Seconds after which it looks unasked: another process may have written what nobody hinted at."""
_TRY: Final = 2.0
"""Seconds between two tries to follow where another process does."""
_PACE: Final = 0.02
"""Seconds between two looks, so that many small commits are read together."""
_REST: Final = 0.25
"""The same while nobody wants anything: then a look only moves the place."""
_LONGEST_BEHIND: Final = 1.0
"""Seconds between two looks at most while something was written that cannot be read yet."""
_LONGEST_PAUSE: Final = 5.0
_KEEP: Final = 30.0
"""Seconds after which a place is written that was reached without acting on anything."""
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
        self._pause = 0.0
        self._pace = _PACE
        self._oldest: datetime | None = None
        self._place: FeedPosition | None = None
        self._try_at = self._renew_at = self._write_at = 0.0
        self._hinted = False
        self._behind: Behind | None = None
        self.pulse = Pulse(_LOOK)

    @property
    def lag(self) -> float:
        """For how many seconds the oldest message that was not acted on has waited; 0 at the end, and where another follows."""
        unread = 0.0 if self._behind is None else monotonic() - self._behind.since
        return unread if self._oldest is None else max(unread, (utc_now() - self._oldest).total_seconds())

    def hint(self) -> None:
        """Something was written."""
        self._hinted = True
        self._news.set()

    def look(self) -> None:
        """Something else may be wanted by now."""
        self._news.set()

    async def open(self) -> None:
        """Have a place, a new one the present end: what is written from now on will be acted on.  Raises Unavailable."""
        await self._hold()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                self._news.clear()
                busy = await self._turn()
                self.pulse.beat()
                if not busy and not self._pause:
                    await self._wait()
                await asyncio.sleep(self._pause or self._pace)
        finally:
            try:
                async with asyncio.timeout(1.0):
                    await self._places.release(self.name, self._owner)
            except (Unavailable, TimeoutError):
                _log.debug("%s: another process waits until the lease is over", self.name)

    async def _wait(self) -> None:
        if self._place is None:  # whoever follows has the news
            await asyncio.sleep(max(0.0, self._try_at - monotonic()))
            return
        try:
            async with asyncio.timeout(self._behind.pause() if self._behind else min(_LOOK, self._lease / 2)):
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
        place = await self._hold()
        if place is None:
            self._oldest = self._behind = None
            return False
        # The end comes first: who begins to want something now has come before what is written after this.
        end = await self._source.end()
        patterns = await self._consumer.wants()
        self._pace = _PACE if patterns else _REST
        await self._heed(end, wanted=bool(patterns))
        read = await self._source.read(place, patterns, PAGE) if patterns else Messages((), end)
        # Nor does it go further: what was written meanwhile may be wanted by who began to want it in the same moment.
        found = Messages([one for one in read.items if one.place is None or one.place < end], min(read.place, end))
        if found.items:
            self._oldest = found.items[0].arrived
            await self._consumer.take(found.items)
        self._oldest = found.items[-1].arrived if found.items and found.place < end else None
        await self._move(place, found)
        return bool(patterns) and found.place > place

    async def _heed(self, end: FeedPosition, *, wanted: bool) -> None:
        """Know how far the log has to be read until all is read that was hinted at: a transaction that is older and still open
        keeps the end before it.
        """
        if not wanted:
            self._hinted, self._behind = False, None
        if self._behind is not None and end >= self._behind.until:
            self._behind = None
        if self._hinted and self._behind is None:
            self._hinted, until = False, await self._places.begun()
            self._behind = Behind(until) if end < until else None

    async def _hold(self) -> FeedPosition | None:
        """Where to go on, while this process is the one that follows."""
        now = monotonic()
        if self._place is None:
            if now >= self._try_at:
                self._try_at = now + min(_TRY, self._lease / 2)
                self._place = await self._places.take(self.name, self._owner, self._lease)
                self._renew_at = now + self._lease / 2
        elif now >= self._renew_at:
            if not await self._places.renew(self.name, self._owner, self._lease):
                self._place = None
            self._renew_at = now + self._lease / 2
        return self._place

    async def _move(self, before: FeedPosition, found: Messages) -> None:
        if found.place <= before:
            return
        self._place = found.place
        if not found.items and monotonic() < self._write_at:
            return
        if not await self._places.move(self.name, self._owner, found.place):
            self._place = None
        self._write_at = monotonic() + _KEEP


class Behind:
    """What was written and cannot be read yet: all before the place `until`, `since` some time by the monotonic clock."""

    def __init__(self, until: FeedPosition) -> None:
        self.until = until
        self.since = monotonic()
        self._pause = _PACE

    def pause(self) -> float:
        """Seconds until it is worth while to look again."""
        self._pause = min(2 * self._pause, _LONGEST_BEHIND)
        return self._pause
