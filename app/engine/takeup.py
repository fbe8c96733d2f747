"""Taking a thread up: what its driver needs, if it is to be driven at all, and giving it up when it cannot be."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from app.domain import wishes
from app.domain.errors import Corrupt, UnknownFormat
from app.domain.records import ErrorInfo
from app.domain.retry import EXHAUSTED, INTERNAL
from app.domain.status import STEP_OPEN
from app.domain.times import utc_now
from app.engine.draft import Draft
from app.engine.healing import CORRUPT, load_or_heal
from app.engine.steering import interrupt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.engine.bus import Bus
    from app.engine.deps import Stores
    from app.engine.family import Family
    from app.engine.load import Loaded

_LATER: Final = 5.0
"""Seconds for which a thread that this release cannot read is left to others."""
_log = logging.getLogger(__name__)


class TakeUp:
    """One for a worker; `lost` is told when it is not known whose a thread is now."""

    def __init__(
        self,
        stores: Stores,
        specs: Callable[[str], Awaitable[WorkflowSpec]],
        family: Family,
        bus: Bus,
        lost: Callable[[], None],
        *,
        max_recoveries: int,
    ) -> None:
        self._stores = stores
        self._specs = specs
        self._family = family
        self._bus = bus
        self._lost = lost
        self._max_recoveries = max_recoveries

    async def load(self, thread: ThreadRecord) -> Loaded | None:
        """What the driver of a thread that was taken up needs; None when it is not to be driven after all."""
        began = time.monotonic()
        if thread.signal is not None and wishes.is_cancel(thread.signal):
            await self._family.obey(thread.thread_id, wishes.reason(thread.signal))
            return None
        if thread.recoveries > self._max_recoveries:  # before it is loaded: that may be what ends the process
            await self._give_up_recovering(thread)
            return None
        spec = await self._specs(thread.definition_id)
        loaded = await self._loaded(thread, spec)
        if loaded is None:
            return None
        self._bus.watchers.loaded(time.monotonic() - began)
        if await self._family.is_orphan(loaded):
            await self._family.cancel_child(thread.thread_id, thread.parent_thread_id)
            return None
        return loaded

    async def _loaded(self, thread: ThreadRecord, spec: WorkflowSpec) -> Loaded | None:
        try:
            return await load_or_heal(self._stores, thread, spec, self._written)
        except UnknownFormat as error:
            await self._leave(thread, error)
            return None

    async def _leave(self, thread: ThreadRecord, error: UnknownFormat) -> None:
        """Let go of what a later release has written: a process of that release may take it up, this one tries again later."""
        _log.warning("thread %s is left to another process: %s", thread.thread_id, error)

        async def decide(now: ThreadRecord, reads: Reads) -> Transition | None:  # noqa: ARG001 - as Journal.steer calls it
            if (now.epoch, now.rev) != (thread.epoch, thread.rev):
                return None
            draft = Draft(now, utc_now())
            draft.transition.new_epoch = now.epoch + 1
            draft.let_go(draft.at + timedelta(seconds=_LATER))
            return draft.transition

        await self._stores.journal.steer(thread.thread_id, decide)

    async def _give_up_recovering(self, thread: ThreadRecord) -> None:
        rows = await self._stores.reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
        steps = ", ".join(sorted(row.step_id for row in rows if row.status in STEP_OPEN)) or "no step"
        message = f"recovered {thread.recoveries} times in a row and got no further; running each time: {steps}"
        await self._interrupt(thread, ErrorInfo(kind=EXHAUSTED, message=message))

    async def give_up(self, thread: ThreadRecord, error: Exception) -> None:
        """A run broke in a way that no rule foresees: the thread is interrupted, so that nothing loops."""
        kind = CORRUPT if isinstance(error, Corrupt) else INTERNAL
        told = ErrorInfo(kind=kind, message=f"{type(error).__name__}: {error}")
        if await self._interrupt(thread, told):
            _log.error("the run of thread %s broke", thread.thread_id, exc_info=error)

    async def _interrupt(self, thread: ThreadRecord, error: ErrorInfo) -> bool:
        """Whether it was still ours to give up."""
        try:
            written = await interrupt(self._stores.journal, thread, error, utc_now())
            if written is None:  # it has moved on: if it is still ours, it is to be driven on
                self._lost()
                return False
            _log.warning("thread %s is given up: %s", thread.thread_id, error.message)
            await self._written(written)
        except Exception:  # noqa: BLE001 - the group must live
            _log.exception("thread %s could not be interrupted: %s", thread.thread_id, error.message)
        return True

    async def _written(self, transition: Transition) -> None:
        """A steering of our own is committed: the world hears of it."""
        self._bus.moved(transition)
        await self._family.cancel_children(transition)
