"""Timelines on PostgreSQL: a few queries a page, each over one thread and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.timeline import EVENTS, EXECUTIONS, ExecutionTimes, TimelinePage, Timelines
from app.store import queries, rows
from app.store.db import AGAIN, LOST, unavailable
from app.store.reads import is_uuid

if TYPE_CHECKING:
    from asyncpg import Record

    from app.domain.timeline import TimelineFilter
    from app.store import db

_SQL: Final = queries.load("events")
_FIRST: Final = "00000000-0000-0000-0000-000000000000"


class PostgresTimelines(Timelines):
    """See domain.timeline.Timelines."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def page(self, where: TimelineFilter) -> TimelinePage:
        """See Timelines."""
        thread_id, execution_id = where.thread_id, where.execution_id
        if execution_id is not None and not is_uuid(execution_id):
            return TimelinePage(executions=[], runs=[], events=[])
        executions = await self._fetch("timeline_executions", thread_id, execution_id, EXECUTIONS)
        found = await self._fetch("timeline_runs", thread_id, execution_id, where.after or _FIRST, where.limit + 1)
        runs = [rows.step_from_row(row) for row in found[: where.limit]]
        events = await self._fetch("timeline_events", thread_id, None, EVENTS)
        if runs:
            events += await self._fetch(
                "timeline_events", thread_id, [run.id for run in runs], EVENTS + 1 - len(events)
            )
        items: list[Record] = []
        if where.items:
            keys = sorted({(run.key_execution_id, run.step_id) for run in runs})
            items = await self._fetch(
                "timeline_items", thread_id, [key[0] for key in keys], [key[1] for key in keys], where.items
            )
        return TimelinePage(
            executions=[_times(row) for row in executions],
            runs=runs,
            events=sorted(map(rows.event_from_row, events[:EVENTS]), key=lambda event: event.seq),
            items=[rows.item_from_row(row) for row in items],
            more=len(found) > where.limit,
            whole=len(events) <= EVENTS,
        )

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _times(row: Record) -> ExecutionTimes:
    names = ("kind", "status", "created_at", "started_at", "completed_at")
    return ExecutionTimes(id=str(row["id"]), **{name: row[name] for name in names})
