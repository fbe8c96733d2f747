"""Driving a thread, without I/O: what each happening means, drawn into a transition.

`Run` feeds it with what happens (a step ended, a time came) and commits what it drew up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain import events, jsontext, retry, wishes
from app.domain.errors import JsonError
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Failed
from app.domain.status import Status, StepStatus
from app.domain.template import ExpressionError
from app.engine import steprows
from app.engine.budget import Budget
from app.engine.compensation import Undoing
from app.engine.draft import context_for_people, error_text
from app.engine.ending import complete
from app.engine.gatework import GateWork
from app.engine.ledger import Ledger
from app.engine.opening import Opening
from app.engine.partwork import PartWork

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec
    from app.engine.course import Course
    from app.engine.deps import Deps
    from app.engine.draft import Draft
    from app.engine.load import Loaded
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending, Result

PARK_AFTER: Final = 1.0
"""Seconds of waiting that a thread spends in memory; for longer it gives up its slot."""


class Drive:
    """One thread in memory; every method draws into the draft that it is given."""

    def __init__(self, loaded: Loaded, deps: Deps, course: Course) -> None:
        self.thread = loaded.thread
        self.spec = loaded.spec
        self.state = loaded.state
        self.budget = Budget(loaded.parameters.limits or loaded.spec.limits, loaded.spent, loaded.execution.created_at)
        self._ledger = Ledger(loaded, course, deps.checkpoints)
        self._asked = loaded.parameters
        self._random = deps.random
        self.course = course
        self._opening = Opening(loaded.thread.thread_id, loaded.state, loaded.parameters)
        self._parts = PartWork(self, self._opening, loaded.parts, loaded.parameters.marks)
        self.gates = GateWork(self)
        self.open: dict[str, OpenStep] = {}
        self.pausing = loaded.thread.signal == wishes.PAUSE
        self.over_budget: dict[str, Any] | None = None
        self.over = False
        self.forsaken: list[str] = []
        """Threads that steps had waited for which do not any more: to be cancelled."""
        self._failure = loaded.failed
        self._recovered = loaded.thread.status is Status.RUNNING
        self._undoing = Undoing(self, self._opening, loaded.compensations, hold=loaded.parameters.hold)
        for row in loaded.open_steps if loaded.spec.code is None else ():
            spec = loaded.spec.by_id.get(row.step_id)
            if spec is None:
                self._undoing.reopen(row)
            else:
                course.take(spec)
                self._reopen(spec, row)

    @property
    def progress(self) -> float:
        """Steps ended by steps."""
        return self._ledger.progress

    @property
    def working(self) -> bool:
        """Whether any attempt runs, or is about to."""
        return self.course.busy or any(step.working for step in self.open.values())

    def begin(self, draft: Draft) -> None:
        """The thread has a driver again."""
        if self._recovered:
            open_steps = sorted(step.spec.id for step in self.open.values())
            draft.event(events.WORKFLOW_RESUMED, {"status": "running", "trigger": "recovery", "steps": open_steps})
        else:
            draft.execution(Status.RUNNING, started_at=draft.at)

    def start_ready(self, draft: Draft) -> None:
        """Start every step that waits for nothing, and every part that may run; over a limit, start to pause."""
        if self.over_budget is None and not self.course.finished:
            self.over_budget = self.budget.exceeded(draft.at)
        self.pausing = self.pausing or self.over_budget is not None
        for spec, run_id, error in self.course.passed():
            self._ledger.failed(spec, run_id, error, draft)
        self._failure = self._failure or self.course.failure
        while self._failure is None and not self.pausing:
            if self._undoing.pending:
                self._undoing.begin(draft)
                return
            self._take_ready(draft)
            if self._failure is None:
                self._parts.top_up(draft)
            if not self.course.ready():
                return

    def _take_ready(self, draft: Draft) -> None:
        for spec in self.course.ready():
            row = self.course.take(spec)
            if row is None:
                self._start(spec, draft)
            else:
                self._reopen(spec, row)

    def ended(self, step: OpenStep, ending: Ending, draft: Draft) -> None:
        """An attempt of `step` came to its end."""
        self.gates.tell(step, ending, draft)
        if step.parent is not None:
            self._parts.ended(step, ending, draft)
        elif self._undoing.owns(step.spec):
            self._undoing.ended(step, ending, draft)
        elif isinstance(ending, Asleep):
            if step.parts is None:
                step.sleep(ending, draft.at)
                draft.step_update(steprows.changed(step, draft))
        elif not isinstance(ending, Failed):
            self.completed(step, ending, draft)
        elif self.try_again(step, ending, draft):
            draft.step_update(steprows.changed(step, draft))
        else:
            self.give_up(step, ending.error, draft)

    def settle(self, draft: Draft) -> None:
        """Nothing more happens for now: finish, fail, pause or park if it is time."""
        if self.working:
            return
        if self._failure is not None:
            self._fail(self._failure, draft)
        elif self.course.finished:
            problem = self.course.failure or complete(self.course, self.state, self._ledger.writer, draft)
            if problem is not None:
                self._fail(problem, draft)
            draft.transition.wake_thread_id = self.thread.parent_thread_id
            self.over = True
        elif self.pausing:
            draft.execution(Status.PAUSED, context=context_for_people(self.state))
            data = {"status": "paused", "progress": self.progress, **(self.over_budget or {})}
            draft.event(events.WORKFLOW_PAUSED, data)
            self._leave(draft, None)
        else:
            self._park(draft)

    def _park(self, draft: Draft) -> None:
        first = min((step.due for step in self.open.values() if step.due is not None), default=None)
        if first is None or (first - draft.at).total_seconds() > PARK_AFTER:
            draft.execution(Status.WAITING)
            self._leave(draft, min((at for at in (first, self.budget.deadline) if at is not None), default=None))

    def _leave(self, draft: Draft, wake_at: datetime | None) -> None:
        draft.let_go(wake_at)
        draft.transition.clear_signal = draft.transition.status is not Status.WAITING
        self.over = True

    def _start(self, spec: StepSpec, draft: Draft) -> None:
        if spec.id in self._asked.skip:
            self._skip(spec, draft, self._asked.skip[spec.id], "given output")
            return
        if spec.rescues and not self._opening.failed_before(spec):
            self._skip(spec, draft, None, "nothing failed")
            return
        try:
            step = self._opening.begun(spec, draft)
            if spec.when is not None and not spec.when.test(step.scope(self.state.scope)):
                self._skip(spec, draft, None, "condition")
                return
            if spec.composite:
                self._parts.begin(step, fresh=True)
            else:
                step.input = self._opening.input_of(spec, step.scope(self.state.scope))
            row = steprows.begun(step, draft)
        except (ExpressionError, JsonError) as error:
            self._stillborn(spec, error, draft)
            return
        self.open[spec.id] = step
        draft.transition.steps.append(row)
        self._ledger.asks(spec, draft)
        self._parts.renew(step, draft)
        data = {"status": "running", "progress": self.progress, "agent": step.agent}
        if step.variant is not None:
            data["variant"] = step.variant
        draft.event(events.STEP_START, data, step_id=spec.id, run_id=step.run_id, attempt=1)

    def _reopen(self, spec: StepSpec, row: StepRecord) -> None:
        step = self._opening.again(spec, row)
        if spec.composite:
            self._parts.begin(step, fresh=False)
        else:
            step.input = self._opening.input_of(spec, step.scope(self.state.scope))
        self.open[spec.id] = step

    def _skip(self, spec: StepSpec, draft: Draft, output: Any, reason: str) -> None:
        """It does not run; an output that was given stands for its own."""
        text = jsontext.dumps(output) if spec.id in self._asked.skip else None
        row = steprows.ended_at_once(spec, draft, StepStatus.SKIPPED, output=text)
        draft.transition.steps.append(row)
        self._ledger.skipped(spec, row.id, output, text, draft)
        data = {"status": "skipped", "progress": self.progress, "reason": reason}
        draft.event(events.STEP_SKIPPED, data, step_id=spec.id, run_id=row.id, result=text)

    def _stillborn(self, spec: StepSpec, cause: ExpressionError | JsonError, draft: Draft) -> None:
        error = ErrorInfo(kind=retry.EXPRESSION, message=jsontext.clean(str(cause)), step_id=spec.id)
        row = steprows.ended_at_once(spec, draft, StepStatus.FAILED, error=error)
        draft.transition.steps.append(row)
        self.tell_failed(spec, row.id, 1, error, draft)

    def completed(self, step: OpenStep, result: Result, draft: Draft) -> None:
        """A step has come to its end."""
        spec = step.spec
        self._close(step)
        step.session_id = result.session_id or step.session_id
        update = steprows.changed(step, draft, StepStatus.COMPLETED)
        update.output, update.output_sha256 = result.text, jsontext.sha256(result.text)
        draft.step_update(update)
        self._ledger.completed(spec, step.run_id, result, draft)
        data = {"status": "completed", "progress": self.progress, "session_id": step.session_id}
        where = {"step_id": spec.id, "run_id": step.run_id, "attempt": step.attempt}
        draft.event(events.STEP_COMPLETE, data, **where, result=result.text)

    def give_up(self, step: OpenStep, error: ErrorInfo, draft: Draft) -> None:
        """A step has failed for good."""
        self._close(step)
        step.error = error_text(error)
        draft.step_update(steprows.changed(step, draft, StepStatus.FAILED))
        self.tell_failed(step.spec, step.run_id, step.attempt, error, draft)

    def try_again(self, step: OpenStep, failed: Failed, draft: Draft) -> bool:
        """Whether a failed attempt is followed by another; then when it is due is known."""
        error = failed.error
        wait = retry.decide(step.spec.retry, error, step.attempt, random=self._random(), retry_after=failed.retry_after)
        if wait is None or self._failure is not None or step.parts is not None:
            return False
        place = {} if step.item is None else {"index": step.item}
        if step.streamed:
            where = {"step_id": step.spec.id, "run_id": step.run_id, "attempt": step.attempt}
            draft.event(events.ATTEMPT_DISCARDED, {"status": "retrying", **place}, **where)
        step.attempt += 1
        step.retry_count += 1
        step.streamed, step.error = False, error_text(error)
        step.status, step.due = StepStatus.RETRYING, draft.at + timedelta(seconds=wait)
        data = {"status": "retrying", "delay_ms": round(wait * 1000), "error": error.value(), **place}
        draft.event(events.STEP_RETRY, data, step_id=step.spec.id, run_id=step.run_id, attempt=step.attempt)
        return True

    def _close(self, step: OpenStep) -> None:
        """It is open no more, nor are its parts."""
        del self.open[step.key]
        for part in [each for each in self.open.values() if each.parent is step]:
            part.stop()
            del self.open[part.key]
            self.forsaken += [part.waits_for] if part.waits_for is not None else []

    def tell_failed(self, spec: StepSpec, run_id: str, attempt: int, error: ErrorInfo, draft: Draft) -> None:
        """A step has failed for good, which fails the thread unless it is caught."""
        caught = spec.catch is not None and retry.names(spec.catch.kinds, error.kind)
        if caught:
            self._ledger.failed(spec, run_id, error, draft)
        elif not self.course.fail(spec, run_id, error):
            self._failure = self._failure or error
        data = {"status": "failed", "progress": self.progress, "error": error.value(), "caught": caught}
        draft.event(events.STEP_FAILED, data, step_id=spec.id, run_id=run_id, attempt=attempt)

    def _fail(self, error: ErrorInfo, draft: Draft) -> None:
        for step in self.open.values():
            if step.parent is None:
                draft.step_update(steprows.changed(step, draft, StepStatus.CANCELLED))
        for row in self.course.left():
            draft.step_update(steprows.left(row, draft))
        draft.execution(Status.FAILED, context=context_for_people(self.state), error=error_text(error))
        draft.event(events.WORKFLOW_FAILED, {"status": "failed", "progress": self.progress, "error": error.value()})
        draft.transition.wake_thread_id = self.thread.parent_thread_id
        self._leave(draft, None)
