"""Driving a thread, without I/O: what each happening means, drawn into a transition.

`Run` feeds it with what happens (a step ended, a time came) and commits what it drew up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import events, jsontext, retry, wishes
from app.domain.errors import JsonError
from app.domain.ids import uuid7
from app.domain.plan import Frontier
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Failed
from app.domain.status import Status, StepStatus
from app.domain.template import ExpressionError
from app.engine import gatenotes, steprows
from app.engine.draft import context_for_people, error_text
from app.engine.ending import complete
from app.engine.openstep import OpenStep

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec
    from app.engine.draft import Draft
    from app.engine.load import Loaded
    from app.engine.step import Ending, Result

PARK_AFTER: Final = 1.0
"""Seconds of waiting that a thread spends in memory; for longer it gives up its slot."""


class Drive:
    """One thread in memory; every method draws into the draft that it is given."""

    def __init__(self, loaded: Loaded, random: Callable[[], float]) -> None:
        self.thread = loaded.thread
        self.spec = loaded.spec
        self.state = loaded.state
        self._writer = loaded.writer
        self._asked = loaded.parameters
        self._random = random
        self._frontier = Frontier(loaded.spec.plan, loaded.state.refs.done())
        self.open: dict[str, OpenStep] = {}
        self.pausing = loaded.thread.signal == wishes.PAUSE
        self.over = False
        self._looked_for = ""
        self._failure = loaded.failed
        self._ended = len(loaded.state.refs.steps)
        self._recovered = loaded.thread.status is Status.RUNNING
        for row in loaded.open_steps:
            self._reopen(row)

    @property
    def progress(self) -> float:
        """Steps ended by steps."""
        return round(self._ended / len(self.spec.steps), 4)

    @property
    def working(self) -> bool:
        """Whether any attempt runs, or is about to."""
        return any(step.working for step in self.open.values())

    def begin(self, draft: Draft) -> None:
        """The thread has a driver again."""
        if self._recovered:
            open_steps = sorted(self.open)
            draft.event(events.WORKFLOW_RESUMED, {"status": "running", "trigger": "recovery", "steps": open_steps})
        else:
            draft.execution(Status.RUNNING, started_at=draft.at)

    def start_ready(self, draft: Draft) -> None:
        """Start every step that waits for nothing."""
        while self._failure is None and not self.pausing:
            ready = self._frontier.ready()
            if not ready:
                return
            for step_id in ready:
                self._frontier.take(step_id)
                self._start(self.spec.by_id[step_id], draft)

    def ended(self, step: OpenStep, ending: Ending, draft: Draft) -> None:
        """An attempt of `step` came to its end."""
        gatenotes.tell(step, ending, draft, self.progress)
        if isinstance(ending, Failed):
            self._failed(step, ending, draft)
        elif isinstance(ending, Asleep):
            step.status, step.waits_for = StepStatus.WAITING, ending.thread_id
            step.due = None if ending.seconds is None else draft.at + timedelta(seconds=ending.seconds)
            draft.transition.step_updates.append(steprows.changed(step, draft))
            if step.at_gate and step.look_again:
                self.due(step)
        else:
            self._completed(step, ending, draft)

    def told(self, step: OpenStep, fraction: float | None, message: str, draft: Draft) -> None:
        """A running step told how far it is."""
        data = {"status": "running", "progress": fraction, "message": message}
        draft.event(events.STEP_PROGRESS, data, step_id=step.spec.id, run_id=step.run_id, attempt=step.attempt)

    def due(self, step: OpenStep) -> None:
        """The time of a waiting step has come: it may be tried (again)."""
        step.status, step.due, step.waits_for = StepStatus.RUNNING, None, None

    def look(self, wish: str) -> list[OpenStep]:
        """The steps that wait for an answer, when a wish that has not been heard says that there is one.

        An attempt that is under way may have looked too early: it looks again when it has ended.
        """
        if self.over or not wishes.is_look(wish) or wish == self._looked_for:
            return []
        self._looked_for = wish
        for step in self.open.values():
            step.look_again = True
        return [step for step in self.open.values() if step.at_gate and not step.working]

    def settle(self, draft: Draft) -> None:
        """Nothing more happens for now: finish, fail, pause or park if it is time."""
        if self.working:
            return
        if self._failure is not None:
            self._fail(self._failure, draft)
        elif self._frontier.finished:
            problem = complete(self.spec, self.state, self._writer, draft)
            if problem is not None:
                self._fail(problem, draft)
            draft.transition.wake_thread_id = self.thread.parent_thread_id
            self.over = True
        elif self.pausing:
            draft.execution(Status.PAUSED, context=context_for_people(self.state))
            draft.event(events.WORKFLOW_PAUSED, {"status": "paused", "progress": self.progress})
            self._leave(draft, None)
        else:
            self._park(draft)

    def _park(self, draft: Draft) -> None:
        dues = [step.due for step in self.open.values() if step.due is not None]
        wake_at = min(dues) if dues or not self.open else None
        if wake_at is None or (wake_at - draft.at).total_seconds() > PARK_AFTER:
            draft.execution(Status.WAITING)
            self._leave(draft, wake_at)

    def _leave(self, draft: Draft, wake_at: datetime | None) -> None:
        draft.let_go(wake_at)
        draft.transition.clear_signal = draft.transition.status is not Status.WAITING
        self.over = True

    def _start(self, spec: StepSpec, draft: Draft) -> None:
        if spec.id in self._asked.skip:
            self._skip(spec, draft, self._asked.skip[spec.id], given=True)
            return
        override = self._asked.overrides.get(spec.id)
        try:
            if spec.when is not None and not spec.when.test(self.state.scope):
                self._skip(spec, draft, None, given=False)
                return
            step = OpenStep(
                spec=spec,
                run_id=uuid7(),
                key_execution_id=self._asked.keys.get(spec.id, draft.transition.execution_id),
                input=self._input(spec),
                started_at=draft.at,
                agent_override=override.agent if override else None,
            )
            row = steprows.begun(step, draft)
        except (ExpressionError, JsonError) as error:
            self._stillborn(spec, error, draft)
            return
        self.open[spec.id] = step
        draft.transition.steps.append(row)
        data = {"status": "running", "progress": self.progress, "agent": step.agent_override or spec.agent}
        draft.event(events.STEP_START, data, step_id=spec.id, run_id=step.run_id, attempt=1)

    def _input(self, spec: StepSpec) -> Any:
        value = self.state.scope["input"] if spec.input is None else spec.input.render(self.state.scope)
        override = self._asked.overrides.get(spec.id)
        if override is not None and override.input:
            mapping = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            return {**mapping, **override.input}
        return value

    def _reopen(self, row: StepRecord) -> None:
        spec = self.spec.by_id[row.step_id]
        self._frontier.take(row.step_id)
        override = self._asked.overrides.get(row.step_id)
        step = OpenStep(
            spec=spec,
            run_id=row.id,
            key_execution_id=row.key_execution_id,
            input=self._input(spec),
            started_at=row.started_at or self.thread.updated_at,
            agent_override=override.agent if override else None,
            status=StepStatus.RUNNING if row.status is StepStatus.WAITING else row.status,
            attempt=row.attempt,
            retry_count=row.retry_count,
            due=row.next_attempt_at,
        )
        self.open[row.step_id] = step

    def _skip(self, spec: StepSpec, draft: Draft, output: Any, *, given: bool) -> None:
        text = jsontext.dumps(output) if given else None
        row = steprows.ended_at_once(spec, draft, StepStatus.SKIPPED, output=text)
        draft.transition.steps.append(row)
        self._done(spec, row.id, StepStatus.SKIPPED, output, len(text or ""))
        if given and spec.assign and spec.id not in self._asked.quiet:
            self._assign(spec.assign, row.id, output)
        draft.checkpoint(self.state, self._writer, spec.id, trigger="step", progress=self.progress)
        data = {"status": "skipped", "progress": self.progress, "reason": "given output" if given else "condition"}
        draft.event(events.STEP_SKIPPED, data, step_id=spec.id, run_id=row.id, result=text)

    def _stillborn(self, spec: StepSpec, cause: ExpressionError | JsonError, draft: Draft) -> None:
        error = ErrorInfo(kind=retry.EXPRESSION, message=jsontext.clean(str(cause)), step_id=spec.id)
        row = steprows.ended_at_once(spec, draft, StepStatus.FAILED, error=error)
        draft.transition.steps.append(row)
        self._tell_failed(spec.id, row.id, 1, error, draft)

    def _completed(self, step: OpenStep, result: Result, draft: Draft) -> None:
        spec = step.spec
        del self.open[spec.id]
        update = steprows.changed(step, draft, StepStatus.COMPLETED)
        update.output, update.output_sha256 = result.text, jsontext.sha256(result.text)
        update.session_id = result.session_id
        draft.transition.step_updates.append(update)
        self._done(spec, step.run_id, StepStatus.COMPLETED, result.value, len(result.text))
        if spec.assign and spec.id not in self._asked.quiet:
            self._assign(spec.assign, step.run_id, result.value)
        draft.checkpoint(self.state, self._writer, spec.id, trigger="step", progress=self.progress)
        data = {"status": "completed", "progress": self.progress, "session_id": result.session_id}
        draft.event(
            events.STEP_COMPLETE, data, step_id=spec.id, run_id=step.run_id, attempt=step.attempt, result=result.text
        )

    def _done(self, spec: StepSpec, run_id: str, status: StepStatus, output: Any, size: int) -> None:
        self.state.end_step(spec.id, run_id, status, output)
        self.state.size_bytes += size
        self._writer.step(spec.id)
        self._frontier.end(spec.id)
        self._ended += 1

    def _assign(self, name: str, run_id: str, value: Any) -> None:
        self.state.assign(name, run_id, value)
        self._writer.context(name)

    def _failed(self, step: OpenStep, failed: Failed, draft: Draft) -> None:
        spec, error = step.spec, failed.error
        wait = retry.decide(spec.retry, error, step.attempt, random=self._random(), retry_after=failed.retry_after)
        if wait is None or self._failure is not None:
            update = steprows.changed(step, draft, StepStatus.FAILED)
            update.error = error_text(error)
            draft.transition.step_updates.append(update)
            del self.open[spec.id]
            self._tell_failed(spec.id, step.run_id, step.attempt, error, draft)
            return
        step.attempt += 1
        step.retry_count += 1
        step.status, step.due = StepStatus.RETRYING, draft.at + timedelta(seconds=wait)
        update = steprows.changed(step, draft)
        update.error = error_text(error)
        draft.transition.step_updates.append(update)
        data = {"status": "retrying", "delay_ms": round(wait * 1000), "error": error.value()}
        draft.event(events.STEP_RETRY, data, step_id=spec.id, run_id=step.run_id, attempt=step.attempt)

    def _tell_failed(self, step_id: str, run_id: str, attempt: int, error: ErrorInfo, draft: Draft) -> None:
        data = {"status": "failed", "progress": self.progress, "error": error.value()}
        draft.event(events.STEP_FAILED, data, step_id=step_id, run_id=run_id, attempt=attempt)
        self._failure = self._failure or error

    def _fail(self, error: ErrorInfo, draft: Draft) -> None:
        for step in self.open.values():
            draft.transition.step_updates.append(steprows.changed(step, draft, StepStatus.CANCELLED))
        draft.execution(Status.FAILED, context=context_for_people(self.state), error=error_text(error))
        draft.event(events.WORKFLOW_FAILED, {"status": "failed", "progress": self.progress, "error": error.value()})
        draft.transition.wake_thread_id = self.thread.parent_thread_id
        self._leave(draft, None)
