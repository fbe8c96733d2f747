"""Parents and children: who waits for whose end, and how the end of a parent's step reaches its sub-workflow."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain import wishes
from app.domain.errors import Conflict, NotFound, Unavailable
from app.domain.events import TERMINAL
from app.domain.status import ENDED, Status, StepStatus
from app.domain.times import utc_now
from app.engine.bus import Lagged
from app.engine.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from app.domain.commands import Check
    from app.domain.events import Event
    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.transition import Transition
    from app.engine.deps import Deps, Stores
    from app.engine.load import Loaded
    from app.engine.run import Run
    from app.engine.worker import Worker

ASK: Final = 5.0
"""Seconds at most that the driver of a thread has to cancel it itself."""
_LOOK_AGAIN: Final = 0.5


class Family:
    """One for the engine.  Where nobody hears of a child's end, its commit makes the waiting parent due."""

    def __init__(self, stores: Stores, worker: Worker, deps: Deps) -> None:
        bus = deps.bus
        self._stores = stores
        self._is_dead = deps.is_dead
        self._grace = deps.grace
        self._worker = worker
        self._bus = bus
        self._parents: dict[str, str] = {}
        bus.listen(self._heard)

    async def wait(self, child_id: str, parent_id: str) -> None:
        """A step of the parent waits for the end of the child, which may have come by now."""
        self._parents[child_id] = parent_id
        if await self._has_ended(child_id):
            self.tell(child_id)

    async def cancel(
        self, thread_id: str, reason: str | None, *, force: bool = False, check: Check | None = None
    ) -> ThreadRecord:
        """End a thread and its sub-workflows.

        Another living process that drives it is asked first, for it knows what the steps have streamed; without an answer
        within the grace, or with `force`, the thread is taken from it.  `check` sees the row under its lock, and raises where
        that is not what was to be cancelled.  Raises NotFound, Conflict (thread_ended).
        """
        asked = None if force else await self._ask_driver(thread_id, reason, check)
        if asked is not None and asked.status is Status.CANCELLED:
            return asked
        try:
            return await self._cancel(thread_id, reason, check=check)
        except Conflict:
            thread = await self._stores.reads.thread(thread_id)
            if asked is None or thread is None or thread.status is not Status.CANCELLED:
                raise
            return thread  # its driver did it at the last moment

    async def obey(self, thread_id: str, reason: str | None) -> None:
        """Cancel a thread because its row asks for it, unless that wish is gone: then its run goes on."""
        try:
            with suppress(Conflict, NotFound):
                await self._cancel(thread_id, reason, wished=True)
        finally:
            run = self._worker.find(thread_id)
            if run is not None:
                run.reprieve()

    async def _cancel(
        self, thread_id: str, reason: str | None, *, wished: bool = False, check: Check | None = None
    ) -> ThreadRecord:
        written: list[Transition] = []
        texts = self._bus.texts(thread_id)

        async def decide(thread: ThreadRecord, reads: Reads) -> Transition | None:
            if wished and not wishes.is_cancel(thread.signal):
                return None
            if check is not None:
                check(thread)
            written.append(await Steering(thread, reads, at=utc_now(), driver=None).cancel(reason, texts))
            return written[-1]

        thread = await self._stores.journal.steer(thread_id, decide)
        if not written:
            return thread
        self._worker.stop_run(thread_id)
        self._bus.moved(written[-1])
        self._worker.hint()
        await self.cancel_children(written[-1])
        return thread

    async def _ask_driver(self, thread_id: str, reason: str | None, check: Check | None) -> ThreadRecord | None:
        """Let the process that drives a thread cancel it: the row once it has, or had the time to; None if nobody drives it."""
        thread = await self._stores.reads.thread(thread_id)
        driver = thread.incarnation_id if thread is not None else None
        if driver is None or driver == self._worker.incarnation_id or await self._is_dead(driver):
            return None
        if check is not None and thread is not None:
            check(thread)
        await self._stores.journal.signal(thread_id, wishes.cancel(reason))
        deadline = monotonic() + min(ASK, self._grace)
        while (left := deadline - monotonic()) > 0:
            thread = await self._stores.reads.thread(thread_id)
            if thread is None or thread.incarnation_id != driver:
                break
            with suppress(TimeoutError, Lagged), self._bus.subscribe(thread_id) as subscription:
                async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                    await subscription.next()
        return thread

    async def cancel_child(self, child_id: str, parent_id: str | None) -> None:
        """Cancel it if it has not ended by itself."""
        self._parents.pop(child_id, None)
        with suppress(Conflict):
            await self.cancel(child_id, f"its parent {parent_id} was steered away")

    async def cancel_children(self, transition: Transition) -> None:
        """Cancel the sub-workflows of the step runs that a transition cancelled."""
        closed = {update.id for update in transition.step_updates if update.status is StepStatus.CANCELLED}
        if not closed:
            return
        children = [
            child for child in await self._stores.reads.children(transition.thread_id) if child.status not in ENDED
        ]
        born_of = {child.parent_run_id for child in children if child.parent_run_id is not None}
        runs = await self._stores.reads.steps(transition.thread_id, ids=sorted(closed | born_of), values=False)
        # A resumed child was born of an earlier run of the step: they share the key.
        keys = {run.id: (run.key_execution_id, run.step_id) for run in runs}
        gone = {keys[run] for run in closed if run in keys}
        for child in children:
            if keys.get(child.parent_run_id or "") in gone:
                await self.cancel_child(child.thread_id, transition.thread_id)

    async def look_after(self, run: Run) -> None:
        """A run has let go of its thread: its children may have ended meanwhile, or must end with it."""
        thread = run.thread
        for child_id in run.children:
            if thread.status in ENDED:
                await self.cancel_child(child_id, thread.thread_id)
            elif await self._has_ended(child_id):
                self._parents.pop(child_id, None)
                await self._stores.journal.wake(thread.thread_id)
                self._worker.hint()

    async def is_orphan(self, loaded: Loaded) -> bool:
        """Whether it is a child that never ran on its own, whose parent was steered away before that reached it."""
        thread = loaded.thread
        if thread.parent_thread_id is None or thread.parent_run_id is None or loaded.execution.kind != "invoke":
            return False
        runs = await self._stores.reads.steps(thread.parent_thread_id, ids=[thread.parent_run_id], values=False)
        return any(run.status is StepStatus.CANCELLED for run in runs)

    async def _has_ended(self, thread_id: str) -> bool:
        thread = await self._stores.reads.thread(thread_id)
        return thread is not None and thread.status in ENDED

    def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.name in TERMINAL and event.thread_id in self._parents:
                self.tell(event.thread_id)

    def awaited(self, among: Collection[str] | None) -> set[str]:
        """The children, among these (None: all), whose ends somebody here waits for."""
        return set(self._parents) if among is None else self._parents.keys() & among

    def tell(self, child_id: str) -> None:
        """A child has ended: whoever waits for it goes on, also where the parent has given up its slot by now."""
        parent_id = self._parents.pop(child_id, None)
        if parent_id is None:
            return
        run = self._worker.find(parent_id)
        if run is not None:
            run.child_ended(child_id)
        else:
            self._worker.spawn(self._wake(parent_id))

    async def _wake(self, parent_id: str) -> None:
        """The commits of the child's end and of the parent's parking may have missed each other."""
        with suppress(Unavailable):  # it looks at its child by itself in the end
            await self._stores.journal.wake(parent_id)
            self._worker.hint()


def waits(run: Run) -> bool:
    """Whether the thread waits without a driver."""
    return run.thread.status is Status.WAITING and run.thread.incarnation_id is None
