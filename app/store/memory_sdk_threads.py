"""What clients of LangGraph's SDK keep about threads and runs, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from app.domain.sdk_threads import CLEARED, EMPTY_DAYS, SdkRun, SdkStatus, SdkThread, SdkThreads, SortBy
from app.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.sdk_threads import SdkThreadFilter
    from app.store.memory_tables import MemoryTables

_STATUS = {
    Status.COMPLETED: SdkStatus.IDLE,
    Status.FAILED: SdkStatus.ERROR,
    Status.INTERRUPTED: SdkStatus.ERROR,
    Status.PAUSED: SdkStatus.INTERRUPTED,
    Status.CANCELLED: SdkStatus.INTERRUPTED,
}


@dataclass(slots=True)
class _Kept:
    thread: SdkThread
    ran: bool


class MemorySdkThreads(SdkThreads):
    """See domain.sdk_threads.SdkThreads; each call happens at once."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._kept: dict[str, _Kept] = {}
        self._runs: dict[str, SdkRun] = {}
        tables.on_forget.append(self._forget)

    async def create(self, thread_id: str, metadata: Mapping[str, Any]) -> bool:
        """See SdkThreads."""
        self._clear()
        if thread_id in self._kept:
            return False
        await self.merge(thread_id, metadata)
        return True

    async def get(self, thread_id: str) -> SdkThread | None:
        """See SdkThreads."""
        kept = self._kept.get(thread_id)
        return None if kept is None else self._shown(kept)

    async def merge(self, thread_id: str, metadata: Mapping[str, Any], *, ran: bool = False) -> SdkThread:
        """See SdkThreads."""
        now, kept = self._tables.clock(), self._kept.get(thread_id)
        if kept is None:
            new = SdkThread(thread_id=thread_id, metadata=dict(metadata), created_at=now, updated_at=now)
            kept = self._kept[thread_id] = _Kept(new, ran)
        else:
            merged = {**kept.thread.metadata, **metadata}
            kept.thread, kept.ran = replace(kept.thread, metadata=merged, updated_at=now), kept.ran or ran
        return kept.thread

    async def delete(self, thread_id: str) -> bool:
        """See SdkThreads."""
        known = thread_id in self._kept
        self._forget([thread_id])
        return known

    async def found(self, where: SdkThreadFilter) -> list[SdkThread]:
        """See SdkThreads."""
        found = self._matching(where)
        found.sort(key=lambda one: (self._place(one, where.sort_by), one.thread_id), reverse=not where.ascending)
        return found[where.offset : where.offset + where.limit]

    async def count(self, where: SdkThreadFilter) -> int:
        """See SdkThreads."""
        return len(self._matching(where))

    async def statuses(self, thread_ids: Sequence[str]) -> dict[str, SdkStatus]:
        """See SdkThreads."""
        return {thread_id: self._status(thread_id) for thread_id in thread_ids if thread_id in self._tables.threads}

    async def note_run(self, run: SdkRun) -> None:
        """See SdkThreads."""
        known = self._runs.get(run.run_id, run)
        self._runs[run.run_id] = replace(
            run,
            metadata={**known.metadata, **run.metadata},
            strategy=run.strategy or known.strategy,
            hidden=run.hidden or known.hidden,
        )

    async def runs(self, run_ids: Sequence[str]) -> dict[str, SdkRun]:
        """See SdkThreads."""
        return {run_id: self._runs[run_id] for run_id in run_ids if run_id in self._runs}

    def _matching(self, where: SdkThreadFilter) -> list[SdkThread]:
        return [
            self._shown(kept)
            for thread_id, kept in self._kept.items()
            if (where.ids is None or thread_id in where.ids)
            and (where.metadata is None or _contains(dict(kept.thread.metadata), dict(where.metadata)))
            and where.status in (None, self._status(thread_id))
        ]

    def _place(self, thread: SdkThread, by: SortBy) -> Any:
        if by is SortBy.STATE_UPDATED_AT:
            real = self._tables.threads.get(thread.thread_id)
            return thread.created_at if real is None else real.updated_at
        return self._status(thread.thread_id) if by is SortBy.STATUS else getattr(thread, by.value)

    def _shown(self, kept: _Kept) -> SdkThread:
        real = self._tables.threads.get(kept.thread.thread_id)
        newest = kept.thread.updated_at if real is None else max(kept.thread.updated_at, real.updated_at)
        return replace(kept.thread, updated_at=newest)

    def _status(self, thread_id: str) -> SdkStatus:
        thread = self._tables.threads.get(thread_id)
        if thread is None:
            return SdkStatus.IDLE
        if thread.status is Status.WAITING and self._asks(thread):
            return SdkStatus.INTERRUPTED
        return _STATUS.get(thread.status, SdkStatus.BUSY)

    def _asks(self, thread: ThreadRecord) -> bool:
        runs = self._tables.runs.get(thread.thread_id, {}).values()
        mine = [run for run in runs if run.execution_id == thread.execution_id and run.completed_at is None]
        return bool(mine) and all(self._is_asked(run) for run in mine)

    def _is_asked(self, run: StepRecord) -> bool:
        key = (run.thread_id, run.key_execution_id, run.step_id)
        return any(
            (gate.key.thread_id, gate.key.key_execution_id, gate.key.step_id) == key and not gate.closed
            for gate in self._tables.gates.values()
        )

    def _clear(self) -> None:
        before = self._tables.clock() - timedelta(days=EMPTY_DAYS)
        old = [
            thread_id
            for thread_id, kept in self._kept.items()
            if not kept.ran and kept.thread.updated_at < before and thread_id not in self._tables.threads
        ]
        for thread_id in sorted(old, key=lambda one: self._kept[one].thread.updated_at)[:CLEARED]:
            del self._kept[thread_id]

    def _forget(self, gone: Collection[str]) -> int:
        runs = [run_id for run_id, run in self._runs.items() if run.thread_id in gone]
        for run_id in runs:
            del self._runs[run_id]
        return len(runs) + sum(self._kept.pop(thread_id, None) is not None for thread_id in gone)


def _contains(value: Any, part: Any) -> bool:
    """As PostgreSQL's @> of jsonb, below the top."""
    if isinstance(value, dict) and isinstance(part, dict):
        held, wanted = cast("dict[str, Any]", value), cast("dict[str, Any]", part)
        return all(name in held and _contains(held[name], each) for name, each in wanted.items())
    if isinstance(value, list) and isinstance(part, list):
        items, needed = cast("list[Any]", value), cast("list[Any]", part)
        return all(any(_contains(one, each) for one in items) for each in needed)
    return isinstance(value, bool) is isinstance(part, bool) and value == part
