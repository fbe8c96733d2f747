"""Running one thread: attempts as tasks, their endings through an inbox into transitions, one commit after the other.

The run is the thread's only writer.  When the journal says that it is fenced, it stops at once and writes nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import TYPE_CHECKING, Final

from app.domain import wishes
from app.domain.errors import Fenced
from app.domain.queues import DEFAULT
from app.domain.records import ErrorInfo
from app.domain.retry import EXCEPTION, SILENT, TIMEOUT
from app.domain.runner import Failed
from app.domain.status import ENDED
from app.engine.coded import course_of
from app.engine.context import Context
from app.engine.draft import Draft
from app.engine.drive import Drive
from app.engine.gather import gather
from app.engine.reports import TICK, Reports
from app.engine.step import attempt
from app.engine.watch import AttemptFact

if TYPE_CHECKING:
    from datetime import datetime

    from app.engine.deps import Deps
    from app.engine.load import Loaded
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending

_TURNS: Final = 50
"""Turns of the event loop that a workflow's function gets for what it does between two steps."""
_LAST: Final = 1.0
"""Seconds that steps have to stop in when the process ends, after its grace."""
_log = logging.getLogger(__name__)


class Run:
    """A thread that is being driven in this process."""

    def __init__(self, deps: Deps, loaded: Loaded) -> None:
        self._deps = deps
        self._drive = Drive(loaded, deps, course_of(deps.flows, loaded))
        self.thread = loaded.thread
        self._loop = asyncio.get_running_loop()
        self._endings: list[tuple[OpenStep, Ending]] = []
        self._reports = Reports(deps, self._drive, self.thread, weakref.WeakMethod(self._nudge))
        self._wake: asyncio.Future[None] | None = None
        self._woken = False
        self._leaving = False
        self._condemned = False
        self._held = False
        self.stopped = False
        self.missed_signal = False
        """Somebody wished for something while the thread was let go."""

    @property
    def children(self) -> list[str]:
        """The threads that its waiting steps wait for."""
        return [step.waits_for for step in self._drive.open.values() if step.waits_for is not None]

    async def drive(self) -> None:
        """Go on until the thread ends, waits without a slot, or is taken away.  Raises what the journal refuses."""
        try:
            self._drive.course.start(self._deps.spawn, self._nudge)
            draft = self._draft()
            self._drive.begin(draft)
            while await self._move(draft):
                await self._happening()
                draft = self._draft()
        except Fenced:
            _log.info("thread %s has another driver now", self.thread.thread_id)
            self._deps.bus.watchers.fenced(self.thread)
        finally:
            self.stopped = self._reports.closed = True
            self._drive.course.stop()
            tasks = self._cancel_steps()
            self._deps.bus.end_text(self.thread.thread_id)
            if tasks:  # one that does not stop is left behind
                await asyncio.wait(tasks, timeout=_LAST if self._leaving else self._deps.grace)

    def pause(self) -> None:
        """Start nothing more; pause when what runs has ended."""
        self._drive.pausing = True
        self._nudge()

    def go_on(self) -> None:
        """The process may start steps again: launch what was held back."""
        if self._held:
            self._held = False
            self._nudge()

    def reprieve(self) -> None:
        """The wish to cancel it has been dealt with: it goes on, if it is still ours."""
        if self._condemned:
            self._condemned = False
            self._nudge()

    def leave(self) -> None:
        """The process is about to end: start nothing more, stop when what runs has ended."""
        self._leaving = True
        self._nudge()

    def stop(self) -> None:
        """The thread was taken away: cancel everything, write nothing more."""
        self.stopped = self._reports.closed = True
        self._cancel_steps()
        self._nudge()

    def child_ended(self, thread_id: str) -> None:
        """A thread that a step waits for has ended; what is about to be let go is looked after by the worker."""
        if self._drive.over:
            return
        for step in self._drive.open.values():
            if step.waits_for == thread_id:
                self._due(step)

    def look(self, wish: str) -> None:
        """Somebody has answered a gate, if this wish says so: what waits for an answer looks again, once for each such wish."""
        for step in self._drive.gates.look(wish):
            self._due(step)

    async def _move(self, draft: Draft) -> bool:
        """Draw up what has happened and commit it; False when the run is over."""
        while not self.stopped:
            self._take_in(draft)
            await self._listen()
            if not self._leaving and not self._condemned:
                self._drive.start_ready(draft)
                self._drive.settle(draft)
            if not draft.changed:
                break
            signal = await self._commit(draft)
            if self._drive.over or self.stopped:
                self.missed_signal = signal is not None
                return False
            if signal is None or not self._heed(signal):
                break
            draft = self._draft()
        if self.stopped or (self._leaving and not any(step.task for step in self._drive.open.values())):
            return False
        self._launch()
        return True

    async def _listen(self) -> None:
        """Let a workflow's function say what it wants next, so that it goes into the same transition."""
        turns = _TURNS
        while self._drive.course.busy and turns:
            turns -= 1
            await asyncio.sleep(0)

    async def _commit(self, draft: Draft) -> str | None:
        transition = draft.transition
        if transition.gets_on:
            transition.recoveries = 0
        signal = await self._deps.journal.commit(transition)
        transition.apply_to(self.thread)
        self._deps.bus.moved(transition)
        self._reports.committed()
        return signal

    def _heed(self, signal: str) -> bool:
        """Whether a wish that a commit brought changes what is to be drawn up next."""
        if wishes.is_cancel(signal):
            if not self._condemned:
                self._condemned = True
                self._deps.heed(self.thread.thread_id, signal)
            return False
        self.look(signal)
        asked = signal == wishes.PAUSE and not self._drive.pausing
        self._drive.pausing = self._drive.pausing or asked
        return asked

    def _take_in(self, draft: Draft) -> None:
        self._reports.take_in(draft)
        endings, self._endings = self._endings, []
        for step, ending in endings:
            step.task = step.context = None
            if step.timer is not None:
                step.timer.cancel()
                step.timer = None
            self._reports.over(step)
            self._drive.ended(step, ending, draft)
            if step.waits_for is not None:
                self._deps.waits_for(step.waits_for, self.thread.thread_id)
            if step.parent is not None and step.parent.parts is not None:
                self._reports.progress(step.parent, *step.parent.parts.told)
            self._deps.bus.end_text(self.thread.thread_id, step.spec.id, step.item)
        forsaken, self._drive.forsaken = self._drive.forsaken, []
        for child_id in forsaken:
            self._deps.forsake(child_id, self.thread.thread_id)

    def _launch(self) -> None:
        if self._leaving or self._condemned:
            return
        may_start = self._deps.may_start()
        for step in self._drive.open.values():
            if step.task is None and step.working:
                if may_start:
                    step.launched_at, step.stopping, step.look_again = self._loop.time(), False, False
                    step.heard_at = step.launched_at
                    step.task = self._deps.spawn(self._attempt(step))
                    self._watch(step)
                else:
                    self._held = True
            elif step.task is None and step.due is not None and not self._drive.pausing:
                self._await(step, step.due)

    def _await(self, step: OpenStep, due: datetime) -> None:
        wait = (due - self._deps.now()).total_seconds()
        if step.timer is None:
            step.timer = self._loop.call_later(max(0.0, wait), self._due, step)
        elif wait <= 0:  # timers stand still while a machine sleeps
            self._due(step)

    def _watch(self, step: OpenStep) -> None:
        """See to it that an attempt which does not stop when it must is left behind, a grace later."""
        limit = step.last_moment
        if limit is not None:
            step.timer = self._loop.call_at(limit + self._deps.grace, self._abandon, step)

    async def _attempt(self, step: OpenStep) -> None:
        if not self._deps.may_start():  # this process was frozen between the launch and now
            self._held, step.task = True, None
            step.stop()
            self._nudge()  # who leaves waits for no such step
            return
        context = step.context = Context(self.thread, step, self._reports, self._deps.reads)
        fact = AttemptFact(thread=self.thread, spec=self._drive.spec, step=step, context=context)
        with self._deps.bus.watchers.attempt(fact):
            ending = fact.ending = await self._ending(step, context)
        if step.task is asyncio.current_task():
            self._endings.append((step, ending))
            self._nudge()

    async def _ending(self, step: OpenStep, context: Context) -> Ending:
        try:
            if step.parts is not None:
                return await gather(self._deps.reads, self.thread.thread_id, step, self._deps.max_value_bytes)
            return await attempt(self._deps, step, step.scope(self._drive.state.scope), context)
        except Exception as error:  # noqa: BLE001 - an ending must come of it, or the thread would hang
            _log.exception("an attempt of step %s broke", step.spec.id)
            message = f"the attempt broke: {type(error).__name__}"
            return Failed(error=ErrorInfo(kind=EXCEPTION, message=message, step_id=step.spec.id))

    def _abandon(self, step: OpenStep) -> None:
        """A limit has cancelled the attempt, which does not stop: it is left behind, what it returns is discarded."""
        step.timer = None
        if step.last_moment is not None and self._loop.time() < step.last_moment + self._deps.grace - TICK:
            self._watch(step)  # it has reported meanwhile
        elif step.task is not None and not step.task.done():  # else its ending waits for the commit that is under way
            step.stop()
            step.task = None
            if step.context is not None:
                step.context.close()
            message = f"{step.exceeded}, and it does not stop"
            kind = TIMEOUT if step.exceeded.startswith("not done") else SILENT
            error = ErrorInfo(kind=kind, message=message, step_id=step.spec.id, retryable=True)
            self._endings.append((step, Failed(error=error)))
            self._nudge()

    def _due(self, step: OpenStep) -> None:
        if step.timer is not None:
            step.timer.cancel()
            step.timer = None
        if not step.working and not self._drive.pausing:
            step.go_on()
        self._nudge()

    def _cancel_steps(self) -> list[asyncio.Task[None]]:
        for step in self._drive.open.values():
            step.stop()
        return [step.task for step in self._drive.open.values() if step.task is not None and not step.task.done()]

    def _draft(self) -> Draft:
        return Draft(self.thread, self._deps.now(), self._drive.spec.name)

    def _nudge(self) -> None:
        self._woken = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _happening(self) -> None:
        if not self._woken:
            self._wake = self._loop.create_future()
            await self._wake
            self._wake = None
        self._woken = False

    @property
    def makes_way(self) -> bool:
        """Whether its end may have made another thread due: a parent, or the next of a queue with a limit."""
        thread = self.thread
        return thread.queue != DEFAULT or (thread.status in ENDED and thread.parent_thread_id is not None)
