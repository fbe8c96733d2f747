"""What stands between the breakers and their store: bounded patience, and somebody who is told of what was changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.domain.breakers import BreakerStore
from app.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.domain.breakers import BreakerRecord, BreakerTable, Move

_PATIENCE: Final = 5.0
"""Seconds for one answer."""


class PatientStore(BreakerStore):
    """See domain.breakers.BreakerStore; a store that does not answer is Unavailable."""

    def __init__(self, store: BreakerStore) -> None:
        self._store = store

    async def load(self) -> BreakerTable:
        """All of them."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._store.load()
        except TimeoutError:
            raise _silent() from None

    async def change(self, agent: str, move: Move) -> tuple[BreakerRecord, bool]:
        """Move a breaker; the breaker as it is then, and whether this call has written it."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._store.change(agent, move)
        except TimeoutError:
            raise _silent() from None


class WatchedStore(BreakerStore):
    """See domain.breakers.BreakerStore; `moved` is called with the breaker before and after each change that is written."""

    def __init__(self, store: BreakerStore, moved: Callable[[BreakerRecord, BreakerRecord], None]) -> None:
        self._store = store
        self._moved = moved

    async def load(self) -> BreakerTable:
        """All of them."""
        return await self._store.load()

    async def change(self, agent: str, move: Move) -> tuple[BreakerRecord, bool]:
        """Move a breaker; the breaker as it is then, and whether this call has written it."""
        seen: list[BreakerRecord] = []

        def watched(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
            seen.append(record)
            return move(record, now)

        after, written = await self._store.change(agent, watched)
        if written:
            self._moved(seen[-1], after)
        return after, written


def _silent() -> Unavailable:
    return Unavailable("the store of the circuit breakers does not answer", retry_after=2)
