"""Log entries on PostgreSQL: written many at a time, read through an index or within bounds, dropped in small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.logs import LogBook, LogEntry, LogPage, Place
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from asyncpg import Record

    from app.domain.logs import LogFilter
    from app.store import db

_SQL: Final = queries.load("logs")
_WARNING: Final = 30
_NOWHERE: Final = Place(thread_id="", execution_id="")


class PostgresLogs(LogBook):
    """See domain.logs.LogBook."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """See LogBook."""
        if entries:
            await self._fetch(_SQL["add"], *map(list, zip(*map(_row, entries), strict=True)))

    async def listed(self, where: LogFilter) -> LogPage:
        """See LogBook."""
        places, filters, values = _clauses(where)
        last = await self._looked(places, values, where.look) if filters else None
        if last is not None:
            values += last
            filters += f" AND (at, id) >= (${len(values) - 1}, ${len(values)}::uuid)"
        query = _SQL["listed"].replace("/* places */", places).replace("/* filters */", filters)
        found = await self._fetch(query.replace("ALL /* limit */", str(where.limit + 1)), *values)
        entries = [_entry(row) for row in found[: where.limit]]
        if len(found) > where.limit:
            return LogPage(entries=entries, next=(entries[-1].at, entries[-1].id))
        return LogPage(entries=entries, next=last)

    async def _looked(self, places: str, values: Sequence[Any], look: int) -> tuple[datetime, str] | None:
        """The last entry that a page looks at, if there are so many: asked for first, since others come and go meanwhile."""
        query = _SQL["looked"].replace("/* places */", places).replace("0 /* look */", str(look - 1))
        found = await self._fetch(query, *values[: places.count("$")])
        return (found[0]["at"], str(found[0]["id"])) if found else None

    async def prune(self, age: timedelta, most_bytes: int, limit: int) -> int:
        """See LogBook."""
        return (await self._fetch(_SQL["prune"], age, most_bytes, limit))[0]["dropped"]

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(query, *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _clauses(where: LogFilter) -> tuple[str, str, list[Any]]:
    """The clauses that one index serves, the others, and their parameters: each combination is its own plan."""
    values: list[Any] = []

    def clause(text: str, *given: Any) -> str:
        for value in given:
            values.append(value)
            text = text.replace("?", f"${len(values)}", 1)
        return f" AND {text}"

    selected = [
        ("thread_id = ?", where.thread_id),
        ("agent = ?", where.agent),
        ("level >= 30", True if where.level >= _WARNING else None),
    ]
    chosen = [one for one in selected if one[1] is not None]
    times = [("at >= ?", where.since), ("at < ?", where.until)]
    others = [
        ("step_id = ?", where.step_id),
        ("(logger = ? OR starts_with(logger, ? || '.'))", where.logger),
        ("position(lower(?) IN lower(message)) > 0", where.text),
        ("level >= ?", where.level if where.level not in (0, _WARNING) else None),
    ]

    def clauses(wanted: list[tuple[str, Any]]) -> str:
        return "".join(clause(text, *[value] * text.count("?")) for text, value in wanted if value is not None)

    places = clauses([*chosen[:1], *times])
    if where.before is not None:
        places += clause("(at, id) < (?, ?::uuid)", *where.before)
    filters = clauses([*chosen[1:], *others])
    return places, filters, values


def _row(entry: LogEntry) -> tuple[Any, ...]:
    place = entry.place or _NOWHERE
    return (
        entry.at,
        entry.id,
        entry.level,
        entry.logger,
        entry.message,
        place.thread_id or None,
        place.execution_id or None,
        place.workflow,
        place.step_id,
        place.item,
        place.attempt,
        place.agent,
        entry.context,
        entry.process,
    )


def _entry(row: Record) -> LogEntry:
    place = None
    if row["thread_id"] is not None:
        names = ("thread_id", "workflow", "step_id", "item", "attempt", "agent")
        place = Place(execution_id=row["execution_id"] or "", **{name: row[name] for name in names})
    process = row["process"]
    return LogEntry(
        id=str(row["id"]),
        at=row["at"],
        level=row["level"],
        logger=row["logger"],
        message=row["message"],
        place=place,
        context=row["context"],
        process=None if process is None else str(process),
    )
