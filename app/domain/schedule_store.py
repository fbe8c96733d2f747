"""The port of the store of schedules and their firings: what a process claims, decides, and writes under that claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from app.domain.schedules import Firing, Kind, Outcome, Schedule

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Schedules that one process looks after for a while; `now` is the store's clock, others are due in `next_in` seconds."""

    now: datetime
    schedules: Sequence[Schedule]
    next_in: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What was decided about a claimed schedule: `made` are new firings, `changed` those that were buffered, `closed` the times
    of those whose threads nobody has to wait for any more.

    `look_at`: when to look again if nothing is to be started; until then, or until that is done, it stays claimed.
    """

    schedule: Schedule
    made: Sequence[Firing] = ()
    changed: Sequence[Firing] = ()
    closed: Sequence[datetime] = ()
    look_at: datetime | None = None
    stays_claimed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringFilter:
    """Which firings of a schedule, newest first; `before` is the time of the last one seen."""

    outcome: Outcome | None = None
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: datetime | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFilter:
    """Which schedules, by name, after a name."""

    workflow: str | None = None
    paused: bool | None = None
    after: str = ""
    limit: int = 50


class ScheduleStore(Protocol):
    """Schedules and their firings.  All raise Unavailable."""

    async def now(self) -> datetime:
        """The store's clock."""
        ...

    async def create(self, schedule: Schedule) -> bool:
        """Store a new one, due to be looked at at once; False when its name is taken."""
        ...

    async def schedule(self, name: str) -> Schedule | None:
        """One by name."""
        ...

    async def schedules(self, where: ScheduleFilter) -> list[tuple[Schedule, Firing | None]]:
        """Some, by name, each with its last firing."""
        ...

    async def change(self, schedule: Schedule) -> Schedule | None:
        """Write what people say of it, and its next time, if its `rev` is still that; None if not.

        Its revision rises, whoever looks after it loses it, and it is looked at at once.
        """
        ...

    async def delete(self, name: str) -> bool:
        """Take it away with its firings; their threads stay.  False when there is none."""
        ...

    async def request(self, schedule: Schedule, firings: Sequence[Firing]) -> list[Firing]:
        """Add firings that somebody asks for, and have the schedule looked at at once; those that were written.

        One that is there already is left alone, unless nothing was started for it (NOT_MADE): then it is to be done now.
        """
        ...

    async def known(self, schedule_id: str, fire_times: Collection[datetime]) -> list[Firing]:
        """The firings of these times that there are."""
        ...

    async def firings(self, schedule_id: str, where: FiringFilter) -> list[Firing]:
        """What became of its times, newest first, with the status of each thread."""
        ...

    # ---- for who makes the firings
    async def claim(self, owner: str, seconds: float, limit: int) -> Claimed:
        """Look after up to `limit` schedules that are to be looked at by now, or whose owner is no serving process any more.

        For so many seconds nobody else does, and each has another `rev`.
        """
        ...

    async def open_firings(self, schedule_ids: Collection[str]) -> list[Firing]:
        """Their firings that are to be started, that wait, and those started that others may have to wait for; by time.

        At most some thousand of each schedule.
        """
        ...

    async def settle(self, moves: Sequence[Move]) -> dict[str, frozenset[datetime]]:
        """Write what was decided: all of a schedule that is still as it was claimed, nothing of another.

        Which times were added, by schedule: a firing that was there already is left alone.
        """
        ...

    async def note(self, firings: Sequence[Firing]) -> None:
        """What became of firings that were starting."""
        ...

    async def let_go(self, schedules: Sequence[tuple[Schedule, datetime | None]]) -> None:
        """They are done with for now, and to be looked at again at these times; not if they are claimed anew."""
        ...

    async def release(self, owner: str) -> None:
        """Others may look after all that this one does."""
        ...

    async def touch(self, schedule_ids: Collection[str]) -> None:
        """Have them looked at now."""
        ...

    async def tidy(self, days: float, limit: int) -> int:
        """Delete up to `limit` firings that were decided longer ago and are over; how many."""
        ...

    async def trim(self, schedule_id: str, keep: int, limit: int) -> int:
        """Delete up to `limit` of a schedule's firings that are over, beyond the newest `keep`; how many."""
        ...
