"""The serving processes in memory: the one that has it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain.workers import WorkerRecord, Workers

if TYPE_CHECKING:
    from app.domain.records import IncarnationRecord
    from app.store.memory_tables import MemoryTables


class MemoryWorkers(Workers):
    """See domain.workers.Workers."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def listed(self, limit: int = 50) -> list[WorkerRecord]:
        """See Workers."""
        known = self._tables.incarnations.values()
        return [
            self._worker(one) for one in sorted(known, key=lambda one: (one.started_at, one.id), reverse=True)[:limit]
        ]

    def _worker(self, one: IncarnationRecord) -> WorkerRecord:
        mine = (each.queue for each in self._tables.threads.values() if each.incarnation_id == one.id)
        return WorkerRecord(
            id=one.id,
            host=one.host,
            process=one.process,
            started_at=one.started_at,
            heartbeat_at=one.heartbeat_at,
            silent_for=(self._tables.clock() - one.heartbeat_at) / timedelta(seconds=1),
            threads=Counter(mine),
        )
