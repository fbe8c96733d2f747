"""The processes on this store, as one of them sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.domain.workers import WorkerRecord, Workers
    from app.engine.worker import Worker

_MOST: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Workforce:
    """`worker` is this process's own; `lease` how many seconds a process may be silent before others take its threads over."""

    store: Workers
    worker: Worker
    lease: float

    @property
    def own(self) -> str:
        """The id of this process."""
        return self.worker.incarnation_id

    @property
    def slots(self) -> tuple[int, int]:
        """How many slots this process has, and how many of them nobody holds."""
        return self.worker.slots, max(0, self.worker.free)

    async def listed(self) -> list[WorkerRecord]:
        """The processes, the newest fifty, the one that started last first.  Raises Unavailable."""
        return await self.store.listed(_MOST)
