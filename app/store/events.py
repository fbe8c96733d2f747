"""The list of events on PostgreSQL.  Whatever the filters, one request looks at a bounded number of rows.

The place of an event is (transaction, thread, seq).  Oldest first, only transactions below every one that is still open are
shown, so that nothing can appear before a place once passed (see PostgresReads.feed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain.event_log import CLOCKS, HELD, EventFilter, EventLog, EventPage
from app.domain.ports import FeedPosition
from app.store import queries, rows
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from asyncpg import Record

    from app.domain.ports import FeedItem
    from app.store import db

_SQL: Final = queries.load("events")
_LAST: Final = 2**63 - 1
_AFTER_ALL: Final = FeedPosition(_LAST, "", 0)


class PostgresEvents(EventLog):
    """See domain.event_log.EventLog."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def page(self, where: EventFilter) -> EventPage:
        """See EventLog."""
        if where.thread_id is not None:
            return await self._of_thread(where, where.thread_id)
        if where.newest_first:
            return await self._newest_first(where)
        return await self._oldest_first(where)

    async def mark(self) -> None:
        """See EventLog."""
        await self._fetch(_SQL["mark"])

    async def _oldest_first(self, where: EventFilter) -> EventPage:
        present = FeedPosition(await self._horizon(), "", 0)
        # One beyond the end is of a database that had come further than this one, before it was restored.
        after = min(where.after or FeedPosition(0, "", 0), present)
        begin = await self._marked("marked_before", _moved(where.since, -CLOCKS))
        if begin is not None and begin > after.xact:
            after = FeedPosition(begin, "", 0)
        end = min(present.xact, await self._marked("marked_after", _moved(where.until, HELD)) or _LAST)
        if after.xact >= end:
            return EventPage(place=after)
        place = (after.xact, end, after.thread_id, after.seq)
        last = await self._looked("oldest_first_end", where, place)
        until = _clause('(e.xact, e.thread_id COLLATE "C", e.seq) <= (?, ?::text, ?::bigint)', last)
        found = await self._found("oldest_first", where, place, until)
        items = _items(found[: where.limit])
        if len(found) > where.limit:
            more = _place(found[where.limit - 1])
            return EventPage(items=items, next=more, place=more)
        if last is not None:
            return EventPage(items=items, next=last, place=last)
        return EventPage(items=items, place=FeedPosition(end, "", 0))

    async def _newest_first(self, where: EventFilter) -> EventPage:
        present = FeedPosition(await self._horizon(), "", 0)
        before = where.after or _AFTER_ALL
        end = await self._marked("marked_after", _moved(where.until, HELD))
        if end is not None and end < before.xact:
            before = FeedPosition(end, "", 0)
        begin = await self._marked("marked_before", _moved(where.since, -CLOCKS)) or 0
        place = (before.xact, begin, before.thread_id, before.seq)
        last = await self._looked("newest_first_end", where, place)
        until = _clause('(e.xact, e.thread_id COLLATE "C", e.seq) >= (?, ?::text, ?::bigint)', last)
        found = await self._found("newest_first", where, place, until)
        more = _place(found[where.limit - 1]) if len(found) > where.limit else last
        return EventPage(items=_items(found[: where.limit]), next=more, place=present)

    async def _of_thread(self, where: EventFilter, thread_id: str) -> EventPage:
        """In the order of `seq`, which nothing can come before: no open transaction is waited for."""
        seq = where.after.seq if where.after is not None else None
        found = await self._fetch(_SQL["last_seq"], thread_id)
        newest = found[0]["last_seq"] if found else 0
        if where.newest_first:
            high = newest + 1 if seq is None else seq
            low = max(0, high - 1 - where.bound)
            more: int | None = low + 1 if low > 0 else None
        else:
            low = min(seq or 0, newest)
            high = min(low + where.bound, newest) + 1  # what comes meanwhile is of the next page
            more = high - 1 if high <= newest else None
        query = _SQL["of_thread"].replace("/* order */", "DESC" if where.newest_first else "")
        rows_ = await self._found(query, where, (thread_id, low, high), ("", ()))
        if len(rows_) > where.limit:
            more = rows_[where.limit - 1]["seq"]
        reached = more or max(newest, low) if not where.newest_first else newest
        next_ = None if more is None else FeedPosition(0, thread_id, more)
        return EventPage(items=_items(rows_[: where.limit]), next=next_, place=FeedPosition(0, thread_id, reached))

    async def _looked(self, query: str, where: EventFilter, place: tuple[Any, ...]) -> FeedPosition | None:
        """The last event that a page looks at, when its filters may pass over many."""
        if not _filters(where)[1]:
            return None
        found = await self._fetch(_SQL[query].replace("0 /* look */", str(where.bound - 1)), *place)
        return FeedPosition(*found[0].values()) if found else None

    async def _found(
        self, query: str, where: EventFilter, place: tuple[Any, ...], until: tuple[str, tuple[Any, ...]]
    ) -> list[Record]:
        """One row more than the page has, if there is one."""
        more, filters = _filters(where)
        text, values = "", list(place)
        for clause, given in [*filters, until] if until[0] else filters:
            for value in given:
                values.append(value)
                clause = clause.replace("?", f"${len(values)}", 1)  # noqa: PLW2901 - filled in one by one
            text += f" AND {clause}"
        statement = _SQL.get(query, query).replace("/* more */", more).replace("/* filters */", text)
        return await self._fetch(statement.replace("ALL /* limit */", str(where.limit + 1)), *values)

    async def _horizon(self) -> int:
        return (await self._fetch(_SQL["horizon"]))[0]["xact"]

    async def _marked(self, query: str, at: datetime | None) -> int | None:
        found = [] if at is None else await self._fetch(_SQL[query], at)
        return found[0]["xact"] if found else None

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(query, *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _moved(at: datetime | None, by: timedelta) -> datetime | None:
    """A time that far away, None where there is none: nothing is marked there."""
    try:
        return at and at + by
    except OverflowError:
        return None


def _items(found: Sequence[Record]) -> list[FeedItem]:
    """Without what was left of a thread that is gone."""
    return [rows.feed_item_from_row(row) for row in found if row["status"] is not None]


def _place(row: Record) -> FeedPosition:
    return FeedPosition(row["xact"], row["thread_id"], row["seq"])


def _clause(text: str, place: FeedPosition | None) -> tuple[str, tuple[Any, ...]]:
    return ("", ()) if place is None else (text, (place.xact, place.thread_id, place.seq))


def _filters(where: EventFilter) -> tuple[str, list[tuple[str, tuple[Any, ...]]]]:
    """The joins that the filters need, and their clauses with their values: each combination is its own plan."""
    more: list[str] = []
    if where.status is not None or where.workflow is not None:
        more.append("JOIN threads AS t ON t.thread_id = e.thread_id")
    if where.workflow is not None:
        more.append("JOIN workflows AS w ON w.id = t.definition_id")
    if where.agent is not None:
        more.append("JOIN workflow_steps AS r ON r.thread_id = e.thread_id AND r.id = e.run_id")
    given: list[tuple[str, Any]] = [
        ("e.name = ANY (?::text[])", None if where.names is None else sorted(where.names)),
        ("e.name <> ALL (?::text[])", sorted(where.other_than) or None),
        ("e.step_name = ?", where.step_id),
        ("e.at >= ?", where.since),
        ("e.at < ?", where.until),
        ("t.status = ?", where.status),
        ("w.name = ?", where.workflow),
        ("r.agent = ?", where.agent),
    ]
    return " ".join(more), [(clause, (value,)) for clause, value in given if value is not None]
