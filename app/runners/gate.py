"""The kind `gate`: asks a person or a program and waits for the answer, which is the step's output, without a slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.gates import Question, put
from app.domain.records import ErrorInfo
from app.domain.retry import OUTPUT_TOO_LARGE, TIMEOUT, VALIDATION
from app.domain.runner import Asleep, Completed, Failed
from app.domain.times import seconds
from app.runners.aside import misfits

if TYPE_CHECKING:
    from app.domain.gates import GateBook, GateRecord
    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

DAMAGED: Final = "corrupt"
_OUTAGE_PAUSE: Final = 2.0


class GateRunner:
    """`max_bytes`: what may be shown at most."""

    def __init__(self, gates: GateBook, max_bytes: int) -> None:
        self._gates = gates
        self._max_bytes = max_bytes

    async def perform(self, attempt: Attempt) -> Outcome:
        """Ask, or see whether the question has been answered."""
        question = _question(attempt)
        if question.show is not None and len(question.show) > self._max_bytes:
            message = f"`show` has {len(question.show):,} characters of JSON; at most {self._max_bytes:,} are kept"
            return Failed(error=ErrorInfo(kind=OUTPUT_TOO_LARGE, message=message))
        try:
            record = await self._ask(attempt, question)
        except Unavailable:  # an outage of the store spends no attempt
            return Asleep(seconds=_OUTAGE_PAUSE)
        if not record.closed:
            return Asleep(seconds=record.left, gate=record)
        return _overdue(question) if record.expired else await _answered(attempt, record)

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """The document's parser has checked the form."""
        return []

    async def _ask(self, attempt: Attempt, question: Question) -> GateRecord:
        """The newest round: one that an earlier run of the step let pass is asked anew."""
        place = 0
        while True:
            record = await put(self._gates, attempt, question, place)
            if not record.expired or record.run_id == attempt.context.run_id:
                return record
            place += 1


def _question(attempt: Attempt) -> Question:
    gate = cast("dict[str, Any]", attempt.target)
    limit = attempt.step.timeout if gate.get("timeout") is None else seconds(gate["timeout"])
    title, form = gate.get("title"), attempt.step.form
    return Question(
        title=None if title is None else _text(title),
        show=jsontext.dumps(gate["show"]) if "show" in gate else None,
        form=None if form is None else jsontext.dumps(dict(form)),
        assignees=tuple(_text(name) for name in gate.get("assignees") or ()),
        timeout=limit,
        on_timeout=jsontext.dumps(gate["on_timeout"]) if "on_timeout" in gate else None,
    )


def _text(value: Any) -> str:
    """What a template gave as text for a column of the database, which holds no NUL."""
    text = value if isinstance(value, str) else jsontext.dumps(value)
    return jsontext.clean(text).replace("\0", "\ufffd")


def _overdue(question: Question) -> Failed:
    within = "in time" if question.timeout is None else f"within {question.timeout:g} s"
    return Failed(error=ErrorInfo(kind=TIMEOUT, message=f"nobody answered {within}"))


async def _answered(attempt: Attempt, record: GateRecord) -> Outcome:
    if not record.sound:
        message = "the answer is not what was written: give the step an output (`skip`) or ask anew (`from_step`)"
        return Failed(error=ErrorInfo(kind=DAMAGED, message=message))
    value, form = record.answer, attempt.step.form
    problems = await misfits(form, value) if form is not None else []
    if problems:
        where, what = problems[0].pointer or "(the answer)", problems[0].message
        return Failed(error=ErrorInfo(kind=VALIDATION, message=f"{where} does not fit the form: {what}"))
    return Completed(output=value)
