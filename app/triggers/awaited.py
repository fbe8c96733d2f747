"""Threads whose end lets a buffered firing start: heard of when they are driven here, looked at when others have moved some."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.events import TERMINAL
from app.domain.schedules import Outcome
from app.domain.status import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.domain.events import Event
    from app.domain.ports import Reads
    from app.domain.schedule_plan import Decision
    from app.domain.schedules import Firing
    from app.engine.bus import Bus

FAR: Final = 0.25
"""Seconds between two looks at threads that other processes drive."""
_MOST: Final = 10_000
"""Threads that are listened for; the end of others is seen when their schedules are looked at unasked."""
_PAGE: Final = 1_000


class Awaited:
    """`soon` is called with the seconds after which something is to be looked at; `freed` are the schedules that may go on."""

    def __init__(self, reads: Reads, soon: Callable[[float], None]) -> None:
        self._reads = reads
        self._soon = soon
        self._threads: dict[str, str] = {}
        self._far = False
        self._looked_far = 0.0
        self.freed: set[str] = set()

    def attach(self, bus: Bus) -> None:
        """Hear of threads that end."""
        bus.listen(self._heard)
        bus.listen_far(self._heard_far)

    async def add(self, decisions: Sequence[Decision], results: Sequence[Firing]) -> None:
        """Listen for those that buffered firings of these schedules wait for; some may have ended.  Raises Unavailable."""
        waiting = {one.move.schedule.id: one for one in decisions if one.buffered}
        if not waiting:
            return
        awaited = {thread_id: key for key, one in waiting.items() for thread_id in one.running}
        for firing in results:
            if firing.schedule_id in waiting and firing.outcome is Outcome.STARTED:
                awaited[firing.thread_id] = firing.schedule_id
        for thread_id, schedule_id in awaited.items():
            if len(self._threads) < _MOST:
                self._threads[thread_id] = schedule_id
        await self._look_at(awaited)

    async def look(self) -> None:
        """Look at all, if other processes have moved threads.  Raises Unavailable."""
        if self._far and monotonic() - self._looked_far > FAR:
            self._far, self._looked_far = False, monotonic()
            await self._look_at(dict(self._threads))

    async def _look_at(self, awaited: Mapping[str, str]) -> None:
        """Whether some have ended, or are gone."""
        thread_ids = list(awaited)
        for first in range(0, len(thread_ids), _PAGE):
            page = thread_ids[first : first + _PAGE]
            rows = {row.thread_id: row.status for row in await self._reads.threads(page)}
            for thread_id in page:
                if thread_id not in rows or rows[thread_id] in ENDED:
                    self._free(thread_id, awaited[thread_id])

    def _free(self, thread_id: str, schedule_id: str) -> None:
        self._threads.pop(thread_id, None)
        self.freed.add(schedule_id)
        self._soon(0.0)

    def _heard(self, events: Sequence[Event]) -> None:
        if self._threads:
            for event in events:
                if event.thread_id in self._threads and event.name in TERMINAL:
                    self._free(event.thread_id, self._threads[event.thread_id])

    def _heard_far(self) -> None:
        if self._threads:
            self._far = True
            self._soon(FAR)
