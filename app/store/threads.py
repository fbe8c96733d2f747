"""The list of threads on PostgreSQL: executions are looked at, in growing spans, until a page is full or it is enough."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import fields, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.records import ExecutionRecord, ThreadRecord, Usage
from app.domain.status import Status, StepStatus
from app.domain.thread_list import (
    COUNT_LOOK,
    COUNTED,
    HEAD,
    SHOWN,
    Footing,
    ListedThread,
    OpenRun,
    Place,
    ThreadCounts,
    ThreadFilter,
    ThreadList,
    ThreadPage,
)
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asyncpg import Record

    from app.store import db

_SQL: Final = queries.load("threads")
_SPAN_GROWTH: Final = 4
_WEIGHT: Final = 8_000_000
"""Bytes of inputs, as they are stored, that one statement looks for a text in."""
_TITLES: Final = 4_000_000
"""The same of long inputs whose beginnings are read: for that they are unpacked whole."""
_RUNS: Final = 200
"""Step runs of a thread that are looked at; of those with more, so many in all."""
_MANY_RUNS: Final = 100_000
_MOST_RUNS: Final = 20_000
_KNOWN: Final = 10_000
"""Definitions whose length is remembered."""
_FRESH: Final = 1.0
"""Seconds for which counts hold."""
_THREAD: Final = tuple(field.name for field in fields(ThreadRecord))
_EXECUTION: Final = (
    "workflow_id", "workflow_name", "workflow_version", "kind", "parameters", "triggered_by", "external_run_id", "started_at",
    "completed_at", "error",
)  # fmt: skip


class PostgresThreads(ThreadList):
    """See domain.thread_list.ThreadList."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._lengths: OrderedDict[str, int | None] = OrderedDict()
        self._counted: dict[ThreadFilter, tuple[float, ThreadCounts]] = {}
        self._counting = asyncio.Lock()

    async def page(self, where: ThreadFilter) -> ThreadPage:
        """See ThreadList."""
        found, more = await self.ids(where)
        return ThreadPage(threads=await self.entries([name for name, _ in found]) if found else [], next=more)

    async def ids(self, where: ThreadFilter) -> tuple[list[tuple[str, Place]], Place | None]:
        """See ThreadList."""
        found: list[tuple[str, Place]] = []
        place, left = where.before, where.bound
        span = min(left, 2 * where.limit + 1) if where.text is None else left
        while True:
            rows, last, ended = await self._look(where, place, span)
            found += [(row["thread_id"], _place(row)) for row in rows if row["wanted"]]
            if len(found) > where.limit:
                return found[: where.limit], found[where.limit - 1][1]
            left -= span
            if ended or left <= 0 or where.text is not None:
                return found, None if ended else last
            place, span = last, min(left, span * _SPAN_GROWTH)

    async def counts(self, where: ThreadFilter) -> ThreadCounts:
        """See ThreadList; for a second they hold for all who ask, for many thousands are looked at."""
        where = replace(where, text=None, before=None, limit=1, look=None)
        async with self._counting:
            at, known = self._counted.get(where, (0.0, None))
            if known is None or monotonic() - at > _FRESH:
                known = await self._count(where)
                now = monotonic()
                self._counted = {key: one for key, one in self._counted.items() if now - one[0] <= _FRESH}
                self._counted[where] = now, known
            return known

    async def _look(
        self, where: ThreadFilter, before: Place | None, span: int
    ) -> tuple[list[Record], Place | None, bool]:
        """What is wanted of the next `span` executions, the place of the last, and whether there are no more."""
        source, given, first = _source(where, span)
        given = [*given, ("(e.created_at, e.id) < ($, $::uuid)", before)]
        statement = _SQL["looked" if where.text is None else "searched"]
        if where.text is not None:
            first += [*_sought(where.text), _WEIGHT]
        query, values = queries.filtered(statement.replace("/* source */", source), given, *first)
        rows = await self._fetch(query, *values)
        if not rows:
            return [], None, True
        end = rows[-1]
        return rows, _place(end), end["last"] == end["found"] < span

    async def _count(self, where: ThreadFilter) -> ThreadCounts:
        source, given, first = _source(where, COUNT_LOOK)
        if where.triggered_by is not None:
            statement = _SQL["counts_by_time"].replace("/* source */", source)
        else:
            one = _SQL["counts_by_status"].replace("/* source */", _SQL[_of_one(where)])
            statement = _of_each(one, where.statuses or Status)
        query, values = queries.filtered(statement, given, *first, COUNTED)
        rows = await self._fetch(query, *values)
        counts = dict.fromkeys(Status, 0) | {Status(row["status"]): row["number"] for row in rows}
        return ThreadCounts(counts=counts, whole=not any(row["cut"] for row in rows))

    async def entries(self, ids: Sequence[str]) -> list[ListedThread]:
        """See ThreadList."""
        rows = await self._fetch(_SQL["entries"], list(ids), _TITLES, HEAD)
        lengths = await self._lengths_of({str(row["definition_id"]) for row in rows})
        runs = await self._runs(rows)
        open_runs = await self._open(runs)
        return [_listed(row, lengths, runs[row["thread_id"]], open_runs.get(row["thread_id"], [])) for row in rows]

    async def _runs(self, rows: Sequence[Record]) -> dict[str, Record]:
        """What is known of the step runs of threads; of those that have very many, their newest are looked at further."""
        present = {row["thread_id"]: row["execution_id"] for row in rows}
        found = {row["thread_id"]: row for row in await self._fetch_runs(present, list(present), _RUNS)}
        long = [name for name, row in found.items() if row["looked"] == _RUNS]
        if long:
            further = min(_MOST_RUNS, max(_RUNS, _MANY_RUNS // len(long)))
            found |= {row["thread_id"]: row for row in await self._fetch_runs(present, long, further)}
        return found

    async def _fetch_runs(self, present: dict[str, Any], names: list[str], look: int) -> list[Record]:
        return await self._fetch(_SQL["runs"], names, [present[name] for name in names], look, SHOWN)

    async def _open(self, runs: dict[str, Record]) -> dict[str, list[OpenRun]]:
        wanted = [(name, run_id) for name, row in runs.items() for run_id in row["open_ids"] or ()]
        found: dict[str, list[OpenRun]] = {}
        if wanted:
            names, run_ids = zip(*wanted, strict=True)
            for row in await self._fetch(_SQL["open_runs"], list(names), list(run_ids)):
                known = {
                    name: row[name]
                    for name in ("step_id", "agent", "attempt", "started_at", "next_attempt_at", "waits")
                }
                run = OpenRun(status=StepStatus(row["status"]), **known)
                found.setdefault(row["thread_id"], []).append(run)
        return found

    async def _lengths_of(self, definitions: set[str]) -> dict[str, int | None]:
        """How many steps they have: a definition never changes."""
        known = {one: self._lengths[one] for one in definitions if one in self._lengths}
        unknown = definitions - known.keys()
        if unknown:
            rows = await self._fetch(_SQL["lengths"], list(unknown))
            fresh = {str(row["id"]): row["steps"] for row in rows}
            known |= fresh
            self._lengths.update(fresh)
            while len(self._lengths) > _KNOWN:
                self._lengths.popitem(last=False)
        return known

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(query, *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _source(where: ThreadFilter, span: int) -> tuple[str, list[tuple[str, Any]], list[Any]]:
    """Which executions to look at: a statement that one index serves, its filters, and the first four parameters."""
    given = [
        ("e.triggered_by = $", where.triggered_by),
        ("e.workflow_name = $", where.workflow if where.triggered_by is None else None),
        ("e.created_at >= $", where.since),
        ("e.created_at < $", where.until),
    ]
    source = _SQL["by_time"]
    if where.triggered_by is None and (where.statuses or where.workflow is not None):
        source = _SQL["several"].replace("/* each */", _of_each(_SQL[_of_one(where)], where.statuses or Status))
    return source, given, [span, sorted(where.statuses), where.children, where.workflow]


def _of_one(where: ThreadFilter) -> str:
    """What looks at executions of one status."""
    return "by_status" if where.workflow is None else "by_workflow"


def _of_each(statement: str, statuses: Iterable[Status]) -> str:
    """The statement for each of the statuses, together."""
    return " UNION ALL ".join(f"({statement.replace('/* status */', one.value)})" for one in sorted(statuses))


def _sought(text: str) -> tuple[list[str], list[str]]:
    """The texts to look for, plain and as JSON writes them.

    Where the database's locale knows no letters but those of ASCII, `lower` leaves others as they are: so the usual ways to
    write them are looked for.
    """
    ways = dict.fromkeys((text.lower(), text, text.upper(), text.capitalize(), text.title()))
    plain = list(dict.fromkeys(way.encode().lower().decode() for way in ways))
    return plain, [jsontext.dumps(way)[1:-1].encode().lower().decode() for way in plain]


def _place(row: Record) -> Place:
    return row["created_at"], str(row["id"])


def _listed(row: Record, lengths: dict[str, int | None], runs: Record, open_runs: list[OpenRun]) -> ListedThread:
    known: dict[str, Any] = {
        name: str(value) if name in _IDS and value is not None else value for name, value in row.items()
    }
    of_thread: dict[str, Any] = {**known, "status": Status(row["status"])}
    thread = ThreadRecord(**{name: of_thread[name] for name in _THREAD})
    execution = ExecutionRecord(
        id=thread.execution_id,
        thread_id=thread.thread_id,
        status=Status(row["execution_status"]),
        input=None,
        input_sha256=None,
        created_at=row["execution_created_at"],
        **{name: known[name] for name in _EXECUTION},
    )
    usage = Usage(**{name: runs[name] for name in ("input_tokens", "output_tokens", "cost_usd")})
    return ListedThread(
        thread=thread,
        execution=execution,
        head=row["head"],
        footing=Footing(
            total=lengths.get(thread.definition_id),
            progress=row["head_progress"],
            execution_id=known["head_execution_id"],
            ended=runs["ended"],
        ),
        open=open_runs,
        open_more=max(0, runs["open"] - len(open_runs)),
        usage=usage if runs["spent"] and runs["looked"] < _MOST_RUNS else None,
    )


_IDS: Final = frozenset(
    {"definition_id", "execution_id", "incarnation_id", "parent_run_id", "workflow_id", "head_execution_id"}
)
