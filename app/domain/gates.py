"""Gates: questions that a step asks of a person or a program, and waits for without a slot; the first answer wins.

A gate belongs to a step run's idempotency key: retries, recovery and resume keep it and its answer, a rollback asks anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.errors import BackstitchError, Conflict, NotFound
from app.domain.events import shorten
from app.domain.known_secrets import KNOWN
from app.domain.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.records import ThreadRecord
    from app.domain.runner import Attempt

TIMED_OUT: Final = "timeout"
"""`via` of a gate that nobody answered in time."""
NO_ITEM: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class GateKey:
    """Which gate: `key_execution_id` is the execution in the step run's idempotency key, `item` its place in a `for_each`
    (NO_ITEM outside of one), `round` counts the questions of one step.
    """

    thread_id: str
    key_execution_id: str
    step_id: str
    item: int = NO_ITEM
    round: int = 0


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
class GateRecord:
    """A gate as it stands.  What ends in `_json` is JSON text.

    `run_id` is the step run that asked last; `left` how many seconds are left until `timeout_at` by the store's clock, as it
    was read.  `told_waiting` and `told_answered`: whether the thread's events tell of the question, as asked by that
    run, and of the answer.  They are known of what `open`, `find` and `time_out` return.  `waits`: it can be answered.
    """

    key: GateKey
    run_id: str
    title: str | None = None
    show_json: str | None = None
    form_json: str | None = None
    assignees: tuple[str, ...] = ()
    opened_at: datetime
    timeout_at: datetime | None = None
    left: float | None = None
    answer_json: str | None = None
    answer_sha256: bytes | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None
    via: str | None = None
    waits: bool = True
    told_waiting: bool = False
    told_answered: bool = False

    @property
    def closed(self) -> bool:
        """Whether nobody can answer it any more: it was answered, or its time is over."""
        return self.answered_at is not None

    @property
    def answered(self) -> bool:
        """Whether there is an answer, if only the one that stands in for it when the time is over."""
        return self.closed and self.answer_json is not None

    @property
    def expired(self) -> bool:
        """Whether its time is over and no value stands in for an answer."""
        return self.closed and self.answer_json is None

    @property
    def answer(self) -> Any:
        """The answer's value; None while there is none."""
        return None if self.answer_json is None else jsontext.loads(self.answer_json)

    @property
    def sound(self) -> bool:
        """Whether the answer is what was written."""
        return self.answer_json is None or jsontext.sha256(self.answer_json) == self.answer_sha256


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


class GateBook(Protocol):
    """Where gates are kept."""

    async def open(self, key: GateKey, run_id: str, question: Question) -> GateRecord:
        """Ask, unless that is being asked already: the gate as it stands, perhaps answered.

        An open one that an earlier step run asked is asked anew: its time begins again.
        """
        ...

    async def find(self, key: GateKey) -> GateRecord | None:
        """The gate as it stands."""
        ...

    async def time_out(self, key: GateKey, value: str | None) -> GateRecord:
        """Close a gate whose time is over with `value` (JSON text; None: without an answer), unless somebody was first;
        the gate as it stands then.
        """
        ...

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


def key_of(attempt: Attempt, round: int = 0) -> GateKey:  # noqa: A002 - what it is called everywhere
    """The key of a question that an attempt asks: all but the round is in its idempotency key."""
    context = attempt.context
    execution, step_id, *item = context.idempotency_key.removeprefix(f"{context.thread_id}:").split(":")
    return GateKey(
        thread_id=context.thread_id,
        key_execution_id=execution,
        step_id=step_id,
        item=int(item[0]) if item else NO_ITEM,
        round=round,
    )


def mark(key: GateKey) -> dict[str, Any]:
    """What the data of an event begins with that tells of a gate, beside its step run."""
    return {"round": key.round, "item": None if key.item == NO_ITEM else key.item}


async def put(
    gates: GateBook,
    attempt: Attempt,
    question: Question,
    round: int = 0,  # noqa: A002
) -> GateRecord:
    """Ask a question of a step once, whatever comes between, and look whether it is answered or its time is over."""
    key, run_id = key_of(attempt, round), attempt.context.run_id
    record = await gates.find(key)
    if record is None or not (record.closed or record.run_id == run_id):
        record = await gates.open(key, run_id, _without_secrets(question))
    if not record.closed and record.left is not None and record.left <= 0:
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
