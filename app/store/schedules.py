"""Schedules and their firings on PostgreSQL: claimed for a while under SKIP LOCKED; each later write demands that claim."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError, UnknownFormat
from app.domain.schedule_document import document, parse
from app.domain.schedule_store import Claimed, ScheduleStore
from app.domain.schedules import Firing, Kind, Outcome, Overlap, Schedule
from app.domain.status import Status
from app.store import db, queries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from asyncpg import Record

    from app.domain.schedule_store import FiringFilter, Move, ScheduleFilter

_log: Final = logging.getLogger(__name__)
_SQL: Final = queries.load("schedules")
_OPEN: Final = 3_000
"""Open firings of a schedule that are looked at together."""


class PostgresSchedules(ScheduleStore):
    """See domain.schedule_store.ScheduleStore."""

    def __init__(self, pool: db.Pool, tenant: str = "default") -> None:
        self._pool = pool
        self._tenant = tenant
        self._told: set[tuple[str, int]] = set()
        """Schedules that cannot be read, by id and revision, of which a word was said."""

    async def now(self) -> datetime:
        """See ScheduleStore."""
        return (await self._fetch("now"))[0]["now"]

    async def create(self, schedule: Schedule) -> bool:
        """See ScheduleStore."""
        plan = jsontext.dumps(document(schedule.plan))
        told = (plan, schedule.plan.workflow, schedule.paused, schedule.pause_reason, schedule.since)
        times = (schedule.next_fire_at, schedule.next_due_at, schedule.created_at)
        return bool(await self._fetch("create", self._tenant, schedule.id, schedule.name, *told, *times))

    async def schedule(self, name: str) -> Schedule | None:
        """See ScheduleStore."""
        rows = await self._fetch("schedule", self._tenant, name)
        return _schedule(rows[0]) if rows else None

    async def schedules(self, where: ScheduleFilter) -> list[tuple[Schedule, Firing | None]]:
        """See ScheduleStore."""
        given = (("workflow = $", where.workflow), ("paused = $", where.paused))
        found: list[tuple[Schedule, Firing | None]] = []
        while True:  # in the place of what cannot be read comes what follows
            left = where.limit - len(found)
            query, values = queries.filtered(_SQL["schedules"], given, self._tenant, where.after, left)
            rows = await self._run(query, *values)
            read = [(self._read(row), None if row["schedule_id"] is None else _firing(row)) for row in rows]
            found += [(schedule, firing) for schedule, firing in read if schedule is not None]
            if len(found) == where.limit or len(rows) < left:
                return found
            where = replace(where, after=rows[-1]["name"])

    async def change(self, schedule: Schedule) -> Schedule | None:
        """See ScheduleStore."""
        plan = jsontext.dumps(document(schedule.plan))
        told = (plan, schedule.plan.workflow, schedule.paused, schedule.pause_reason, schedule.since)
        times = (schedule.next_fire_at, schedule.next_due_at)
        rows = await self._fetch("change", schedule.id, schedule.rev, *told, *times)
        return _schedule(rows[0]) if rows else None

    async def delete(self, name: str) -> bool:
        """See ScheduleStore."""
        return bool(await self._fetch("delete", self._tenant, name))

    async def request(self, schedule: Schedule, firings: Sequence[Firing]) -> list[Firing]:
        """See ScheduleStore."""
        return [_firing(row) for row in await self._fetch("request", schedule.id, _written(firings))]

    async def known(self, schedule_id: str, fire_times: Collection[datetime]) -> list[Firing]:
        """See ScheduleStore."""
        return [_firing(row) for row in await self._fetch("known", schedule_id, list(fire_times))]

    async def firings(self, schedule_id: str, where: FiringFilter) -> list[Firing]:
        """See ScheduleStore."""
        given = (
            ("f.outcome = $", where.outcome and where.outcome.value),
            ("f.kind = $", where.kind and where.kind.value),
            ("f.fire_time >= $", where.since),
            ("f.fire_time < $", where.until),
            ("f.fire_time < $", where.before),
        )
        query, values = queries.filtered(_SQL["firings"], given, schedule_id, where.limit)
        return [_firing(row) for row in await self._run(query, *values)]

    async def claim(self, owner: str, seconds: float, limit: int) -> Claimed:
        """See ScheduleStore."""
        rows = await self._fetch("claim", owner, seconds, limit)
        read = [self._read(row) for row in rows if row["id"] is not None]
        taken = [schedule for schedule in read if schedule is not None]
        return Claimed(now=rows[0]["now"], schedules=taken, next_in=rows[0]["next_in"])

    async def open_firings(self, schedule_ids: Collection[str]) -> list[Firing]:
        """See ScheduleStore."""
        return [_firing(row) for row in await self._fetch("open_firings", list(schedule_ids), _OPEN)]

    async def settle(self, moves: Sequence[Move]) -> dict[str, frozenset[datetime]]:
        """See ScheduleStore."""
        rows = await self._fetch(
            "settle",
            jsontext.dumps([_moved(move) for move in moves]),
            _written(firing for move in moves for firing in move.made),
            _written(firing for move in moves for firing in move.changed),
            jsontext.dumps(
                [{"schedule_id": move.schedule.id, "fire_time": at.isoformat()} for move in moves for at in move.closed]
            ),
        )
        made: dict[str, set[datetime]] = {}
        for row in rows:
            made.setdefault(str(row["id"]), set()).update([row["fire_time"]] if row["fire_time"] else [])
        return {schedule_id: frozenset(times) for schedule_id, times in made.items()}

    async def note(self, firings: Sequence[Firing]) -> None:
        """See ScheduleStore."""
        await self._fetch("note", _written(firings))

    async def let_go(self, schedules: Sequence[tuple[Schedule, datetime | None]]) -> None:
        """See ScheduleStore."""
        told = [{"id": one.id, "rev": one.rev, "look_at": _iso(look_at)} for one, look_at in schedules]
        await self._fetch("let_go", jsontext.dumps(told))

    async def release(self, owner: str) -> None:
        """See ScheduleStore."""
        await self._fetch("release", owner)

    async def touch(self, schedule_ids: Collection[str]) -> None:
        """See ScheduleStore."""
        await self._fetch("touch", list(schedule_ids))

    async def tidy(self, days: float, limit: int) -> int:
        """See ScheduleStore."""
        return len(await self._fetch("tidy", days, limit))

    async def trim(self, schedule_id: str, keep: int, limit: int) -> int:
        """See ScheduleStore."""
        return len(await self._fetch("trim", schedule_id, keep, limit))

    def _read(self, row: Record) -> Schedule | None:
        """None, with a word in the log, for one that cannot be read: it must hold up no other."""
        try:
            return _schedule(row)
        except UnknownFormat as error:
            known = str(row["id"]), row["revision"]
            if known not in self._told:
                self._told.add(known)
                _log.error("%s", error)
            return None

    async def _fetch(self, name: str, *arguments: Any) -> list[Record]:
        return await self._run(_SQL[name], *arguments)

    async def _run(self, query: str, *arguments: Any) -> list[Record]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _schedule(row: Any) -> Schedule:
    """Raises UnknownFormat for what was not written by this release, or not by any."""
    try:
        plan = parse(jsontext.loads(row["plan"]))
    except (AttributeError, KeyError, TypeError, ValueError, JsonError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UnknownFormat(f"the schedule {row['name']} cannot be read, and does nothing: {why}") from error
    names = (
        "name",
        "paused",
        "pause_reason",
        "revision",
        "rev",
        "since",
        "next_fire_at",
        "next_due_at",
        "last_fire_at",
    )
    told: dict[str, Any] = {name: row[name] for name in (*names, "fired", "created_at", "updated_at")}
    return Schedule(id=str(row["id"]), plan=plan, **told)


def _firing(row: Any) -> Firing:
    names = ("fire_time", "due_at", "decided_at", "reason", "attempts", "missed", "until", "started_at", "watched")
    told: dict[str, Any] = {name: row[name] for name in names}
    status = row.get("thread_status")
    return Firing(
        schedule_id=str(row["schedule_id"]),
        kind=Kind(row["kind"]),
        outcome=Outcome(row["outcome"]),
        overlap=None if row["overlap"] is None else Overlap(row["overlap"]),
        error=None if row["error"] is None else jsontext.loads(row["error"]),
        thread_status=None if status is None else Status(status),
        **told,
    )


def _written(firings: Iterable[Firing]) -> str:
    """Firings as the statements take them."""
    return jsontext.dumps(
        [
            {
                "schedule_id": one.schedule_id,
                "fire_time": one.fire_time.isoformat(),
                "kind": one.kind.value,
                "outcome": one.outcome.value,
                "due_at": one.due_at.isoformat(),
                "decided_at": one.decided_at.isoformat(),
                "overlap": None if one.overlap is None else one.overlap.value,
                "reason": one.reason,
                "error": None if one.error is None else jsontext.dumps(dict(one.error)),
                "attempts": one.attempts,
                "missed": one.missed,
                "until": _iso(one.until),
                "thread": one.thread_id,
                "watched": one.watched,
            }
            for one in firings
        ]
    )


def _moved(move: Move) -> dict[str, Any]:
    schedule = move.schedule
    return {
        "id": schedule.id,
        "rev": schedule.rev,
        "next_fire_at": _iso(schedule.next_fire_at),
        "next_due_at": _iso(schedule.next_due_at),
        "last_fire_at": _iso(schedule.last_fire_at),
        "fired": schedule.fired,
        "look_at": _iso(move.look_at),
        "stays": move.stays_claimed,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
