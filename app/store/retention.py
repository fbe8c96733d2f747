"""Retention on PostgreSQL: the scan of what has ended, deleting families of threads, and the lease for who does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.retention import (
    UNUSED,
    Deleted,
    EndedThread,
    Place,
    RetentionRun,
    RetentionStore,
    Scan,
    WorkflowRetention,
)
from app.domain.status import Status
from app.store import db
from app.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SQL: Final = load("retention")
_RUNS: Final = 200
"""Runs that are told of."""


class PostgresRetention(RetentionStore):
    """See domain.retention.RetentionStore."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def scan(self, before: Place | None, limit: int) -> Scan:
        """See RetentionStore."""
        place = (None, None) if before is None else (before.at, before.execution_id)
        rows = await self._fetch("scan", *place, limit)
        last = Place(rows[-1]["created_at"], str(rows[-1]["id"])) if len(rows) == limit else None
        ended = [_ended(row) for row in rows if row["members"] is not None]
        return Scan(ended=ended, looked_at=len(rows), last=last)

    async def delete(self, threads: Sequence[EndedThread]) -> Deleted:
        """See RetentionStore."""
        seen = ([one.thread_id for one in threads], [one.epoch for one in threads], [one.rev for one in threads])
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_SQL["hold"], *seen)
                gone = [row["member"] for row in rows]
                count = await connection.fetchval(_SQL["delete"], gone) if gone else 0
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error
        return Deleted(roots=sorted({row["root"] for row in rows}), threads=gone, rows=count)

    async def tidy(self, agent_days: float, limit: int) -> tuple[int, int]:
        """See RetentionStore."""
        events = (await self._fetch("tidy_events", agent_days, limit))[0]["number"]
        return events, len(await self._fetch("tidy_definitions", UNUSED, limit))

    async def sizes(self) -> Mapping[str, int]:
        """See RetentionStore."""
        return {row["name"]: row["size"] for row in await self._fetch("sizes")}

    async def policies(self) -> list[WorkflowRetention]:
        """See RetentionStore."""
        return [
            WorkflowRetention(
                workflow=row["workflow"],
                keep=row["keep"],
                days=row["days"],
                status_days={Status(name): days for name, days in jsontext.loads(row["status_days"]).items()},
                max_threads=row["max_threads"],
            )
            for row in await self._fetch("policies")
        ]

    async def set_policy(self, policy: WorkflowRetention) -> None:
        """See RetentionStore."""
        told = jsontext.dumps({status.value: days for status, days in policy.status_days.items()})
        await self._fetch("set_policy", policy.workflow, policy.keep, policy.days, told, policy.max_threads)

    async def drop_policy(self, workflow: str) -> bool:
        """See RetentionStore."""
        return bool(await self._fetch("drop_policy", workflow))

    async def take(self, owner: str, seconds: float, *, every: float | None = None) -> bool:
        """See RetentionStore."""
        return bool(await self._fetch("take", owner, seconds, every))

    async def release(self, owner: str) -> None:
        """See RetentionStore."""
        await self._fetch("release", owner)

    async def note(self, run: RetentionRun) -> None:
        """See RetentionStore."""
        await self._fetch(
            "note",
            run.id,
            jsontext.dumps(dict(run.asked)),
            run.started_at,
            run.ended_at,
            run.scanned,
            run.threads,
            run.rows,
            run.size,
            jsontext.dumps(run.reasons),
            jsontext.dumps(run.workflows),
            run.definitions,
            run.agent_events,
            run.error,
        )
        await self._fetch("close_others", run.id, run.started_at)
        if run.ended_at is not None:
            await self._fetch("forget", _RUNS)

    async def runs(self, limit: int) -> list[RetentionRun]:
        """See RetentionStore."""
        return [_run(row) for row in await self._fetch("runs", limit)]

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _ended(row: Any) -> EndedThread:
    return EndedThread(
        thread_id=row["thread_id"],
        workflow=row["workflow"],
        status=Status(row["status"]),
        ended_at=row["ended_at"],
        epoch=row["epoch"],
        rev=row["rev"],
        size=row["size"],
        members=row["members"],
    )


def _run(row: Any) -> RetentionRun:
    told = dict(row)
    told["id"] = str(told["id"])
    for name in ("asked", "reasons", "workflows"):
        told[name] = jsontext.loads(told[name])
    return RetentionRun(**told)
