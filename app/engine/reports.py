"""What running steps tell and keep, on its way into the next transition (see engine.context.Listener)."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Final

from app.domain import events
from app.engine import steprows
from app.engine.outcome import OutOfBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.records import ThreadRecord, Usage
    from app.engine.deps import Deps
    from app.engine.draft import Draft
    from app.engine.drive import Drive
    from app.engine.openstep import OpenStep

PROGRESS_EVERY: Final = 0.5
"""Seconds between two progress events of a step."""
TICK: Final = 0.002
"""Seconds by which an event loop's timers may come early."""


class Reports:
    """Those of one thread; `nudge` gives what makes its run look, while there is one."""

    def __init__(
        self, deps: Deps, drive: Drive, thread: ThreadRecord, nudge: Callable[[], Callable[[], None] | None]
    ) -> None:
        self._deps = deps
        self._drive: Drive = weakref.proxy(drive)  # no cycle: a thread's state goes with its end
        self._thread = thread
        self._nudge_of = nudge
        self._loop = asyncio.get_running_loop()
        self._told: dict[str, tuple[float | None, str]] = {}
        self._told_at: dict[str, float] = {}
        self._changed: set[OpenStep] = set()
        self._notes: list[tuple[OpenStep, str, str, asyncio.Future[None]]] = []
        self._written: list[asyncio.Future[None]] = []
        self.closed = False
        """Whether the thread has been let go: what is said now is for nobody."""

    def _nudge(self) -> None:
        nudge = self._nudge_of()
        if nudge is not None:
            nudge()

    def progress(self, step: OpenStep, fraction: float | None, message: str) -> None:
        """See StepContext.  Of parts only the step tells."""
        if step.parent is not None:
            return
        if step.key not in self._told:
            wait = self._told_at.get(step.key, 0.0) + PROGRESS_EVERY - self._loop.time()
            self._loop.call_later(max(0.0, wait) + TICK, self._nudge)
        self._told[step.key] = (fraction, message)

    def chunk(self, step: OpenStep, text: str) -> None:
        """See StepContext."""
        if self._drive.open.get(step.key) is step and not self.closed:
            step.streamed = True
            self._deps.bus.chunk(self._thread, step.spec.id, step.item, step.attempt, text)

    def spend(self, step: OpenStep, usage: Usage) -> None:
        """See StepContext."""
        step.owner.usage += usage
        if step.context is not None:
            step.context.usage += usage
        self._drive.budget.spend(usage)
        self._changed.add(step.owner)

    def keep_session(self, step: OpenStep, session_id: str) -> None:
        """See StepContext."""
        if step.session_id != session_id:
            step.session_id = session_id
            self._changed.add(step)
            self._nudge()

    async def remember(self, step: OpenStep, name: str, text: str) -> None:
        """See StepContext.  Raises OutOfBudget once the thread is over a limit."""
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._notes.append((step, name, text, waiting))
        self._nudge()
        await waiting

    def take_in(self, draft: Draft) -> None:
        """Draw up what has been told since the last time."""
        if not (self._told or self._notes or self._changed):
            return
        now = self._loop.time()
        for key in [key for key in self._told if now - self._told_at.get(key, 0.0) >= PROGRESS_EVERY]:
            fraction, message = self._told.pop(key)
            step = self._drive.open.get(key)
            if step is not None:
                self._told_at[key] = now
                data = {"status": "running", "progress": fraction, "message": message}
                where = {"step_id": step.spec.id, "run_id": step.run_id, "attempt": step.attempt}
                draft.event(events.STEP_PROGRESS, data, **where)
        self._take_in_notes(draft)
        changed, self._changed = self._changed, set()
        for step in changed:
            if self._drive.open.get(step.key) is not step:
                continue
            if step.parent is None:
                draft.step_update(steprows.changed(step, draft))
            else:
                draft.item(steprows.part(step, draft))

    def _take_in_notes(self, draft: Draft) -> None:
        notes, self._notes = self._notes, []
        for step, name, text, waiting in notes:
            if step.notes is not None and self._drive.open.get(step.key) is step:
                if name in step.notes.values:
                    waiting.set_exception(ValueError(f"{name!r} is remembered already"))
                    continue
                key = (step.key_execution_id, step.spec.id, -1 if step.item is None else step.item)
                draft.transition.notes.append(step.notes.add(key, name, text, draft.at))
                self._written.append(waiting)

    def over(self, step: OpenStep) -> None:
        """Its attempt has ended: what it told last is of no interest any more."""
        self._told.pop(step.key, None)

    def committed(self) -> None:
        """What steps remember is durable: they go on, or, over a limit, when the thread does."""
        written, self._written = self._written, []
        for waiting in written:
            if waiting.done():
                continue
            if self._drive.over_budget is not None:
                waiting.set_exception(OutOfBudget())
            else:
                waiting.set_result(None)
