"""What the books of gates and of waits have in common in memory; each call happens at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from app.domain import events, jsontext, wishes
from app.domain.ids import uuid7
from app.domain.status import ENDED, STEP_OPEN, Status
from app.domain.waiting import TIMED_OUT, WaitKey, WaitRecord, mark

if TYPE_CHECKING:
    from app.domain.errors import BackstitchError
    from app.domain.records import StepRecord, ThreadRecord
    from app.store.memory_tables import MemoryTables

R = TypeVar("R", bound=WaitRecord)
SECOND: Final = timedelta(seconds=1)


class MemoryBook(Generic[R]):
    """Over one of the tables; `told` are the names of the events that tell of what is in it."""

    def __init__(self, tables: MemoryTables, rows: dict[WaitKey, R], told: tuple[str, str]) -> None:
        self._tables = tables
        self._rows = rows
        self._names = told

    @abstractmethod
    def _refusal(self, key: WaitKey, record: R | None) -> BackstitchError:
        """Why there is no such one, or it cannot be answered."""

    async def find(self, key: WaitKey) -> R | None:
        """See domain.waiting.Book."""
        return self._read(key) if key in self._rows else None

    async def time_out(self, key: WaitKey, value: str | None) -> R:
        """See domain.waiting.Book."""
        record, now = self._read(key), self._tables.clock()
        if not record.closed and record.timeout_at is not None and record.timeout_at <= now:
            self._close(key, value, None, TIMED_OUT)
        return self._read(key)

    def _close(self, key: WaitKey, value: str | None, by: str | None, via: str, **more: Any) -> None:
        digest = None if value is None else jsontext.sha256(value)
        self._rows[key] = replace(
            self._rows[key],
            answer_json=value,
            answer_sha256=digest,
            answered_by=by,
            via=via,
            answered_at=self._tables.clock(),
            **more,
        )

    def _wake(self, thread: ThreadRecord) -> None:
        now = self._tables.clock()
        if thread.incarnation_id is None and thread.status is Status.WAITING:
            thread.wake_at = min(thread.wake_at or now, now)
        elif thread.incarnation_id is not None and (thread.signal is None or wishes.is_look(thread.signal)):
            thread.signal = wishes.look(uuid7())

    def _read(self, key: WaitKey) -> R:
        record = self._rows.get(key)
        if record is None:
            raise self._refusal(key, None)
        left = None if record.timeout_at is None else (record.timeout_at - self._tables.clock()) / SECOND
        waiting, answered = self._told(record)
        waits = self._waits(record)
        return replace(record, left=left, waits=waits, told_waiting=waiting, told_answered=answered)

    def _told(self, record: R) -> tuple[bool, bool]:
        begins, key = jsontext.dumps(mark(record.key))[:-1] + ",", record.key
        name_of_waiting, name_of_answer = self._names
        waiting = answered = False
        for event in self._tables.events[key.thread_id]:
            if event.step_id != key.step_id or not event.data.startswith(begins):
                continue
            waiting = waiting or (event.name == name_of_waiting and event.run_id == record.run_id)
            run = self._tables.runs[key.thread_id].get(event.run_id or "")
            answered = answered or (event.name == name_of_answer and _has_key(run, key))
        return waiting, answered

    def _is_open(self, run_id: str, key: WaitKey) -> bool:
        run = self._tables.runs[key.thread_id].get(run_id)
        return run is not None and run.status in STEP_OPEN

    def _waits(self, record: R) -> bool:
        """Whether it can be answered."""
        thread = self._tables.threads.get(record.key.thread_id)
        return (
            not record.closed
            and thread is not None
            and thread.status not in ENDED
            and any(
                run.execution_id == thread.execution_id and run.status in STEP_OPEN and _has_key(run, record.key)
                for run in self._tables.runs[record.key.thread_id].values()
            )
        )


def short(text: str | None) -> str | None:
    """A long JSON text as its size and a preview."""
    return None if text is None else events.shorten(text)


def _has_key(run: StepRecord | None, key: WaitKey) -> bool:
    return run is not None and (run.step_id, run.key_execution_id) == (key.step_id, key.key_execution_id)
