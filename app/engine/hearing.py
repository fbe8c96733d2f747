"""What this process does when others hint at something: look at the table, where the truth is.

However many hints come, there is one look at a time, at all that was hinted at since the last one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from app.domain.status import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.domain.hints import Hint
    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.engine.bus import Bus
    from app.engine.worker import Worker

_PACE: Final = 0.05
"""Seconds between two looks."""
_MANY: Final = 10_000
"""Threads above which they are not told apart any more."""
_PAGE: Final = 1_000
_log = logging.getLogger(__name__)


class Hearing:
    """Its `heard` is for domain.hints.Hints.listen; `breakers` and `agents` are called when one has changed elsewhere."""

    def __init__(
        self,
        worker: Worker,
        bus: Bus,
        reads: Reads,
        breakers: Callable[[], None],
        agents: Callable[[], None] | None = None,
    ) -> None:
        self._worker = worker
        self._bus = bus
        self._reads = reads
        self._breakers = breakers
        self._agents = agents
        self._moved: set[str] | None = set()
        self._steered: set[str] = set()
        self._due = self._tripped = False
        self._news = asyncio.Event()

    def heard(self, hint: Hint) -> None:
        """A hint has come."""
        self._due = self._due or hint.due
        self._tripped = self._tripped or hint.breakers
        if hint.agents and self._agents is not None:
            self._agents()
        self._steered.update(hint.steered)
        if hint.threads is None or self._moved is None or len(self._moved) + len(self._steered) > _MANY:
            self._moved = None
        else:
            self._moved.update(hint.threads)
        self._news.set()

    async def run(self) -> None:
        """Look whenever something was hinted at, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - everybody also looks unasked, now and then
                _log.debug("what was hinted at could not be looked at: %s", error)
            await asyncio.sleep(_PACE)

    async def _look(self) -> None:
        moved, steered, due, tripped = self._moved, self._steered, self._due, self._tripped
        self._moved, self._steered, self._due, self._tripped = set(), set(), False, False
        if due:
            self._worker.hint()
        if tripped:
            self._breakers()
        if moved is None or moved:
            self._bus.poke(moved)
        runs = self._worker.runs()
        mine = set(runs) if moved is None else steered & runs.keys()
        children = self._worker.family.awaited(moved)
        ids = sorted(mine | children)
        for first in range(0, len(ids), _PAGE):
            page = ids[first : first + _PAGE]
            rows = {row.thread_id: row for row in await self._reads.threads(page)}
            self._drivers(mine.intersection(page), rows)
            for child in children.intersection(page):
                if child in rows and rows[child].status in ENDED:
                    self._worker.family.tell(child)

    def _drivers(self, thread_ids: Iterable[str], rows: dict[str, ThreadRecord]) -> None:
        """Threads that are driven here were perhaps steered elsewhere, or somebody wishes something of them."""
        for thread_id in thread_ids:
            run, row = self._worker.find(thread_id), rows.get(thread_id)
            if run is None:
                continue
            if row is None or row.epoch > run.thread.epoch:
                run.stop()
            elif row.signal is not None:
                self._worker.heed(thread_id, row.signal)
