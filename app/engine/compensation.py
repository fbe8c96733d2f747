"""Compensations: the steps that a rollback was told to run first, one after the other, to undo what it leaves behind.

They write no version; what has been undone is told by their step runs, whose ids end in `.undo`.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain import events, jsontext, retry
from app.domain.errors import JsonError
from app.domain.integrity import is_text
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Failed
from app.domain.status import StepStatus
from app.domain.template import ExpressionError
from app.engine import steprows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.domain.ports import Reads
    from app.domain.records import StepRecord
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.engine.draft import Draft
    from app.engine.drive import Drive
    from app.engine.opening import Opening
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """A step that undoes another: what it is, and what it sees, unless that is damaged or gone."""

    spec: StepSpec
    sees: dict[str, Any]
    damaged: bool = False


async def compensations(
    reads: Reads, thread_id: str, spec: WorkflowSpec, asked: tuple[tuple[str, str], ...], own: Iterable[StepRecord]
) -> list[Compensation]:
    """Those of the asked for (step, run) that have not been done yet by the step runs of the execution (`own`), in order."""
    done = {row.step_id for row in own if row.status is StepStatus.COMPLETED}
    rows = {row.id: row for row in await reads.steps(thread_id, ids=sorted(run for _, run in asked))} if asked else {}
    found: list[Compensation] = []
    for step_id, run_id in asked:
        step = spec.by_id.get(step_id)
        undo = step.compensate if step is not None else None
        if undo is not None and undo.id not in done:
            row = rows.get(run_id)
            sound = row is not None and is_text(row.output, row.output_sha256)
            output = jsontext.loads(row.output or "null") if row is not None and sound else None
            found.append(Compensation(spec=undo, sees={"output": output}, damaged=not sound))
    return found


class Undoing:
    """Those of one thread; `hold`: it pauses after the last."""

    def __init__(self, drive: Drive, opening: Opening, todo: list[Compensation], *, hold: bool) -> None:
        self._drive: Drive = weakref.proxy(drive)  # no cycle: a thread's state goes with its end
        self._opening = opening
        self._todo = {each.spec.id: each for each in todo}
        self._hold = hold

    @property
    def pending(self) -> bool:
        """Whether there is anything left to undo."""
        return bool(self._todo)

    def reopen(self, row: StepRecord) -> None:
        """Go on with one that had begun."""
        known = self._todo.get(row.step_id)
        if known is not None:
            step = self._opening.again(known.spec, row)
            self._give(step, known)
            self._drive.open[step.key] = step

    def begin(self, draft: Draft) -> None:
        """Begin the next, unless one is open."""
        known = next(iter(self._todo.values()), None)
        if known is None or known.spec.id in self._drive.open:
            return
        if known.damaged:
            message = "the output of what it is to undo is damaged or gone"
            self._stillborn(known.spec, ErrorInfo(kind=retry.CORRUPT, message=message, step_id=known.spec.id), draft)
            return
        try:
            step = self._opening.begun(known.spec, draft)
            self._give(step, known)
            row = steprows.begun(step, draft)
        except (ExpressionError, JsonError) as error:
            told = ErrorInfo(kind=retry.EXPRESSION, message=jsontext.clean(str(error)), step_id=known.spec.id)
            self._stillborn(known.spec, told, draft)
            return
        self._drive.open[step.key] = step
        draft.transition.steps.append(row)
        self._tell(events.STEP_START, "running", step, draft)

    def ended(self, step: OpenStep, ending: Ending, draft: Draft) -> None:
        """An attempt of one came to its end."""
        if isinstance(ending, Failed) and not self._drive.try_again(step, ending, draft):
            self._drive.give_up(step, ending.error, draft)
            return
        if isinstance(ending, Failed | Asleep):
            if isinstance(ending, Asleep):
                step.sleep(ending, draft.at)
            draft.step_update(steprows.changed(step, draft))
            return
        del self._drive.open[step.key], self._todo[step.spec.id]
        update = steprows.changed(step, draft, StepStatus.COMPLETED)
        update.output, update.output_sha256 = ending.text, jsontext.sha256(ending.text)
        draft.step_update(update)
        self._tell(events.STEP_COMPLETE, "completed", step, draft, ending.text)
        if self._hold and not self._todo:
            self._drive.pausing = True
            self._drive.settle(draft)  # now, for the process may be about to end, and the next would know of no hold

    def owns(self, spec: StepSpec) -> bool:
        """Whether it is one of these."""
        return spec.id in self._todo

    def _stillborn(self, spec: StepSpec, error: ErrorInfo, draft: Draft) -> None:
        row = steprows.ended_at_once(spec, draft, StepStatus.FAILED, error=error)
        draft.transition.steps.append(row)
        self._drive.tell_failed(spec, row.id, 1, error, draft)

    def _give(self, step: OpenStep, known: Compensation) -> None:
        step.extra = known.sees
        step.input = self._opening.input_of(step.spec, step.scope(self._drive.state.scope))

    def _tell(self, name: str, status: str, step: OpenStep, draft: Draft, result: str | None = None) -> None:
        data = {"status": status, "progress": self._drive.progress, "compensates": step.spec.id.removesuffix(".undo")}
        where = {"step_id": step.spec.id, "run_id": step.run_id, "attempt": step.attempt}
        draft.event(name, data, **where, result=result)
