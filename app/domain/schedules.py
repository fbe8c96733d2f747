"""Schedules: a workflow that is started again and again, what became of each firing, and the port of the store of both.

A firing is known by its schedule and its time, and so is the thread that it starts: whoever makes it, and however often, there
is one.  What is to be done is written before it is done, and the database's clock decides what is due.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain.histogram import Distribution
from app.domain.ids import derived_id
from app.domain.status import Status
from app.domain.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CATCHUP: Final = 3600.0
"""Seconds that a firing may be late at most and is still made, unless the schedule says otherwise."""
BUFFERED: Final = 1_000
"""Firings of a schedule that may wait for the end of another."""
BACKFILL: Final = 1_000
"""Firings that are made up for at once."""
MOST_MISSED: Final = 1_000
"""How far missed firings are counted."""
LATENESS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


class Overlap(StrEnum):
    """What becomes of a firing while a thread of the schedule has not ended; names and meanings are Temporal's."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    ALLOW = "allow"
    CANCEL_OTHER = "cancel_other"


class Kind(StrEnum):
    """Why there is a firing: its time came, somebody wanted it now, or it was made up for."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"


class Outcome(StrEnum):
    """What has become of a firing: it is `starting` from the moment of its decision until its thread is known to be there."""

    STARTING = "starting"
    STARTED = "started"
    BUFFERED = "buffered"
    SKIPPED = "skipped"
    MISSED = "missed"
    FAILED = "failed"


OPEN: Final = frozenset({Outcome.STARTING, Outcome.BUFFERED})
"""Something is still to be done."""
NOT_MADE: Final = frozenset({Outcome.SKIPPED, Outcome.MISSED, Outcome.FAILED})
"""No thread was started: it can be made up for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a schedule says.  `input` and `context` are templates over `schedule`; durations are in seconds."""

    timing: Timing
    workflow: str
    input: Any = None
    has_input: bool = False
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    queue: str | None = None
    priority: int | None = None
    overlap: Overlap = Overlap.SKIP
    catchup_window: float = CATCHUP
    max_firings: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A stored schedule.

    `revision` rises with each change by people, `rev` also when a process takes it up: who writes names the rev that it saw.
    `next_fire_at` is the time of the next firing, `next_due_at` that with its jitter: None while paused and when there is no
    more.  `since`: only times after it count (it was made, resumed, or given other times then).  `fired` counts the threads
    that its times have started.
    """

    id: str
    name: str
    plan: Plan
    paused: bool = False
    pause_reason: str | None = None
    revision: int = 1
    rev: int = 0
    since: datetime
    next_fire_at: datetime | None = None
    next_due_at: datetime | None = None
    last_fire_at: datetime | None = None
    fired: int = 0
    created_at: datetime
    updated_at: datetime

    @property
    def spent(self) -> bool:
        """Whether it has started as many threads as it may."""
        return self.plan.max_firings is not None and self.fired >= self.plan.max_firings

    def next_after(self, at: datetime) -> datetime | None:
        """Its next time after `at` that counts, unless it is paused or spent."""
        return None if self.paused or self.spent else self.plan.timing.after(max(at, self.since))

    def due(self, fire_time: datetime) -> datetime:
        """When the firing of a time is due."""
        return self.plan.timing.due(self.id, fire_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What became of one time of a schedule.

    `decided_at`: since when it has its outcome (of a thread that is starting: since when that is tried).  `overlap` is what
    counts in place of the schedule's own.  `missed`: so many times were, from this on, up to `until`.  `thread` is there once
    it has started, `thread_status` None when the thread is gone.
    """

    schedule_id: str
    fire_time: datetime
    kind: Kind = Kind.SCHEDULE
    outcome: Outcome
    due_at: datetime
    decided_at: datetime
    overlap: Overlap | None = None
    reason: str | None = None
    error: Mapping[str, Any] | None = None
    attempts: int = 0
    missed: int | None = None
    until: datetime | None = None
    started_at: datetime | None = None
    watched: bool = False
    """Whether others may have to wait for the end of its thread."""
    thread_status: Status | None = None

    @property
    def thread_id(self) -> str:
        """The thread that it starts, or would."""
        return derived_id("schedule", self.schedule_id, self.fire_time.astimezone(UTC).isoformat())

    @property
    def runs(self) -> bool:
        """Whether its thread was started and has not ended."""
        return self.outcome is Outcome.STARTED and self.thread_status in _NOT_ENDED


_NOT_ENDED: Final = frozenset({Status.PENDING, Status.RUNNING, Status.WAITING, Status.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Schedules that one process looks after for a while; `now` is the store's clock, `next_in` the seconds until others are due."""

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


@dataclass(slots=True)
class Tally:
    """What a process has made of firings: how many by outcome, how late they started, and in how long the next is due."""

    outcomes: dict[Outcome, int] = field(default_factory=dict[Outcome, int])
    lateness: Distribution = field(default_factory=lambda: Distribution(LATENESS))
    next_in: float | None = None

    def note(self, outcome: Outcome, count: int = 1) -> None:
        """Count a firing."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count


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
