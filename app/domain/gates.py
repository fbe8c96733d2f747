"""Gates: questions that a step asks of a person or a program, and waits for without a slot; the first answer wins.

A gate belongs to a step run's idempotency key: retries, recovery and resume keep it and its answer, a rollback asks anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from app.domain import jsontext
from app.domain.errors import BackstitchError, Conflict, NotFound
from app.domain.events import shorten
from app.domain.known_secrets import KNOWN
from app.domain.times import rfc3339
from app.domain.waiting import NO_ITEM, TIMED_OUT, Book, WaitRecord, is_due, key_of, mark, standing
from app.domain.waiting import WaitKey as GateKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.records import ThreadRecord
    from app.domain.runner import Attempt

__all__ = [
    "NO_ITEM",
    "TIMED_OUT",
    "Answer",
    "GateBook",
    "GateFilter",
    "GateKey",
    "GateRecord",
    "Question",
    "ask",
    "key_of",
    "mark",
    "put",
    "refusal",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: JSON texts to look at (`show`) and of the answer's JSON Schema (`form`), for whom, and for how long.

    `timeout` in seconds, None for ever; `on_timeout` is the JSON text that then counts as the answer, None for none.
    """

    show: str | None = None
    form: str | None = None
    title: str | None = None
    assignees: tuple[str, ...] = ()
    timeout: float | None = None
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord(WaitRecord):
    """A gate as it stands.  What ends in `_json` is JSON text."""

    title: str | None = None
    show_json: str | None = None
    form_json: str | None = None
    assignees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody answers: JSON text, who it is, and by which way (`api`, `cli`, `mcp`, ...)."""

    answer_json: str
    by: str | None = None
    via: str = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFilter:
    """Which gates: of a thread, of one of its steps, those for an assignee, `only_open` those that can be answered.

    `before` is (opened_at, key) of the last one seen, newest first.
    """

    thread_id: str | None = None
    step_id: str | None = None
    assignee: str | None = None
    only_open: bool = False
    before: tuple[datetime, GateKey] | None = None
    limit: int = 50


class GateBook(Book[GateRecord, Question], Protocol):
    """Where gates are kept."""

    async def answer(self, key: GateKey, answer: Answer) -> tuple[GateRecord, ThreadRecord]:
        """Answer a gate and make its thread look at it: the gate and the thread's row afterwards.

        Raises NotFound (thread_not_found, gate_not_found), Conflict (gate_answered: somebody was first; gate_closed: the
        thread has ended or its step does not wait for that any more).
        """
        ...

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """Gates, newest first by (opened_at, key); a long `show` or answer is told by its size and a preview."""
        ...


def refusal(key: GateKey, gate: GateRecord | None) -> BackstitchError:
    """Why a gate cannot be answered, as it stands (None: it is not there)."""
    where = f"step {key.step_id} of thread {key.thread_id}"
    if gate is None:
        return NotFound(f"there is no gate at {where}", code="gate_not_found")
    if not gate.answered:
        said = "its time is over" if gate.expired else "the thread has ended, or its step does not wait any more"
        return Conflict(f"the gate at {where} is closed: {said}", code="gate_closed")
    who = gate.answered_by or "somebody"
    said = "its time was over" if gate.via == TIMED_OUT else f"{who} was first"
    text = shorten(gate.answer_json or "null")
    return Conflict(
        f"the gate at {where} has its answer: {said}",
        code="gate_answered",
        answer=jsontext.loads(text),
        answered_by=gate.answered_by,
        answered_at=None if gate.answered_at is None else rfc3339(gate.answered_at),
        via=gate.via,
    )


async def put(
    gates: GateBook,
    attempt: Attempt,
    question: Question,
    round: int = 0,  # noqa: A002
) -> GateRecord:
    """Ask a question of a step once, whatever comes between, and look whether it is answered or its time is over."""
    key = key_of(attempt, round)
    record = await standing(gates, key, attempt.context.run_id, _without_secrets(question))
    if is_due(record):
        record = await gates.time_out(key, question.on_timeout)
    attempt.asked.append(record)
    return record


def _without_secrets(question: Question) -> Question:
    if not KNOWN:
        return question
    return replace(
        question,
        show=question.show and KNOWN.json(question.show),
        title=question.title and KNOWN.text(question.title),
    )


async def ask(
    gates: GateBook,
    attempt: Attempt,
    *,
    round: int,  # noqa: A002
    show: Any,
    form: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> GateRecord:
    """Ask the question of a round, without a time limit, for a runner of another kind.

    `answered`: go on with `answer`.  Else return `Asleep(gate=record)`: the step is performed anew once it is answered.
    """
    question = Question(
        show=jsontext.dumps(show), form=None if form is None else jsontext.dumps(dict(form)), title=title
    )
    return await put(gates, attempt, question, round)
