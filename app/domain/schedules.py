"""Schedules: a workflow that is started again and again, and what became of each firing.

A firing is known by its schedule and its time, and so is the thread that it starts: whoever makes it, and however often, there
is one.  What is to be done is written before it is done, and the database's clock decides what is due.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from app.domain.histogram import Distribution
from app.domain.ids import derived_id
from app.domain.status import Status
from app.domain.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(slots=True)
class Tally:
    """What a process has made of firings: how many by outcome, how late they started, and when the next is due, as far as it
    knows, by the monotonic clock.
    """

    outcomes: dict[Outcome, int] = field(default_factory=dict[Outcome, int])
    lateness: Distribution = field(default_factory=lambda: Distribution(LATENESS))
    next_at: float | None = None

    def note(self, outcome: Outcome, count: int = 1) -> None:
        """Count a firing."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
