"""What is to be done about a schedule now: which of its times are due, which firings start, wait, or are left out.

No I/O: the schedule as it was claimed, its open firings and the clock in, a Move out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from app.domain.schedule_store import Move
from app.domain.schedules import BUFFERED, MOST_MISSED, NOT_MADE, Firing, Kind, Outcome, Overlap, Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE: Final = 100
"""Times of a schedule that are decided together; the rest follows at once."""
POLL: Final = timedelta(seconds=15)
"""After which a schedule with buffered firings is looked at unasked."""
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A Move, and the firings to start, oldest first; `running` are the schedule's threads that have not ended, and `buffered`:
    firings wait for their end, and for that of those to be started.
    """

    move: Move
    start: Sequence[Firing]
    running: Sequence[str]
    buffered: bool


def decide(schedule: Schedule, open_firings: Sequence[Firing], now: datetime) -> Decision:
    """What is to be done now."""
    return _Desk(schedule, open_firings, now).decide()


def effective(schedule: Schedule, firing: Firing) -> Overlap:
    """The policy that counts for a firing."""
    return firing.overlap or schedule.plan.overlap


def watched(schedule: Schedule, overlap: Overlap | None) -> bool:
    """Whether others may have to wait for the thread of a firing."""
    return schedule.plan.overlap is not Overlap.ALLOW or overlap not in (None, Overlap.ALLOW)


@dataclass(slots=True)
class _Desk:
    schedule: Schedule
    open_firings: Sequence[Firing]
    now: datetime
    start: list[Firing] = field(default_factory=list[Firing])
    made: list[Firing] = field(default_factory=list[Firing])
    changed: list[Firing] = field(default_factory=list[Firing])
    running: list[Firing] = field(default_factory=list[Firing])
    buffered: list[Firing] = field(default_factory=list[Firing])

    def decide(self) -> Decision:
        self.start = [one for one in self.open_firings if one.outcome is Outcome.STARTING]
        self.running = [one for one in self.open_firings if one.runs]
        self.buffered = [one for one in self.open_firings if one.outcome is Outcome.BUFFERED]
        self._promote()
        after = self._take()
        waits = bool(self.buffered)
        times = [after.next_due_at, self.now + POLL if waits else None]
        look_at = min((one for one in times if one is not None), default=None)
        move = Move(
            schedule=after,
            made=self.made,
            changed=self.changed,
            closed=self._ended(),
            look_at=look_at,
            stays_claimed=bool(self.start),
        )
        running = [one.thread_id for one in self.running]
        return Decision(move=move, start=self.start, running=running, buffered=waits)

    @property
    def _busy(self) -> bool:
        return bool(self.start or self.running)

    def _promote(self) -> None:
        """Let the buffered firings start whose turn has come; those of the schedule's own times wait while it is paused."""
        for firing in list(self.buffered):
            held = self.schedule.paused and firing.kind is Kind.SCHEDULE
            if held or (self._busy and effective(self.schedule, firing) is not Overlap.ALLOW):
                continue
            self.buffered.remove(firing)
            started = replace(firing, outcome=Outcome.STARTING, decided_at=self.now, reason=None)
            self.changed.append(started)
            self.start.append(started)

    def _take(self) -> Schedule:
        """Decide about the times that are due; the schedule with the next one."""
        schedule = self._leave_out()
        due: list[datetime] = []
        at = schedule.next_fire_at
        while at is not None and len(due) < PAGE and schedule.due(at) <= self.now:
            due.append(at)
            at = schedule.next_after(at)
        taken = 0
        for number, fire_time in enumerate(due):
            if schedule.spent:
                at = None
                break
            firing = self._decided(fire_time, last=number == len(due) - 1)
            self.made.append(firing)
            taken += 1
            if firing.outcome in (Outcome.STARTING, Outcome.BUFFERED):
                schedule = replace(schedule, fired=schedule.fired + 1)
        at = None if schedule.spent else at
        return replace(
            schedule,
            next_fire_at=at,
            next_due_at=None if at is None else schedule.due(at),
            last_fire_at=due[taken - 1] if taken else schedule.last_fire_at,
        )

    def _leave_out(self) -> Schedule:
        """Pass over the times that are too late to be made, with one firing that tells of them all."""
        schedule, first = self.schedule, self.schedule.next_fire_at
        window = timedelta(seconds=schedule.plan.catchup_window + schedule.plan.timing.jitter)
        limit = self.now - window
        if first is None or first >= limit:
            return schedule
        count, at = 0, first
        last = first
        while at is not None and at < limit and count < MOST_MISSED:
            count, last, at = count + 1, at, schedule.next_after(at)
        if at is not None and at < limit:
            last, at = limit, schedule.next_after(limit - _MICROSECOND)
        self.made.append(
            Firing(
                schedule_id=schedule.id,
                fire_time=first,
                outcome=Outcome.MISSED,
                due_at=schedule.due(first),
                decided_at=self.now,
                missed=count,
                until=last,
                reason=f"nothing made it within the catch-up window of {schedule.plan.catchup_window:g} s",
            )
        )
        return replace(schedule, next_fire_at=at, last_fire_at=last)

    def _decided(self, fire_time: datetime, *, last: bool) -> Firing:
        outcome, reason = self._outcome(last=last)
        firing = Firing(
            schedule_id=self.schedule.id,
            fire_time=fire_time,
            outcome=outcome,
            due_at=self.schedule.due(fire_time),
            decided_at=self.now,
            reason=reason,
            watched=outcome not in NOT_MADE and watched(self.schedule, None),
        )
        if outcome is Outcome.STARTING:
            self.start.append(firing)
        elif outcome is Outcome.BUFFERED:
            self.buffered.append(firing)
        return firing

    def _outcome(self, *, last: bool) -> tuple[Outcome, str | None]:
        policy = self.schedule.plan.overlap
        if policy is Overlap.CANCEL_OTHER and not last:
            return Outcome.SKIPPED, "the next one was due as well"
        if policy in (Overlap.ALLOW, Overlap.CANCEL_OTHER) or not (self._busy or self.buffered):
            return Outcome.STARTING, None
        room = {Overlap.BUFFER_ONE: 1, Overlap.BUFFER_ALL: BUFFERED}.get(policy, 0)
        if len(self.buffered) < room:
            return Outcome.BUFFERED, self._because()
        return Outcome.SKIPPED, f"{self._because()}, and {room} wait" if room else self._because()

    def _because(self) -> str:
        others = [*self.running, *self.start] or self.buffered
        return f"thread {others[0].thread_id} has not ended"

    def _ended(self) -> list[datetime]:
        """Of those started, whose end is known; the last one is still looked at, for it may be resumed."""
        started = [one for one in self.open_firings if one.outcome is Outcome.STARTED]
        return [one.fire_time for one in started[:-1] if not one.runs]
