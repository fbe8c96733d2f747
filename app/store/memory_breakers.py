"""The circuit breakers in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.breakers import BreakerRecord, BreakerStore, BreakerTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.breakers import Move
    from app.store.memory_tables import MemoryTables


class MemoryBreakers(BreakerStore):
    """See domain.breakers.BreakerStore; those of one `tables` are shared.  `moved` is told each change, before and after."""

    def __init__(
        self, tables: MemoryTables, moved: Callable[[BreakerRecord, BreakerRecord], None] = lambda _before, _after: None
    ) -> None:
        self._tables = tables
        self._moved = moved

    async def load(self) -> BreakerTable:
        """All of them."""
        return BreakerTable(now=self._tables.clock(), records=list(self._tables.breakers.values()))

    async def change(self, agent: str, move: Move) -> tuple[BreakerRecord, bool]:
        """Move a breaker; nothing comes between the look and the write."""
        known = self._tables.breakers.get(agent) or BreakerRecord(agent=agent)
        wanted = move(known, self._tables.clock())
        if wanted is None:
            return known, False
        self._tables.breakers[agent] = wanted
        self._moved(known, wanted)
        return wanted, True
