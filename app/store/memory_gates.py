"""The gates in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import events
from app.domain.errors import NotFound
from app.domain.gates import GateBook, GateRecord, refusal
from app.store.memory_book import SECOND, MemoryBook, short

if TYPE_CHECKING:
    from app.domain.errors import BackstitchError
    from app.domain.gates import Answer, GateFilter, GateKey, Question
    from app.domain.records import ThreadRecord
    from app.store.memory_tables import MemoryTables


class MemoryGates(MemoryBook[GateRecord], GateBook):
    """See domain.gates.GateBook; each call happens at once."""

    def __init__(self, tables: MemoryTables) -> None:
        super().__init__(tables, tables.gates, (events.GATE_WAITING, events.GATE_ANSWERED))

    async def open(self, key: GateKey, run_id: str, wanted: Question, /) -> GateRecord:
        """See GateBook."""
        known, now, q = self._rows.get(key), self._tables.clock(), wanted
        if key.thread_id not in self._tables.threads:
            raise refusal(key, None)
        timeout_at = None if q.timeout is None else now + q.timeout * SECOND
        if known is None:
            self._rows[key] = GateRecord(
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
            self._rows[key] = replace(known, run_id=run_id, opened_at=now, timeout_at=timeout_at)
        return self._read(key)

    async def answer(self, key: GateKey, answer: Answer) -> tuple[GateRecord, ThreadRecord]:
        """See GateBook."""
        thread, gate = self._tables.threads.get(key.thread_id), self._rows.get(key)
        if thread is None:
            raise NotFound(f"there is no thread {key.thread_id}", code="thread_not_found")
        if gate is None or not self._waits(gate):
            raise refusal(key, gate)
        self._close(key, answer.answer_json, answer.by, answer.via)
        self._wake(thread)
        return self._read(key), replace(thread)

    async def listed(self, where: GateFilter) -> list[GateRecord]:
        """See GateBook."""
        found = [gate for gate in self._rows.values() if self._matches(gate, where)]
        found.sort(key=lambda gate: (gate.opened_at, gate.key), reverse=True)
        return [
            replace(gate, show_json=short(gate.show_json), answer_json=short(gate.answer_json), waits=self._waits(gate))
            for gate in found[: where.limit]
        ]

    def _matches(self, gate: GateRecord, where: GateFilter) -> bool:
        return (
            where.thread_id in (None, gate.key.thread_id)
            and where.step_id in (None, gate.key.step_id)
            and (where.assignee is None or where.assignee in gate.assignees)
            and (where.before is None or (gate.opened_at, gate.key) < where.before)
            and (not where.only_open or self._waits(gate))
        )

    def _refusal(self, key: GateKey, record: GateRecord | None) -> BackstitchError:
        return refusal(key, record)
