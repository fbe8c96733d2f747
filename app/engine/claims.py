"""Claims: how a process comes by threads that nobody launched in it: those that are due, and those that are its own by the
store's word and nobody here drives.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from app.domain.errors import BackstitchError
from app.engine.adoption import lost, undriven
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from app.domain.ports import Journal
    from app.domain.records import ThreadRecord
    from app.engine.worker import Worker

POLL: Final = 2.0
"""Seconds after which the store is asked for due threads even if nothing hinted at any."""
ORPHANS: Final = 5.0
"""Seconds after which the store is asked what is ours: what nobody here drives, what another process has taken."""
_CLAIM: Final = 200
_SOON: Final = 0.1
_GATHER: Final = 0.005
"""Seconds in which slots become free and threads due before the store is asked for all of them at once."""
_log = logging.getLogger(__name__)


class Claims:
    """One for a worker.  `backlog`: there are, or may be, due threads that wait for a slot."""

    def __init__(self, journal: Journal, worker: Worker) -> None:
        self._journal = journal
        self._worker = worker
        self._due = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._look_for_orphans = ORPHANS
        self.backlog = True
        self.pulse = Pulse(POLL)

    def hint(self, seconds: float = 0.0) -> None:
        """A thread will be due then."""
        if seconds <= 0:
            self._due.set()
            return
        loop = asyncio.get_running_loop()
        if self._alarm is None or self._alarm.when() > loop.time() + seconds or self._alarm.cancelled():
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = loop.call_later(seconds, self._ring)

    def adopt_later(self) -> None:
        """A write's outcome is not known: what the store says is ours and nobody drives is to be taken up, soon."""
        self._look_for_orphans = 0.0
        self.hint(1.0)

    async def run(self) -> None:
        """Claim whenever something may be due, until cancelled."""
        while True:
            self.pulse.beat()
            try:
                await self._claim()
            except Exception as error:  # noqa: BLE001 - the claims must go on
                known = isinstance(error, BackstitchError)
                _log.warning("due threads could not be claimed: %s", error, exc_info=None if known else error)
                self.adopt_later()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):  # wait_for of Python 3.11 can swallow the cancellation
                    await self._due.wait()
            await asyncio.sleep(_GATHER)
            self._due.clear()

    def _ring(self) -> None:
        self._alarm = None
        self._due.set()

    async def _claim(self) -> None:
        """Take up what is due, as far as there are slots; nothing past the lease."""
        await self._adopt()
        worker = self._worker
        if not worker.may_start():
            return
        while worker.free > 0:
            limit = min(_CLAIM, worker.free)
            worker.take(limit)
            claimed: list[ThreadRecord] = []
            try:
                claimed = await self._journal.claim(worker.incarnation_id, limit)
            finally:
                worker.take(len(claimed) - limit)
            for thread in claimed:
                worker.begin(thread)
            if len(claimed) < limit:
                self.backlog = False
                break
        due = await self._journal.next_due()
        if due or (due is not None and worker.free > 0):  # what is due and was not to be had was locked
            self.hint(max(due, _SOON))
        self.backlog = self.backlog or (due == 0 and worker.free <= 0)

    async def _adopt(self) -> None:
        """Take up what is ours and nobody drives, stop what is ours no more; after a lost answer and now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._look_for_orphans:
            return
        self._look_for_orphans = now + ORPHANS
        worker = self._worker
        runs = worker.runs()
        worker.ended.clear()  # one that ends meanwhile, even if it has begun since, is no orphan
        ours = {thread.thread_id: thread for thread in await self._journal.driven(worker.incarnation_id)}
        for run in lost(runs, ours):
            run.stop()
        for thread in ours.values():
            if thread.signal is not None:
                worker.heed(thread.thread_id, thread.signal)
        for thread in undriven(ours, worker.begun(), worker.expected() | worker.ended):
            worker.take(1)
            worker.begin(thread)
