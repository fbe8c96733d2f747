"""The worker: slots, the one long-lived task group, and the threads that this process drives.

A new thread is taken up at once when a slot is free and nobody waits before it; all others are claimed from the store when
they are due.  Waiting costs a row, not a slot.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.domain import wishes
from app.domain.errors import Unavailable
from app.engine.attempts import Attempts
from app.engine.claims import Claims
from app.engine.family import Family, waits
from app.engine.run import Run
from app.engine.takeup import TakeUp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from app.domain.records import ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.engine.deps import Deps, Spawn, Stores
    from app.engine.load import Loaded

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
        max_recoveries: int = 10,
    ) -> None:
        self._stores = stores
        self._specs = specs
        self.incarnation_id = incarnation_id
        self.slots = slots
        self.counted = False  # whether the default queue has a limit too: each end may make another thread due
        self._grace = grace
        self._max_recoveries = max_recoveries
        self._take_up: TakeUp | None = None
        self._taken = 0
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._begun: dict[str, int] = {}
        self._drives: set[asyncio.Task[None]] = set()
        self.ended: set[str] = set()
        """The threads whose runs have ended since the store was last asked what is ours."""
        self._attempts = Attempts()
        self._expected: Counter[str] = Counter()
        self._family: Family | None = None
        self._deps: Deps | None = None
        self._group: asyncio.TaskGroup | None = None
        self._claims = Claims(stores.journal, self)
        self._leaving = False

    @property
    def running(self) -> int:
        """Threads that this process drives now."""
        return len(self._runs)

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self.slots - self._taken

    @property
    def claims(self) -> Claims:
        """How it comes by threads."""
        return self._claims

    @property
    def family(self) -> Family:
        """Who waits for whose end."""
        assert self._family is not None
        return self._family

    def may_start(self) -> bool:
        """Whether this process may take up threads and start steps: not past its lease, not while the store is away."""
        return self._deps is None or self._deps.may_start()

    def go_on(self) -> None:
        """It may again: what was held back starts."""
        for run in self._runs.values():
            run.go_on()
        self._claims.hint()

    def take(self, slots: int) -> None:
        """Hold so many slots more (or less)."""
        self._taken += slots

    def runs(self) -> dict[str, Run]:
        """The runs there are now, by thread."""
        return dict(self._runs)

    def begun(self) -> dict[str, int]:
        """The threads that have a run, or are about to, each with the epoch that its newest task was begun for."""
        return dict(self._begun)

    def expected(self) -> set[str]:
        """The threads that are about to be born or steered here."""
        return set(self._expected)

    def reserve(self, thread_id: str) -> bool:
        """Take a slot for a thread that is about to be born or steered, unless others wait before it."""
        if self._leaving or self._claims.backlog or self._taken >= self.slots or not self.may_start():
            self._claims.backlog = True
            return False
        self._taken += 1
        self._expected[thread_id] += 1
        return True

    def unreserve(self, thread_id: str) -> None:
        """Give a reserved slot back."""
        self._expect_no_more(thread_id)
        self._taken -= 1
        self._claims.hint()

    def launch(self, thread: ThreadRecord, loaded: Loaded | None = None) -> None:
        """Drive a thread that is ours, in a slot that was reserved; without `loaded` its state is read first.

        Where an earlier run of it is still letting go, the new one waits for that, at most the grace.
        """
        self._expect_no_more(thread.thread_id)
        self.begin(thread, loaded)

    def begin(self, thread: ThreadRecord, loaded: Loaded | None = None) -> None:
        """Drive a thread that is ours, in a slot that was taken."""
        assert self._group is not None
        old = self._tasks.get(thread.thread_id)
        task = self._group.create_task(self._drive(thread, loaded, old), name=f"thread {thread.thread_id}")
        self._tasks[thread.thread_id], self._begun[thread.thread_id] = task, thread.epoch
        self._drives.add(task)
        task.add_done_callback(self._drives.discard)

    def hint(self, seconds: float = 0.0) -> None:
        """A thread will be due then."""
        self._claims.hint(seconds)

    def adopt_later(self) -> None:
        """See Claims."""
        self._claims.adopt_later()

    def find(self, thread_id: str) -> Run | None:
        """The run of a thread that this process drives."""
        return self._runs.get(thread_id)

    def stop_run(self, thread_id: str) -> None:
        """Stop the run of a thread that was fenced, if this process has one."""
        run = self._runs.get(thread_id)
        if run is not None:
            run.stop()

    def heed(self, thread_id: str, signal: str) -> None:
        """Somebody wishes something of a thread that this process drives."""
        run = self._runs.get(thread_id)
        if run is None:
            return
        if wishes.is_cancel(signal):
            self.spawn(self.family.obey(thread_id, wishes.reason(signal)))
        elif signal == wishes.PAUSE:
            run.pause()
        else:
            run.look(signal)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the threads; it ends with the worker."""
        self._attempts.spawn(work)

    def waits_for(self, child_id: str, parent_id: str) -> None:
        """A step of the parent waits for the end of the child."""
        self.spawn(self.family.wait(child_id, parent_id))

    def forsake(self, child_id: str, parent_id: str) -> None:
        """No step of the parent waits for the child any more."""
        self.spawn(self.family.cancel_child(child_id, parent_id))

    @asynccontextmanager
    async def open(self, make_deps: Callable[[Spawn], Deps]) -> AsyncGenerator[Worker]:
        """Run until the block ends; then let steps reach a boundary within the grace."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._deps = make_deps(self._attempts.spawn)
            self._deps.grace = self._grace
            self._family = Family(self._stores, self, self._deps)
            self._take_up = TakeUp(
                self._stores,
                self._specs,
                self._family,
                self._deps.bus,
                self.adopt_later,
                max_recoveries=self._max_recoveries,
            )
            claiming = group.create_task(self._claims.run(), name="claims")
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
        assert self._take_up is not None
        watchers = self._deps.bus.watchers
        run: Run | None = None
        try:
            if old is not None:
                self.stop_run(thread.thread_id)
                await asyncio.wait([old], timeout=self._grace)
            loaded = loaded or await self._load(thread)
            if loaded is None:
                return
            run = self._runs[thread.thread_id] = Run(self._deps, loaded)
            if self._leaving:
                run.leave()
            watchers.taken_up(run.thread, loaded.spec, loaded.execution)
            await run.drive()
        except Unavailable as error:
            _log.warning("thread %s waits for the database: %s", thread.thread_id, error)
            self.adopt_later()
        except Exception as error:  # noqa: BLE001 - one thread's trouble is not the others'
            await self._take_up.give_up(run.thread if run is not None else thread, error)
        finally:
            if run is not None and loaded is not None:
                watchers.let_go(run.thread, loaded.spec)
            self._end(thread.thread_id, run)
        if run is not None:
            await self._look_after(run)

    async def _load(self, thread: ThreadRecord) -> Loaded | None:
        assert self._take_up is not None
        self._expected[thread.thread_id] += 1  # healing may raise its epoch: that makes it no orphan
        try:
            loaded = await self._take_up.load(thread)
            if loaded is not None and self._tasks.get(thread.thread_id) is asyncio.current_task():
                self._begun[thread.thread_id] = loaded.thread.epoch
            return loaded
        finally:
            self._expect_no_more(thread.thread_id)

    def _end(self, thread_id: str, run: Run | None) -> None:
        if run is not None and self._runs.get(thread_id) is run:
            del self._runs[thread_id]
        if self._tasks.get(thread_id) is asyncio.current_task():
            del self._tasks[thread_id], self._begun[thread_id]
            self.ended.add(thread_id)
        self._taken -= 1
        if self._claims.backlog or self.counted or (run is not None and run.makes_way):
            self._claims.hint()

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

    async def _leave(self) -> None:
        """Let what runs reach a boundary within the grace, then cancel it; the store gives the threads to others."""
        for run in list(self._runs.values()):
            run.leave()
        late = set(self._drives)
        if late:
            _, late = await asyncio.wait(late, timeout=self._grace)
        for run in list(self._runs.values()):
            run.stop()
        for task in late:
            task.cancel()
        await self._attempts.stop()
