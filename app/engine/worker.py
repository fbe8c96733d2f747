"""The worker: slots, the one long-lived task group, and the threads that this process drives.

A new thread is taken up at once when a slot is free and nobody waits before it; all others are claimed from the store when
they are due.  Waiting costs a row, not a slot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import BackstitchError, Unavailable
from app.domain.times import utc_now
from app.engine.adoption import lost, undriven
from app.engine.attempts import Attempts
from app.engine.family import Family, waits
from app.engine.load import load_thread
from app.engine.run import Run
from app.engine.steering import interrupt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from app.domain.records import ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.engine.deps import Deps, Stores
    from app.engine.load import Loaded

    Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

POLL: Final = 2.0
"""Seconds after which the store is asked for due threads even if nothing hinted at any."""
ORPHANS: Final = 5.0
"""Seconds after which the store is asked what is ours: what nobody here drives, what another process has taken."""
_CLAIM: Final = 200
_GATHER: Final = 0.005
"""Seconds in which slots become free and threads due before the store is asked for all of them at once."""
_log = logging.getLogger(__name__)


class Worker:
    """Drives up to `slots` threads at a time."""

    def __init__(
        self,
        stores: Stores,
        specs: Callable[[str], Awaitable[WorkflowSpec]],
        incarnation_id: str,
        *,
        slots: int = 1000,
        grace: float = 10.0,
    ) -> None:
        self._stores = stores
        self._specs = specs
        self.incarnation_id = incarnation_id
        self._slots = slots
        self._grace = grace
        self._taken = 0
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._attempts = Attempts()
        self._expected: Counter[str] = Counter()
        self._family: Family | None = None
        self._deps: Deps | None = None
        self._group: asyncio.TaskGroup | None = None
        self._due = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._backlog = True
        self._look_for_orphans = ORPHANS
        self._leaving = False

    @property
    def running(self) -> int:
        """Threads that this process drives now."""
        return len(self._runs)

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._slots - self._taken

    @property
    def family(self) -> Family:
        """Who waits for whose end."""
        assert self._family is not None
        return self._family

    def reserve(self, thread_id: str) -> bool:
        """Take a slot for a thread that is about to be born or steered, unless others wait before it."""
        if self._leaving or self._backlog or self._taken >= self._slots:
            self._backlog = True
            return False
        self._taken += 1
        self._expected[thread_id] += 1
        return True

    def unreserve(self, thread_id: str) -> None:
        """Give a reserved slot back."""
        self._expect_no_more(thread_id)
        self._taken -= 1
        self._due.set()

    def launch(self, thread: ThreadRecord, loaded: Loaded | None = None) -> None:
        """Drive a thread that is ours, in a slot that was reserved; without `loaded` its state is read first.

        Where an earlier run of it is still letting go, the new one waits for that, at most the grace.
        """
        self._expect_no_more(thread.thread_id)
        self._begin(thread, loaded)

    def _begin(self, thread: ThreadRecord, loaded: Loaded | None = None) -> None:
        assert self._group is not None
        old = self._tasks.get(thread.thread_id)
        work = self._drive(thread, loaded, old)
        self._tasks[thread.thread_id] = self._group.create_task(work, name=f"thread {thread.thread_id}")

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

    def find(self, thread_id: str) -> Run | None:
        """The run of a thread that this process drives."""
        return self._runs.get(thread_id)

    def stop_run(self, thread_id: str) -> None:
        """Stop the run of a thread that was fenced, if this process has one."""
        run = self._runs.get(thread_id)
        if run is not None:
            run.stop()

    def waits_for(self, child_id: str, parent_id: str) -> None:
        """A step of the parent waits for the end of the child."""
        self._attempts.spawn(self.family.wait(child_id, parent_id))

    @asynccontextmanager
    async def open(self, make_deps: Callable[[Spawn], Deps]) -> AsyncGenerator[Worker]:
        """Run until the block ends; then let steps reach a boundary within the grace."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._deps = make_deps(self._attempts.spawn)
            self._deps.grace = self._grace
            self._family = Family(self._stores, self, self._deps.bus)
            claiming = group.create_task(self._claim_forever(), name="claims")
            try:
                yield self
            finally:
                self._leaving = True
                claiming.cancel()
                await self._leave()

    def _expect_no_more(self, thread_id: str) -> None:
        self._expected[thread_id] -= 1
        if self._expected[thread_id] <= 0:
            del self._expected[thread_id]

    async def _drive(self, thread: ThreadRecord, loaded: Loaded | None, old: asyncio.Task[None] | None) -> None:
        assert self._deps is not None
        run: Run | None = None
        try:
            if old is not None:
                self.stop_run(thread.thread_id)
                await asyncio.wait([old], timeout=self._grace)
            if loaded is None:
                spec = await self._specs(thread.definition_id)
                loaded = await load_thread(self._stores.reads, thread, spec)
                if await self.family.is_orphan(loaded):
                    await self.family.cancel_child(thread.thread_id, thread.parent_thread_id)
                    return
            run = self._runs[thread.thread_id] = Run(self._deps, loaded)
            if self._leaving:
                run.leave()
            await run.drive()
        except Unavailable as error:
            _log.warning("thread %s waits for the database: %s", thread.thread_id, error)
            self.adopt_later()
        except Exception as error:  # noqa: BLE001 - one thread's trouble is not the others'
            await self._give_up(thread, error)
        finally:
            self._end(thread.thread_id, run)
        if run is not None:
            await self._look_after(run)

    def _end(self, thread_id: str, run: Run | None) -> None:
        if run is not None and self._runs.get(thread_id) is run:
            del self._runs[thread_id]
        if self._tasks.get(thread_id) is asyncio.current_task():
            del self._tasks[thread_id]
        self._taken -= 1
        if self._backlog or (run is not None and run.ended and run.thread.parent_thread_id is not None):
            self._due.set()

    async def _look_after(self, run: Run) -> None:
        """A thread has given up its slot: watch for its time, for wishes that came too late, and for its children."""
        thread = run.thread
        if waits(run) and thread.wake_at is not None and self._deps is not None:
            self.hint((thread.wake_at - self._deps.now()).total_seconds())
        try:
            if waits(run) and run.missed_signal:
                await self._stores.journal.wake(thread.thread_id)
                self.hint()
            await self.family.look_after(run)
        except Exception:  # noqa: BLE001 - the group must live
            _log.exception("what waits for thread %s, or it for, could not be looked after", thread.thread_id)

    async def _give_up(self, thread: ThreadRecord, error: Exception) -> None:
        """A run broke in a way that no rule foresees: the thread is interrupted, so that nothing loops."""
        _log.exception("the run of thread %s broke", thread.thread_id)
        message = f"{type(error).__name__}: {error}"
        try:
            written = await interrupt(self._stores.journal, thread, message, utc_now())
            if written is None:  # it has moved on: if it is still ours, it is to be driven on
                self.adopt_later()
            elif self._deps is not None:
                self._deps.bus.publish(thread.thread_id, written.events)
                await self.family.cancel_children(written)
        except Exception:  # noqa: BLE001 - the group must live
            _log.exception("thread %s could not be interrupted either", thread.thread_id)

    def adopt_later(self) -> None:
        """A write's outcome is not known: what the store says is ours and nobody drives is to be taken up, soon."""
        self._look_for_orphans = 0.0
        self.hint(1.0)

    def _ring(self) -> None:
        self._alarm = None
        self._due.set()

    async def _claim_forever(self) -> None:
        while not self._leaving:
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

    async def _claim(self) -> None:
        """Take up what is due, as far as there are slots."""
        await self._adopt()
        journal = self._stores.journal
        while self.free > 0:
            limit = min(_CLAIM, self.free)
            self._taken += limit
            claimed: list[ThreadRecord] = []
            try:
                claimed = await journal.claim(self.incarnation_id, limit)
            finally:
                self._taken -= limit - len(claimed)
            for thread in claimed:
                self._begin(thread)
            if len(claimed) < limit:
                self._backlog = False
                break
        due = await journal.next_due()
        if due:
            self.hint(due)
        self._backlog = self._backlog or (due == 0 and self.free <= 0)

    async def _adopt(self) -> None:
        """Take up what is ours and nobody drives, stop what is ours no more; after a lost answer and now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._look_for_orphans:
            return
        self._look_for_orphans = now + ORPHANS
        runs, busy = dict(self._runs), {*self._tasks, *self._expected}  # one that ends meanwhile is no orphan
        ours = {thread.thread_id: thread for thread in await self._stores.journal.driven(self.incarnation_id)}
        for run in lost(runs, ours):
            run.stop()
        for thread in undriven(ours, runs, {*busy, *self._tasks}, self._expected):
            self._taken += 1
            self._begin(thread)

    async def _leave(self) -> None:
        """Let what runs reach a boundary within the grace, then cancel it; the store gives the threads to others."""
        for run in list(self._runs.values()):
            run.leave()
        late: set[asyncio.Task[None]] = set(self._tasks.values())
        if late:
            _, late = await asyncio.wait(late, timeout=self._grace)
        for run in list(self._runs.values()):
            run.stop()
        for task in late:
            task.cancel()
        await self._attempts.stop()
