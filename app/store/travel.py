"""Timelines on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.travel import RunValues, Segment, Travels
from app.store import db, rows
from app.store.queries import load
from app.store.reads import is_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from app.domain.events import Event
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord

_SQL: Final = load("travel")


class PostgresTravels(Travels):
    """See domain.travel.Travels."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def segments(self, thread_id: str) -> list[Segment]:
        """See Travels."""
        return [_segment(row) for row in await self._fetch("segments", thread_id)]

    async def executions_of(
        self, thread_id: str, after: tuple[datetime, str] | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """See Travels."""
        found = await self._fetch("executions_of", thread_id, *(after or (None, None)), limit)
        return [rows.execution_from_row(row) for row in found]

    async def turns(self, thread_id: str, execution_ids: list[str]) -> list[Event]:
        """See Travels."""
        return [rows.event_from_row(row) for row in await self._fetch("turns", thread_id, execution_ids)]

    async def derived(
        self, thread_id: str, kind: str, after: str | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """See Travels."""
        found = await self._fetch("derived", thread_id, kind, after, limit)
        return [rows.execution_from_row(row) for row in found]

    async def children_of(self, thread_id: str, after: str | None = None, limit: int = 50) -> list[ThreadRecord]:
        """See Travels."""
        return [rows.thread_from_row(row) for row in await self._fetch("children_of", thread_id, after, limit)]

    async def runs_of(self, thread_id: str, step_id: str, limit: int = 50) -> list[StepRecord]:
        """See Travels."""
        return [rows.step_from_row(row) for row in await self._fetch("runs_of", thread_id, step_id, limit)]

    async def values_of(self, thread_id: str, run_id: str, *, whole: bool = True) -> RunValues | None:
        """See Travels."""
        found = await self._fetch("values_of" if whole else "sizes_of", thread_id, run_id) if is_uuid(run_id) else []
        return RunValues(**dict(found[0])) if found else None

    async def began_at(self, thread_id: str, run_id: str) -> int | None:
        """See Travels."""
        found = await self._fetch("began_at", thread_id, run_id) if is_uuid(run_id) else []
        return found[0]["version"] if found else None

    async def weight(self, thread_id: str, run_ids: Sequence[str]) -> int:
        """See Travels."""
        known = [run_id for run_id in run_ids if is_uuid(run_id)]
        return (await self._fetch("weight", thread_id, known))[0]["weight"]

    async def _fetch(self, query: str, *args: Any) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except db.LOST as error:
            raise db.unavailable(error) from error


def _segment(row: Record) -> Segment:
    values: dict[str, Any] = dict(row)
    values["execution_id"] = str(values["execution_id"])
    return Segment(**values)
