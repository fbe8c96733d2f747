"""How far those who follow a log have come, in memory: one process, which is always the one that follows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain.messages import Places
from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from app.store.memory_tables import MemoryTables


class MemoryPlaces(Places):
    """See domain.messages.Places."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._places: dict[str, FeedPosition] = {}
        self._owners: dict[str, tuple[str, datetime]] = {}

    async def take(self, name: str, owner: str, seconds: float) -> FeedPosition | None:
        """See Places."""
        now = self._tables.clock()
        held = self._owners.get(name)
        if held is not None and held[0] != owner and held[1] >= now:
            return None
        self._owners[name] = (owner, now + timedelta(seconds=seconds))
        return self._places.setdefault(name, FeedPosition(len(self._tables.feed) + 1, "", 0))

    async def renew(self, name: str, owner: str, seconds: float) -> bool:
        """See Places."""
        if self._owners.get(name, ("",))[0] != owner:
            return False
        self._owners[name] = (owner, self._tables.clock() + timedelta(seconds=seconds))
        return True

    async def begun(self) -> FeedPosition:
        """See Places."""
        return FeedPosition(len(self._tables.feed) + 1, "", 0)

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        """See Places."""
        if self._owners.get(name, ("",))[0] != owner:
            return False
        self._places[name] = place
        return True

    def passed(self, names: Collection[str]) -> int:
        """The commit that all of these have reached."""
        reached = [place.xact for name, place in self._places.items() if name in names]
        return min(reached, default=len(self._tables.feed) + 1)

    async def release(self, name: str, owner: str) -> None:
        """See Places."""
        if self._owners.get(name, ("",))[0] == owner:
            del self._owners[name]
