"""What this process does when another one hints at something: look at the table, where the truth is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.hints import Hint
    from app.domain.ports import Reads
    from app.engine.bus import Bus
    from app.engine.worker import Worker


class Hearing:
    """Its `heard` is for domain.hints.Hints.listen; `breakers` is called when a breaker has changed elsewhere."""

    def __init__(self, worker: Worker, bus: Bus, reads: Reads, breakers: Callable[[], None]) -> None:
        self._worker = worker
        self._bus = bus
        self._reads = reads
        self._breakers = breakers

    def heard(self, hint: Hint) -> None:
        """A hint has come."""
        if hint.due:
            self._worker.hint()
        if hint.threads is None or hint.threads:
            self._bus.poke(hint.threads)
        for thread_id in hint.steered:
            if self._worker.find(thread_id) is not None:
                self._worker.spawn(self._look(thread_id))
        if hint.breakers:
            self._breakers()

    async def _look(self, thread_id: str) -> None:
        """A thread that is driven here was steered elsewhere, or somebody wishes something of it."""
        try:
            row = await self._reads.thread(thread_id)
        except Unavailable:  # the run's next write will tell
            return
        run = self._worker.find(thread_id)
        if run is None:
            return
        if row is None or row.epoch > run.thread.epoch:
            run.stop()
        elif row.signal is not None:
            self._worker.heed(thread_id, row.signal)
