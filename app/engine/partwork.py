"""Driving the parts of a step: which begin, and what each of their endings means for the step (see engine.parts)."""

from __future__ import annotations

import weakref
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import events, jsontext, retry
from app.domain.errors import JsonError
from app.domain.notes import Notes
from app.domain.records import ErrorInfo, ItemRecord
from app.domain.retry import ITEMS_CHANGED
from app.domain.runner import Asleep, Failed
from app.domain.status import StepStatus
from app.domain.template import ExpressionError
from app.engine import steprows
from app.engine.draft import error_text
from app.engine.known_parts import KnownParts
from app.engine.openstep import OpenStep
from app.engine.parts import ITEMS, Items, Iterations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.engine.draft import Draft
    from app.engine.drive import Drive
    from app.engine.opening import Opening
    from app.engine.outcome import Ending, Result


_FROM: Final = "iterations from "
"""How the row of a `repeat` tells after how many iterations it began, which are none of those that it may do."""


class PartWork:
    """Those of one thread; it draws into the draft that it is given."""

    def __init__(self, drive: Drive, opening: Opening, known: dict[str, KnownParts], marks: Mapping[str, str]) -> None:
        """`known` is what has been written of the parts of steps, `marks` which list it is of, where a step begins anew."""
        self._drive: Drive = weakref.proxy(drive)  # no cycle: a thread's state goes with its end
        self._opening = opening
        self._known = known
        self._marks = marks

    def begin(self, step: OpenStep, *, fresh: bool) -> None:
        """Give a step its parts, with what is known of them; `fresh`: the step begins anew.  Raises ExpressionError."""
        spec, known = step.spec, self._known.pop(step.spec.id, None) or KnownParts()
        if spec.for_each is not None:
            values = spec.for_each.items.render(self._drive.state.scope)
            if not isinstance(values, list):
                raise ExpressionError(f"for_each: {spec.for_each.items.source!r} gives no list")
            items = cast("list[Any]", values)
            mark = f"{ITEMS}{len(items)} {jsontext.sha256(jsontext.dumps(items)).hex()}"
            if fresh and self._marks.get(spec.id, mark) != mark:  # what is known is of other items
                step.key_execution_id, known = self._drive.thread.execution_id, KnownParts()
            step.parts = Items.of(spec, items, known, fresh=fresh)
            if step.call not in (None, mark):
                message = "the list has changed since the step began: a variable in it was set anew by a step beside it"
                step.parts.failure = ErrorInfo(kind=ITEMS_CHANGED, message=message, step_id=spec.id)
            step.input, step.call = values, mark
        elif spec.repeat is not None:
            step.input = None
            mark = (step.call or "").removeprefix(_FROM)
            step.parts = Iterations.of(spec, known, fresh=fresh, since=int(mark) if mark.isdigit() else 0)
            step.call = f"{_FROM}{step.parts.since}"

    def renew(self, step: OpenStep, draft: Draft) -> None:
        """With the row of a step that begins anew: what its parts had tried before counts no more, after a crash neither."""
        if step.parts is None:
            return
        for place in step.parts.stale:
            row = ItemRecord(
                key_execution_id=step.key_execution_id,
                step_id=step.spec.id,
                item=place,
                status=StepStatus.WAITING,
                attempt=0,
                started_at=draft.at,
            )
            draft.item(row)

    def top_up(self, draft: Draft) -> None:
        """Begin as many parts as may run, and end the steps that have none left."""
        for step in [each for each in self._drive.open.values() if each.parts is not None]:
            self._top_up(step, draft)

    def _top_up(self, step: OpenStep, draft: Draft) -> None:
        assert step.parts is not None
        for place in step.parts.startable():
            part = OpenStep(
                spec=step.spec,
                run_id=step.run_id,
                key_execution_id=step.key_execution_id,
                input=None,
                started_at=draft.at,
                agent_override=step.agent_override,
                variant=step.variant,
                parent=step,
                item=place,
                extra={**step.extra, **step.parts.sees(place)},
                notes=None if step.notes is None else Notes(),
            )
            try:
                part.input = self._opening.input_of(step.spec, part.scope(self._drive.state.scope))
                jsontext.dumps(part.input)
            except (ExpressionError, JsonError) as error:
                self._give_up(part, ErrorInfo(kind=retry.EXPRESSION, message=jsontext.clean(str(error))), draft)
                continue
            self._go_on_from(step, part, draft)
            self._drive.open[part.key] = part
        self._settle(step, draft)

    def _go_on_from(self, step: OpenStep, part: OpenStep, draft: Draft) -> None:
        """A part that had begun before keeps its attempts and its time; a new iteration may have to wait."""
        assert step.parts is not None
        assert part.item is not None
        known, repeat = step.parts.known.pop(part.item, None), step.spec.repeat
        if known is not None:
            part.started_at, part.attempt, part.retry_count = known.started_at, known.attempt, known.retry_count
            part.session_id, part.error, part.due = known.session_id, known.error, known.next_attempt_at
            delayed = known.attempt == 0
            part.attempt = max(1, known.attempt)
            part.status = StepStatus.RUNNING if known.status is StepStatus.WAITING and not delayed else known.status
            if part.due is None:
                part.status = StepStatus.RUNNING
        elif repeat is not None and repeat.delay > 0 and part.item > 0:
            part.status, part.due = StepStatus.WAITING, draft.at + timedelta(seconds=repeat.delay)
            draft.item(replace(steprows.part(part, draft), attempt=0))  # it has not begun: this is the pause before it

    def ended(self, part: OpenStep, ending: Ending, draft: Draft) -> None:
        """An attempt of a part came to its end."""
        if isinstance(ending, Asleep):
            part.sleep(ending, draft.at)
            draft.item(steprows.part(part, draft))
        elif not isinstance(ending, Failed):
            self._completed(part, ending, draft)
        elif self._drive.try_again(part, ending, draft):
            draft.item(steprows.part(part, draft))
        else:
            del self._drive.open[part.key]
            self._give_up(part, ending.error, draft)
            self._settle(part.owner, draft)

    def _completed(self, part: OpenStep, result: Result, draft: Draft) -> None:
        step, place = part.owner, part.item
        assert step.parts is not None
        assert place is not None
        del self._drive.open[part.key]
        part.session_id = result.session_id or part.session_id
        draft.item(steprows.part(part, draft, StepStatus.COMPLETED, result.text))
        step.parts.completed(place, result, self._drive.state.scope)
        step.session_id, step.agent_version = part.session_id or step.session_id, part.agent_version
        self._settle(step, draft)

    def _give_up(self, part: OpenStep, error: ErrorInfo, draft: Draft) -> None:
        step, place = part.owner, part.item
        assert step.parts is not None
        assert place is not None
        error.step_id = step.spec.id
        part.error = error_text(error)
        draft.item(steprows.part(part, draft, StepStatus.FAILED))
        data = {"status": "failed", "index": place, "error": error.value()}
        draft.event(events.ITEM_FAILED, data, step_id=step.spec.id, run_id=step.run_id, attempt=part.attempt)
        step.parts.failed(place, error)

    def _settle(self, step: OpenStep, draft: Draft) -> None:
        """End the step if nothing of it is left to do."""
        parts = step.parts
        assert parts is not None
        if self._drive.open.get(step.key) is not step or parts.gathering:
            return
        if parts.failure is not None:
            if not any(each.parent is step and each.working for each in self._drive.open.values()):
                self._drive.give_up(step, parts.failure, draft)
        elif parts.finished and isinstance(parts, Iterations):
            assert parts.last is not None
            self._drive.completed(step, parts.last, draft)
        elif parts.finished:
            parts.gathering = True
