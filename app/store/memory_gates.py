"""The gates in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain import events, jsontext, wishes
from app.domain.errors import NotFound
from app.domain.gates import TIMED_OUT, GateBook, GateRecord, mark, refusal
from app.domain.ids import uuid7
from app.domain.status import ENDED, STEP_OPEN, Status

if TYPE_CHECKING:
    from app.domain.gates import Answer, GateFilter, GateKey, Question
    from app.domain.records import StepRecord, ThreadRecord
    from app.store.memory_tables import MemoryTables

_SECOND = timedelta(seconds=1)


class MemoryGates(GateBook):
    """See domain.gates.GateBook; each call happens at once."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def open(self, key: GateKey, run_id: str, question: Question) -> GateRecord:
        """See GateBook."""
        known, now, q = self._tables.gates.get(key), self._tables.clock(), question
        if key.thread_id not in self._tables.threads:
            raise refusal(key, None)
        timeout_at = None if q.timeout is None else now + q.timeout * _SECOND
        if known is None:
            self._tables.gates[key] = GateRecord(
                key=key,
                run_id=run_id,
                title=q.title,
                show_json=q.show,
                form_json=q.form,
                assignees=q.assignees,
                opened_at=now,
                timeout_at=timeout_at,
            )
        elif not known.closed and known.run_id != run_id and self._is_open(run_id, key):
            self._tables.gates[key] = replace(known, run_id=run_id, opened_at=now, timeout_at=timeout_at)
        return self._read(key)

    async def find(self, key: GateKey) -> GateRecord | None:
        """See GateBook."""
        return self._read(key) if key in self._tables.gates else None

    async def time_out(self, key: GateKey, value: str | None) -> GateRecord:
        """See GateBook."""
        gate, now = self._read(key), self._tables.clock()
        if not gate.closed and gate.timeout_at is not None and gate.timeout_at <= now:
            self._close(key, value, None, TIMED_OUT)
        return self._read(key)

    async def answer(self, key: GateKey, answer: Answer) -> tuple[GateRecord, ThreadRecord]:
        """See GateBook."""
        thread, gate = self._tables.threads.get(key.thread_id), self._tables.gates.get(key)
        if thread is None:
            raise NotFound(f"there is no thread {key.thread_id}", code="thread_not_found")
        if gate is None or not self._waits(gate):
            raise refusal(key, gate)
        self._close(key, answer.answer_json, answer.by, answer.via)
        self._wake(thread)
        return self._read(key), replace(thread)

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """See GateBook."""
        found = [gate for gate in self._tables.gates.values() if self._matches(gate, where)]
        found.sort(key=lambda gate: (gate.opened_at, gate.key), reverse=True)
        return [
            replace(
                gate, show_json=_short(gate.show_json), answer_json=_short(gate.answer_json), waits=self._waits(gate)
            )
            for gate in found[: where.limit]
        ]

    def _close(self, key: GateKey, value: str | None, by: str | None, via: str) -> None:
        digest = None if value is None else jsontext.sha256(value)
        self._tables.gates[key] = replace(
            self._tables.gates[key],
            answer_json=value,
            answer_sha256=digest,
            answered_by=by,
            via=via,
            answered_at=self._tables.clock(),
        )

    def _wake(self, thread: ThreadRecord) -> None:
        now = self._tables.clock()
        if thread.incarnation_id is None and thread.status is Status.WAITING:
            thread.wake_at = min(thread.wake_at or now, now)
        elif thread.incarnation_id is not None and (thread.signal is None or wishes.is_look(thread.signal)):
            thread.signal = wishes.look(uuid7())

    def _read(self, key: GateKey) -> GateRecord:
        gate = self._tables.gates.get(key)
        if gate is None:
            raise refusal(key, None)
        left = None if gate.timeout_at is None else (gate.timeout_at - self._tables.clock()) / _SECOND
        waiting, answered = self._told(gate)
        waits = self._waits(gate)
        return replace(gate, left=left, waits=waits, told_waiting=waiting, told_answered=answered)

    def _told(self, gate: GateRecord) -> tuple[bool, bool]:
        begins, key = jsontext.dumps(mark(gate.key))[:-1] + ",", gate.key
        waiting = answered = False
        for event in self._tables.events[key.thread_id]:
            if event.step_id != key.step_id or not event.data.startswith(begins):
                continue
            waiting = waiting or (event.name == events.GATE_WAITING and event.run_id == gate.run_id)
            run = self._tables.runs[key.thread_id].get(event.run_id or "")
            answered = answered or (event.name == events.GATE_ANSWERED and _has_key(run, key))
        return waiting, answered

    def _is_open(self, run_id: str, key: GateKey) -> bool:
        run = self._tables.runs[key.thread_id].get(run_id)
        return run is not None and run.status in STEP_OPEN

    def _waits(self, gate: GateRecord) -> bool:
        """Whether it can be answered."""
        thread = self._tables.threads.get(gate.key.thread_id)
        return (
            not gate.closed
            and thread is not None
            and thread.status not in ENDED
            and any(
                run.execution_id == thread.execution_id and run.status in STEP_OPEN and _has_key(run, gate.key)
                for run in self._tables.runs[gate.key.thread_id].values()
            )
        )

    def _matches(self, gate: GateRecord, where: GateFilter) -> bool:
        return (
            where.thread_id in (None, gate.key.thread_id)
            and where.step_id in (None, gate.key.step_id)
            and (where.assignee is None or where.assignee in gate.assignees)
            and (where.before is None or (gate.opened_at, gate.key) < where.before)
            and (not where.only_open or self._waits(gate))
        )


def _has_key(run: StepRecord | None, key: GateKey) -> bool:
    return run is not None and (run.step_id, run.key_execution_id) == (key.step_id, key.key_execution_id)


def _short(text: str | None) -> str | None:
    return None if text is None else events.shorten(text)
