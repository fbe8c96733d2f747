"""What people ask of schedules: make, change, pause, resume and delete them, run one now, make up for what was not fired."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import Conflict, InvalidRequest, InvalidSchedule, NotFound, Problem, Unavailable
from app.domain.ids import uuid7
from app.domain.schedule_document import document, plan_of
from app.domain.schedule_plan import watched
from app.domain.schedules import BACKFILL, NOT_MADE, Firing, Kind, Outcome, Overlap, Schedule
from app.triggers.schedule_check import check_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from app.domain.registry import Registry
    from app.domain.schedule_store import FiringFilter, ScheduleFilter, ScheduleStore
    from app.domain.schedules import Plan
    from app.domain.timing import Timing
    from app.engine.control import Control
    from app.triggers.firing import Starter

_TRIES: Final = 20
_FITTED: Final = ("workflow", "input", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What a backfill has asked for, or would: `asked` are the firings to be made, `there` those that were made already."""

    asked: Sequence[Firing]
    there: Sequence[Firing]


class Schedules:
    """One for the service.  `hint` is called when something may be due."""

    def __init__(
        self, store: ScheduleStore, registry: Registry, control: Control, starter: Starter, hint: Callable[[], None]
    ) -> None:
        self._store = store
        self._registry = registry
        self._control = control
        self._starter = starter
        self._hint = hint

    # ---- look
    async def find(self, name: str) -> Schedule:
        """One by name.  Raises NotFound, Unavailable."""
        found = await self._store.schedule(name) if "\0" not in name else None
        if found is None:
            raise NotFound(f"there is no schedule {name[:200]!r}", code="schedule_not_found")
        return found

    async def listed(self, where: ScheduleFilter) -> list[tuple[Schedule, Firing | None]]:
        """Some, by name, each with its last firing.  Raises Unavailable."""
        return await self._store.schedules(where)

    async def firings(self, name: str, where: FiringFilter) -> list[Firing]:
        """What became of its times, newest first.  Raises NotFound, Unavailable."""
        return await self._store.firings((await self.find(name)).id, where)

    async def upcoming(self, timing: Timing, count: int, after: datetime | None = None) -> list[datetime]:
        """The next times of what fires like that.  Raises Unavailable."""
        at = await self._store.now() if after is None else after
        found: list[datetime] = []
        while len(found) < count and (following := timing.after(at)) is not None:
            found.append(following)
            at = following
        return found

    # ---- make and change
    async def create(self, name: str, value: Mapping[str, Any], *, paused: bool = False) -> tuple[Schedule, bool]:
        """Make one of a document; whether it is new: the same again is left as it is.

        Raises InvalidSchedule, Conflict (schedule_exists), Unavailable.
        """
        plan, now = plan_of(value), await self._store.now()
        schedule = _next(
            Schedule(id=uuid7(), name=name, plan=plan, paused=paused, since=now, created_at=now, updated_at=now), now
        )
        if plan.timing.after(now) is None:
            raise InvalidSchedule([Problem("", "it never fires: no time of it lies ahead")])
        await check_fit(schedule, self._registry, self._control)
        if await self._store.create(schedule):
            self._hint()
            return schedule, True
        known = await self.find(name)
        if jsontext.dumps(document(known.plan)) != jsontext.dumps(document(plan)):
            raise Conflict(f"there is a schedule {name} that says something else", code="schedule_exists")
        return known, False

    async def change(self, name: str, fields: Mapping[str, Any], expected: int | None = None) -> Schedule:
        """Change these fields of its document, None: as usual; the rest stays.

        Raises NotFound, InvalidSchedule, Conflict (version_conflict), Unavailable.
        """

        async def changed(known: Schedule, now: datetime) -> Schedule:
            plan = plan_of(_merged(known.plan, fields))
            schedule = replace(known, plan=plan)
            before, after = document(known.plan), document(plan)
            if plan.timing != known.plan.timing or (known.next_fire_at is None and not known.paused):
                schedule = _next(schedule, now)
            elif known.next_fire_at is not None:
                schedule = replace(schedule, next_due_at=schedule.due(known.next_fire_at))
            if schedule.spent:
                schedule = replace(schedule, next_fire_at=None, next_due_at=None)
            if any(before.get(one) != after.get(one) for one in _FITTED):
                await check_fit(schedule, self._registry, self._control)
            return schedule

        return await self._change(name, changed, expected)

    async def pause(self, name: str, reason: str | None = None) -> Schedule:
        """Make none of its times until it is resumed.  Raises NotFound, Unavailable."""

        async def paused(known: Schedule, _: datetime) -> Schedule:
            return replace(known, paused=True, pause_reason=reason, next_fire_at=None, next_due_at=None)

        return await self._change(name, paused)

    async def resume(self, name: str) -> Schedule:
        """Go on with its times from now on; those meanwhile are left out.  Raises NotFound, Unavailable."""

        async def resumed(known: Schedule, now: datetime) -> Schedule:
            return _next(replace(known, paused=False, pause_reason=None), now) if known.paused else known

        return await self._change(name, resumed)

    async def delete(self, name: str) -> None:
        """Take it away with its firings; their threads stay.  Raises NotFound, Unavailable."""
        await self.find(name)
        await self._store.delete(name)

    # ---- fire
    async def run(self, name: str) -> Firing:
        """Fire now, whatever else runs and whether it is paused; what came of it so far.  Raises NotFound, Unavailable."""
        schedule, now = await self.find(name), await self._store.now()
        firing = Firing(
            schedule_id=schedule.id,
            fire_time=now,
            kind=Kind.MANUAL,
            outcome=Outcome.STARTING,
            due_at=now,
            decided_at=now,
            overlap=Overlap.ALLOW,
            watched=watched(schedule, Overlap.ALLOW),
        )
        if not await self._store.request(schedule, [firing]):
            await self.find(name)
            raise Unavailable(f"schedule {name} is fired at this very moment", retry_after=1)
        self._hint()
        # Whoever claims the schedule may start it as well: it is one thread.
        result = await self._starter.start(schedule, firing, (), now)
        await self._store.note([result])
        return next(iter(await self._store.known(schedule.id, [now])), result)

    async def backfill(
        self, name: str, first: datetime, last: datetime, *, overlap: Overlap, dry_run: bool = False
    ) -> Backfill:
        """Make its times from `first` to `last` that nothing was started for.  Raises NotFound, InvalidRequest, Unavailable."""
        schedule, now = await self.find(name), await self._store.now()
        _check_span(first, last, now)
        times = await asyncio.to_thread(lambda: list(islice(schedule.plan.timing.between(first, last), BACKFILL + 1)))
        if len(times) > BACKFILL:
            raise _refused("/to", f"more than {BACKFILL:,} times: ask for them in parts, the first up to {times[-2]}")
        known = {one.fire_time: one for one in await self._store.known(schedule.id, times)}
        asked = [
            Firing(
                schedule_id=schedule.id,
                fire_time=at,
                kind=Kind.BACKFILL,
                outcome=Outcome.STARTING if overlap is Overlap.ALLOW else Outcome.BUFFERED,
                due_at=at,
                decided_at=now,
                overlap=overlap,
                watched=watched(schedule, overlap),
            )
            for at in times
            if at not in known or known[at].outcome in NOT_MADE
        ]
        if asked and not dry_run:
            asked = await self._store.request(schedule, asked)
            self._hint()
        made = {one.fire_time for one in asked}
        return Backfill(asked=asked, there=[one for at, one in sorted(known.items()) if at not in made])

    async def _change(self, name: str, decide: Any, expected: int | None = None) -> Schedule:
        """Change what is there now, again when it is claimed or changed in between."""
        for _ in range(_TRIES):
            known, now = await self.find(name), await self._store.now()
            if expected is not None and known.revision != expected:
                told = f"schedule {name} is in revision {known.revision}, not {expected}"
                raise Conflict(told, code="version_conflict")
            wanted = await decide(known, now)
            if wanted == known:
                return known
            stored = await self._store.change(wanted)
            if stored is not None:
                self._hint()
                return stored
        raise Unavailable(f"schedule {name} changes all the time", retry_after=1)


def _next(schedule: Schedule, now: datetime) -> Schedule:
    """From now on its times count as they are; one that is due and not made yet still is."""
    due = schedule.next_due_at is not None and schedule.next_due_at <= now
    schedule = replace(schedule, since=now)
    at = schedule.next_fire_at if due else schedule.next_after(now)
    return replace(schedule, next_fire_at=at, next_due_at=None if at is None else schedule.due(at))


def _merged(plan: Plan, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The document with some fields changed; `cron` and `every` take each other's place."""
    known = document(plan)
    if fields.get("every") is not None and "cron" not in fields:
        known = {name: each for name, each in known.items() if name not in ("cron", "timezone")}
    if fields.get("cron") is not None and "every" not in fields:
        known.pop("every", None)
    return {name: each for name, each in {**known, **fields}.items() if each is not None or name == "input"}


def _check_span(first: datetime, last: datetime, now: datetime) -> None:
    if last < first:
        raise _refused("/to", "lies before `from`")
    if last > now + timedelta(seconds=1):
        raise _refused("/to", "lies in the future: what is to come is fired in time")


def _refused(pointer: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{pointer}: {message}", code="invalid_backfill", problems=[Problem(pointer, message)])
