"""Keeps the log of messages and the record of firings bounded: what is old enough is deleted, in small batches."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.domain.message_book import MessageBook
    from app.domain.triggers import TriggerStore

_EVERY: Final = 60.0
_BATCH: Final = 1_000
_BREATH: Final = 0.1
"""Seconds between two batches: others want the database too."""
_log: Final = logging.getLogger(__name__)


class Upkeep:
    """One for the process; what one of `followers` has not passed is not deleted, whatever its age."""

    def __init__(self, book: MessageBook, store: TriggerStore, *, days: float, followers: Sequence[str]) -> None:
        self._book = book
        self._store = store
        self._days = days
        self._followers = tuple(followers)
        self.pulse = Pulse(_EVERY)

    async def run(self) -> None:
        """Delete what is old now and then, until cancelled."""
        while True:
            self.pulse.beat()
            try:
                await self.turn()
            except Unavailable as error:
                _log.debug("old messages wait for the store: %s", error)
            except Exception:  # noqa: BLE001 - a fault here must not take the service down
                _log.exception("old messages could not be deleted")
            await asyncio.sleep(_EVERY)

    async def turn(self) -> int:
        """Delete what is old; how many messages, firings and keys that were.  Raises Unavailable."""
        messages = await self._all(lambda: self._book.prune(self._days, self._followers, _BATCH))
        return messages + await self._all(lambda: self._store.prune(self._days, _BATCH))

    async def _all(self, prune: Callable[[], Awaitable[int]]) -> int:
        whole = 0
        while deleted := await prune():
            whole += deleted
            self.pulse.beat()
            await asyncio.sleep(_BREATH)
        return whole
