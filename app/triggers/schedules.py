"""Makes the firings of schedules that are due, in each process beside the others: claim, decide, write, start, note, let go.

A firing is written as `starting` before its thread is started, under an id derived from schedule and time: after a crash
anywhere, whoever claims the schedule next finds it and starts the same thread, or finds that it is there.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.schedule_plan import decide
from app.domain.schedules import Outcome, Tally
from app.engine.pulse import Pulse
from app.triggers.awaited import Awaited
from app.triggers.firing_batch import Batch, Handled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from app.domain.ports import Reads
    from app.domain.schedule_plan import Decision
    from app.domain.schedule_store import Claimed, ScheduleStore
    from app.domain.schedules import Firing, Schedule
    from app.engine.bus import Bus
    from app.triggers.firing import Starter

PAGE: Final = 100
"""Schedules that are claimed together."""
CLAIM: Final = 60.0
"""Seconds that a claim lasts at most; that of a process that is not there any more ends with its lease."""
_LOOK: Final = 1.0
"""Seconds after which it looks unasked: another process may have made or changed a schedule."""
_PACE: Final = 0.005
_LONGEST_PAUSE: Final = 5.0
_BATCHES: Final = 4
_TIDY: Final = 60.0
_TIDIED: Final = 1_000
_TRIM: Final = 50
"""Firings of a schedule after which those beyond the newest are deleted."""
_LATE: Final = timedelta(seconds=5)
"""From then on so many times may be due that they are reckoned in a thread."""
_log: Final = logging.getLogger(__name__)


class Scheduler:
    """One for the process; `owner` is its incarnation.  The newest `kept` firings of a schedule stay, for `days`."""

    def __init__(
        self, store: ScheduleStore, starter: Starter, reads: Reads, *, owner: str, kept: int, days: float
    ) -> None:
        self._store = store
        self._starter = starter
        self._owner = owner
        self._kept, self._days = kept, days
        self.tally = Tally()
        self.pulse = Pulse(_LOOK)
        self._news = asyncio.Event()
        self._until = 0.0
        """By the monotonic clock, when something is due as far as is known here."""
        self._room = asyncio.Semaphore(_BATCHES)
        self._pause = 0.0
        self._unsure = False
        """A claim may be ours without anybody working at it."""
        self._awaited = Awaited(reads, self._due_in)
        self._tidied = monotonic()
        self._made: dict[str, int] = {}

    def attach(self, bus: Bus) -> None:
        """Hear of threads that end."""
        self._awaited.attach(bus)

    def hint(self) -> None:
        """Something may be due now."""
        self._until = 0.0
        self._news.set()

    async def run(self) -> None:
        """Make what is due, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._turn(group)
                    self.pulse.beat()
                    await asyncio.sleep(self._pause or _PACE)
                    await self._wait()
        finally:
            try:
                async with asyncio.timeout(1.0):
                    await self._store.release(self._owner)
            except (Unavailable, TimeoutError):
                _log.debug("what was claimed here is free when the lease of this process is over")

    async def _wait(self) -> None:
        """Until something is due or new, for a second at most."""
        end = monotonic() + _LOOK
        while (left := min(self._until, end) - monotonic()) > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return

    # ---- a turn
    async def _turn(self, group: asyncio.TaskGroup) -> None:
        try:
            async with asyncio.timeout(_LOOK):
                await self._room.acquire()
        except TimeoutError:
            return  # all that may be done at once is being done
        taken = False
        try:
            await self._prepare()
            self._until = monotonic() + _LOOK
            claimed = await self._claim()
            self._plan_ahead(claimed)
            if claimed.schedules:
                group.create_task(self._work(claimed, monotonic()))
                taken = True
            await self._tidy()
        except Unavailable as error:
            _log.debug("schedules wait: %s", error)
            self._falter()
        except Exception:  # noqa: BLE001 - what cannot be done now must be done later, not left out
            _log.exception("schedules could not be looked at; they are again")
            self._falter()
        else:
            self._pause = 0.0
        finally:
            if not taken:
                self._room.release()

    async def _claim(self) -> Claimed:
        try:
            return await self._store.claim(self._owner, CLAIM, PAGE)
        except BaseException:
            self._unsure = True
            raise

    def _falter(self) -> None:
        self._pause = min(max(0.1, 2 * self._pause), _LONGEST_PAUSE)

    def _plan_ahead(self, claimed: Claimed) -> None:
        if len(claimed.schedules) == PAGE:
            self._until = 0.0
        elif claimed.next_in is not None:
            self._due_in(claimed.next_in)
        self.tally.next_at = None if claimed.next_in is None else monotonic() + claimed.next_in

    def _due_in(self, seconds: float) -> None:
        """Something is due in so many seconds."""
        at = monotonic() + seconds
        if at < self._until:
            self._until = at
            self._news.set()
        if self.tally.next_at is None or at < self.tally.next_at:
            self.tally.next_at = at

    async def _prepare(self) -> None:
        if self._unsure:
            self._unsure = False
            try:
                await self._store.release(self._owner)
            except BaseException:
                self._unsure = True
                raise
        await self._awaited.look()
        if freed := set(self._awaited.freed):
            await self._store.touch(freed)
            self._awaited.freed -= freed

    async def _tidy(self) -> None:
        if monotonic() - self._tidied > _TIDY and await self._store.tidy(self._days, _TIDIED) < _TIDIED:
            self._tidied = monotonic()
        for schedule_id in [one for one, made in self._made.items() if made >= _TRIM]:
            del self._made[schedule_id]
            await self._store.trim(schedule_id, self._kept, 10 * _TRIM)

    # ---- claimed schedules
    async def _work(self, claimed: Claimed, at: float) -> None:
        try:
            await self._make(claimed, at)
        except Unavailable as error:
            _log.debug("firings wait: %s", error)
            self._unsure = True
        except Exception:  # noqa: BLE001
            _log.exception("firings could not be made; they are tried again")
            self._unsure = True
            self._falter()
        finally:
            self._room.release()

    async def _make(self, claimed: Claimed, at: float) -> None:
        decisions = await self._decided(claimed)
        made = await self._store.settle([one.move for one in decisions])
        held = [one for one in decisions if one.move.schedule.id in made]
        batch = Batch(self._starter, claimed.now, at)
        for decision in held:
            schedule, added = decision.move.schedule, made[decision.move.schedule.id]
            self._count(decision, added)
            old = {one.fire_time for one in decision.move.made} - added
            batch.add(decision, [one for one in decision.start if one.fire_time not in old])
            if decision.move.look_at is not None and not decision.move.stays_claimed:
                self._due_in((decision.move.look_at - claimed.now).total_seconds() - (monotonic() - at))
            self._made[schedule.id] = self._made.get(schedule.id, 0) + len(added)
        await batch.run(lambda done: self._finish(done, claimed, at))
        await self._awaited.add([one for one in held if not one.move.stays_claimed], ())

    async def _decided(self, claimed: Claimed) -> list[Decision]:
        by_schedule: dict[str, list[Firing]] = {one.id: [] for one in claimed.schedules}
        for firing in await self._store.open_firings(by_schedule):
            by_schedule[firing.schedule_id].append(firing)

        def all_of_them() -> list[Decision]:
            found = (_decision(one, by_schedule[one.id], claimed.now) for one in claimed.schedules)
            return [one for one in found if one is not None]

        times = [one.next_fire_at for one in claimed.schedules if one.next_fire_at is not None]
        late = bool(times) and claimed.now - min(times) > _LATE
        return await asyncio.to_thread(all_of_them) if late else all_of_them()

    def _count(self, decision: Decision, added: Collection[object]) -> None:
        for one in decision.move.made:
            if one.fire_time in added and one.outcome is not Outcome.STARTING:
                self.tally.note(one.outcome, one.missed or 1)

    async def _finish(self, done: Sequence[Handled], claimed: Claimed, at: float) -> None:
        """Note what has come of firings, and let their schedules go."""
        results = [firing for one in done for firing in one.results]
        if results:
            await self._store.note(results)
        await self._store.let_go([(one.decision.move.schedule, one.look_at) for one in done])
        for one in done:
            if one.look_at is not None:
                self._due_in((one.look_at - claimed.now).total_seconds() - (monotonic() - at))
            for firing in one.results:
                if firing.outcome is not Outcome.STARTING:
                    self.tally.note(firing.outcome)
            for seconds in one.lateness:
                self.tally.lateness.note(seconds)
        await self._awaited.add([one.decision for one in done], results)


def _decision(schedule: Schedule, open_firings: Sequence[Firing], now: datetime) -> Decision | None:
    """None where none can be made, in a zone say that this machine does not know: that schedule stays claimed, others go on."""
    try:
        return decide(schedule, open_firings, now)
    except Exception:  # noqa: BLE001 - it must not hold up the others
        _log.exception("nothing can be decided about the schedule %s; it is tried again in %g s", schedule.name, CLAIM)
        return None
