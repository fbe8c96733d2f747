"""Schedules and their firings in memory, of one process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.domain.schedule_store import Claimed, FiringFilter, ScheduleFilter, ScheduleStore
from app.domain.schedules import NOT_MADE, OPEN, Firing, Outcome, Schedule

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from app.domain.schedule_store import Move
    from app.store.memory_tables import MemoryTables


@dataclass(slots=True)
class _Row:
    schedule: Schedule
    look_at: datetime | None
    owner: str | None = None


class MemorySchedules(ScheduleStore):
    """See domain.schedule_store.ScheduleStore."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._rows: dict[str, _Row] = {}
        self._firings: dict[str, dict[datetime, Firing]] = {}

    async def now(self) -> datetime:
        """See ScheduleStore."""
        return self._tables.clock()

    async def create(self, schedule: Schedule) -> bool:
        """See ScheduleStore."""
        if await self.schedule(schedule.name) is not None:
            return False
        self._rows[schedule.id] = _Row(schedule, self._tables.clock())
        self._firings[schedule.id] = {}
        return True

    async def schedule(self, name: str) -> Schedule | None:
        """See ScheduleStore."""
        return next((row.schedule for row in self._rows.values() if row.schedule.name == name), None)

    async def schedules(self, where: ScheduleFilter) -> list[tuple[Schedule, Firing | None]]:
        """See ScheduleStore."""
        found = sorted((row.schedule for row in self._rows.values()), key=lambda one: one.name)
        wanted = [one for one in found if one.name > where.after and _wanted(where, one)][: where.limit]
        newest = FiringFilter(limit=1)
        return [(one, next(iter(await self.firings(one.id, newest)), None)) for one in wanted]

    async def change(self, schedule: Schedule) -> Schedule | None:
        """See ScheduleStore."""
        row = self._rows.get(schedule.id)
        if row is None or row.schedule.rev != schedule.rev:
            return None
        known, now = row.schedule, self._tables.clock()
        row.schedule = replace(
            schedule,
            revision=known.revision + 1,
            rev=known.rev + 1,
            last_fire_at=known.last_fire_at,
            fired=known.fired,
            updated_at=now,
        )
        row.look_at, row.owner = now, None
        return row.schedule

    async def delete(self, name: str) -> bool:
        """See ScheduleStore."""
        found = await self.schedule(name)
        if found is not None:
            del self._rows[found.id], self._firings[found.id]
        return found is not None

    async def request(self, schedule: Schedule, firings: Sequence[Firing]) -> list[Firing]:
        """See ScheduleStore."""
        row = self._rows.get(schedule.id)
        if row is None:
            return []
        self._claim_anew(row, None, self._tables.clock())
        kept = self._firings[schedule.id]
        written = [one for one in firings if one.fire_time not in kept or kept[one.fire_time].outcome in NOT_MADE]
        kept.update((one.fire_time, one) for one in written)
        return written

    async def known(self, schedule_id: str, fire_times: Collection[datetime]) -> list[Firing]:
        """See ScheduleStore."""
        kept = self._firings.get(schedule_id, {})
        return [self._seen(kept[at]) for at in sorted(fire_times) if at in kept]

    async def firings(self, schedule_id: str, where: FiringFilter) -> list[Firing]:
        """See ScheduleStore."""
        kept = self._firings.get(schedule_id, {}).values()
        found = sorted((one for one in kept if _meant(where, one)), key=lambda one: one.fire_time, reverse=True)
        return [self._seen(one) for one in found[: where.limit]]

    async def claim(self, owner: str, seconds: float, limit: int) -> Claimed:
        """See ScheduleStore; no other process is there to leave one behind."""
        now = self._tables.clock()
        due = sorted(
            ((row.look_at, row) for row in self._rows.values() if row.look_at is not None), key=lambda one: one[0]
        )
        rows = [row for look_at, row in due if look_at <= now][:limit]
        next_in = next(((look_at - now).total_seconds() for look_at, _ in due if look_at > now), None)
        for row in rows:
            self._claim_anew(row, owner, now + timedelta(seconds=seconds))
        return Claimed(now=now, schedules=[row.schedule for row in rows], next_in=next_in)

    async def open_firings(self, schedule_ids: Collection[str]) -> list[Firing]:
        """See ScheduleStore."""
        kept = [one for schedule_id in schedule_ids for one in self._firings.get(schedule_id, {}).values()]
        return sorted((self._seen(one) for one in kept if _open(one)), key=lambda one: one.fire_time)

    async def settle(self, moves: Sequence[Move]) -> dict[str, frozenset[datetime]]:
        """See ScheduleStore."""
        made: dict[str, frozenset[datetime]] = {}
        for move in moves:
            row = self._rows.get(move.schedule.id)
            if row is None or row.schedule.rev != move.schedule.rev:
                continue
            row.schedule = move.schedule
            if not move.stays_claimed:
                row.look_at, row.owner = move.look_at, None
            kept = self._firings[move.schedule.id]
            new = {one.fire_time: one for one in move.made if one.fire_time not in kept}
            kept.update(new)
            kept.update((one.fire_time, one) for one in move.changed if self._is(one, Outcome.BUFFERED))
            kept.update((at, replace(kept[at], watched=False)) for at in move.closed)
            made[move.schedule.id] = frozenset(new)
        return made

    async def note(self, firings: Sequence[Firing]) -> None:
        """See ScheduleStore."""
        now = self._tables.clock()
        for one in firings:
            if self._is(one, Outcome.STARTING):
                started_at = now if one.outcome is Outcome.STARTED else None
                self._firings[one.schedule_id][one.fire_time] = replace(one, started_at=started_at)

    async def let_go(self, schedules: Sequence[tuple[Schedule, datetime | None]]) -> None:
        """See ScheduleStore."""
        for schedule, look_at in schedules:
            row = self._rows.get(schedule.id)
            if row is not None and row.schedule.rev == schedule.rev:
                row.look_at, row.owner = look_at, None

    async def release(self, owner: str) -> None:
        """See ScheduleStore."""
        for row in self._rows.values():
            if row.owner == owner:
                self._claim_anew(row, None, self._tables.clock())

    async def touch(self, schedule_ids: Collection[str]) -> None:
        """See ScheduleStore."""
        for schedule_id in schedule_ids:
            row = self._rows.get(schedule_id)
            if row is not None and row.owner is None:
                row.look_at = self._tables.clock()

    async def tidy(self, days: float, limit: int) -> int:
        """See ScheduleStore."""
        before = self._tables.clock() - timedelta(days=days)
        kept = [one for firings in self._firings.values() for one in firings.values()]
        return self._drop([one for one in kept if one.decided_at < before and self._is_over(one)], limit)

    async def trim(self, schedule_id: str, keep: int, limit: int) -> int:
        """See ScheduleStore."""
        newest = sorted(self._firings.get(schedule_id, {}).values(), key=lambda one: one.fire_time, reverse=True)
        return self._drop([one for one in reversed(newest[keep:]) if not _open(one)], limit)

    def _drop(self, firings: Sequence[Firing], limit: int) -> int:
        for one in firings[:limit]:
            del self._firings[one.schedule_id][one.fire_time]
        return len(firings[:limit])

    def _is_over(self, firing: Firing) -> bool:
        return firing.outcome not in OPEN and not (firing.watched and self._seen(firing).runs)

    def _seen(self, firing: Firing) -> Firing:
        thread = self._tables.threads.get(firing.thread_id)
        return replace(firing, thread_status=None if thread is None else thread.status)

    def _is(self, firing: Firing, outcome: Outcome) -> bool:
        kept = self._firings.get(firing.schedule_id, {}).get(firing.fire_time)
        return kept is not None and kept.outcome is outcome

    @staticmethod
    def _claim_anew(row: _Row, owner: str | None, look_at: datetime) -> None:
        row.schedule = replace(row.schedule, rev=row.schedule.rev + 1)
        row.owner, row.look_at = owner, look_at


def _open(firing: Firing) -> bool:
    return firing.watched or firing.outcome in OPEN


def _wanted(where: ScheduleFilter, one: Schedule) -> bool:
    return where.workflow in (None, one.plan.workflow) and where.paused in (None, one.paused)


def _meant(where: FiringFilter, one: Firing) -> bool:
    return (
        where.outcome in (None, one.outcome)
        and where.kind in (None, one.kind)
        and (where.since is None or one.fire_time >= where.since)
        and (where.until is None or one.fire_time < where.until)
        and (where.before is None or one.fire_time < where.before)
    )
