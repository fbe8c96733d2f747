"""What clients of LangGraph's SDK keep about threads and runs, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.sdk_threads import CLEARED, EMPTY_DAYS, SdkRun, SdkStatus, SdkThread, SdkThreads, SortBy
from app.store import db
from app.store.queries import filtered, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from app.domain.sdk_threads import SdkThreadFilter

_SQL: Final = load("sdk_threads")
_ORDERS: Final = {
    SortBy.THREAD_ID: "s.thread_id",
    SortBy.STATUS: f"({_SQL['by_status'].removesuffix(' = $')})",
    SortBy.CREATED_AT: "s.created_at",
    SortBy.UPDATED_AT: "greatest(s.updated_at, t.updated_at)",
    SortBy.STATE_UPDATED_AT: "coalesce(t.updated_at, s.created_at)",
}


class PostgresSdkThreads(SdkThreads):
    """See domain.sdk_threads.SdkThreads."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def create(self, thread_id: str, metadata: Mapping[str, Any]) -> bool:
        """See SdkThreads."""
        return bool(await self._fetch("create", thread_id, jsontext.dumps(dict(metadata)), EMPTY_DAYS, CLEARED))

    async def get(self, thread_id: str) -> SdkThread | None:
        """See SdkThreads."""
        rows = await self._fetch("get", thread_id)
        return _thread(rows[0]) if rows else None

    async def merge(self, thread_id: str, metadata: Mapping[str, Any], *, ran: bool = False) -> SdkThread:
        """See SdkThreads."""
        [row] = await self._fetch("merge", thread_id, jsontext.dumps(dict(metadata)), ran)
        return _thread(row)

    async def delete(self, thread_id: str) -> bool:
        """See SdkThreads."""
        return bool(await self._fetch("delete", thread_id))

    async def found(self, where: SdkThreadFilter) -> list[SdkThread]:
        """See SdkThreads."""
        query, values = filtered(_SQL["found"], _given(where), where.limit, where.offset)
        way = "ASC" if where.ascending else "DESC"
        order = f"{_ORDERS[where.sort_by]} {way}, s.thread_id {way}"
        return [_thread(row) for row in await self._ask(query.replace("/* order */", order), *values)]

    async def count(self, where: SdkThreadFilter) -> int:
        """See SdkThreads."""
        query, values = filtered(_SQL["count"], _given(where))
        [row] = await self._ask(query, *values)
        return row["number"]

    async def statuses(self, thread_ids: Sequence[str]) -> dict[str, SdkStatus]:
        """See SdkThreads."""
        rows = await self._fetch("statuses", list(thread_ids))
        return {row["thread_id"]: SdkStatus(row["status"]) for row in rows}

    async def note_run(self, run: SdkRun) -> None:
        """See SdkThreads."""
        text = jsontext.dumps(dict(run.metadata))
        await self._fetch("note_run", run.run_id, run.thread_id, text, run.strategy, run.hidden)

    async def runs(self, run_ids: Sequence[str]) -> dict[str, SdkRun]:
        """See SdkThreads."""
        rows = await self._fetch("runs", list(run_ids)) if run_ids else []
        return {str(row["run_id"]): _run(row) for row in rows}

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._ask(_SQL[query], *arguments)

    async def _ask(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _given(where: SdkThreadFilter) -> list[tuple[str, Any]]:
    contains = None if where.metadata is None else jsontext.dumps(dict(where.metadata))
    return [
        ("s.thread_id = ANY ($::text[])", None if where.ids is None else list(where.ids)),
        ("s.metadata @> $::text::jsonb", contains),
        (_SQL["by_status"], where.status),
    ]


def _thread(row: Record) -> SdkThread:
    return SdkThread(
        thread_id=row["thread_id"],
        metadata=jsontext.loads(row["metadata"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _run(row: Record) -> SdkRun:
    return SdkRun(
        run_id=str(row["run_id"]),
        thread_id=row["thread_id"],
        metadata=jsontext.loads(row["metadata"]),
        strategy=row["strategy"],
        hidden=row["hidden"],
    )
