"""What a step waits for without a slot, whatever that is: an answer, a message, a signal.

It belongs to a step run's idempotency key: retries, recovery and resume keep it and what it was given, a rollback waits anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from app.domain import jsontext

if TYPE_CHECKING:
    from app.domain.runner import Attempt

TIMED_OUT: Final = "timeout"
"""`via` of what nobody has answered, and nothing has come for, in time."""
NO_ITEM: Final = -1


R = TypeVar("R", bound="WaitRecord")
Record_co = TypeVar("Record_co", bound="WaitRecord", covariant=True)
Wanted_contra = TypeVar("Wanted_contra", contravariant=True)
W = TypeVar("W")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WaitKey:
    """Which one: `key_execution_id` is the execution in the step run's idempotency key, `item` its place in a `for_each`
    (NO_ITEM outside of one), `round` counts what one step has waited for.
    """

    thread_id: str
    key_execution_id: str
    step_id: str
    item: int = NO_ITEM
    round: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRecord:
    """How it stands.  What ends in `_json` is JSON text.

    `run_id` is the step run that asked last; `left` how many seconds are left until `timeout_at` by the store's clock, as it
    was read.  `told_waiting` and `told_answered`: whether the thread's events tell of the waiting, by that run, and of the
    answer.  They are known of what the books give that open, find and time out.  `waits`: it can be answered.
    """

    key: WaitKey
    run_id: str
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
        """Whether it is closed and no value stands in for an answer: its time is over."""
        return self.closed and self.answer_json is None

    @property
    def answer(self) -> Any:
        """The answer's value; None while there is none."""
        return None if self.answer_json is None else jsontext.loads(self.answer_json)

    @property
    def sound(self) -> bool:
        """Whether the answer is what was written."""
        return self.answer_json is None or jsontext.sha256(self.answer_json) == self.answer_sha256


def key_of(attempt: Attempt, round: int = 0) -> WaitKey:  # noqa: A002 - what it is called everywhere
    """The key of what an attempt waits for: all but the round is in its idempotency key."""
    context = attempt.context
    execution, step_id, *item = context.idempotency_key.removeprefix(f"{context.thread_id}:").split(":")
    return WaitKey(
        thread_id=context.thread_id,
        key_execution_id=execution,
        step_id=step_id,
        item=int(item[0]) if item else NO_ITEM,
        round=round,
    )


def mark(key: WaitKey) -> dict[str, Any]:
    """What the data of an event begins with that tells of it, beside its step run."""
    return {"round": key.round, "item": None if key.item == NO_ITEM else key.item}


class Book(Protocol[Record_co, Wanted_contra]):
    """Where one kind of them is kept: what its records are, and what is wanted when one is opened."""

    async def open(self, key: WaitKey, run_id: str, wanted: Wanted_contra, /) -> Record_co:
        """Begin to wait, unless that has begun: how it stands, perhaps answered.

        What an earlier step run waited for in vain is waited for anew: its time begins again.
        """
        ...

    async def find(self, key: WaitKey) -> Record_co | None:
        """How it stands."""
        ...

    async def time_out(self, key: WaitKey, value: str | None) -> Record_co:
        """Close what has waited for its time with `value` (JSON text; None: without an answer), unless somebody was first;
        how it stands then.
        """
        ...


async def standing(book: Book[R, W], key: WaitKey, run_id: str, wanted: W) -> R:
    """What a step waits for, begun once, whatever comes between."""
    record = await book.find(key)
    if record is None or not (record.closed or record.run_id == run_id):
        record = await book.open(key, run_id, wanted)
    return record


def is_due(record: WaitRecord) -> bool:
    """Whether its time is over and nobody has said so."""
    return not record.closed and record.left is not None and record.left <= 0
