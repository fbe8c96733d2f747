"""The store of the breakers with bounded patience: it answers in a few seconds, or counts as away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.domain.breakers import BreakerStore
from app.domain.errors import Unavailable

if TYPE_CHECKING:
    from app.domain.breakers import BreakerRecord, BreakerTable, Move

_PATIENCE: Final = 5.0
"""Seconds for one answer."""


class PatientStore(BreakerStore):
    """See domain.breakers.BreakerStore; a store that does not answer is Unavailable."""

    def __init__(self, store: BreakerStore) -> None:
        self.unhurried = self._store = store
        """The same for people, who wait in the line for a connection rather than be told that nobody answers."""

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


def _silent() -> Unavailable:
    return Unavailable("the store of the circuit breakers does not answer", retry_after=2)
