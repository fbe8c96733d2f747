"""The starts of some claimed schedules: of one schedule one after the other, by time; of several side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.schedules import Kind, Outcome
from app.triggers.firing import backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.domain.schedule_plan import Decision
    from app.domain.schedules import Firing
    from app.triggers.firing import Starter

_AT_ONCE: Final = 32
_SLICE: Final = 0.25
"""Seconds after which what is done is noted, though others still go on."""
_BUDGET: Final = 20.0
"""Seconds after which no further start of a claim begins: they have to end while it lasts."""


@dataclass(slots=True)
class Handled:
    """What came of a schedule's starts, and when it is to be looked at again; `lateness` in seconds, of its own times."""

    decision: Decision
    look_at: datetime | None
    results: list[Firing] = field(default_factory=list["Firing"])
    lateness: list[float] = field(default_factory=list[float])


class Batch:
    """`now` was the store's clock at `at` by the monotonic one."""

    def __init__(self, starter: Starter, now: datetime, at: float) -> None:
        self._starter = starter
        self._now = now
        self._at = at
        self._work: list[tuple[Decision, Sequence[Firing]]] = []
        self._places = asyncio.Semaphore(_AT_ONCE)

    def add(self, decision: Decision, firings: Sequence[Firing]) -> None:
        """These are to be started."""
        if decision.move.stays_claimed:
            self._work.append((decision, firings))

    async def run(self, finish: Callable[[list[Handled]], Awaitable[None]]) -> None:
        """Start them, and `finish` what is done, some at a time.  Raises what `finish` raises, once all are done."""
        errors: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            pending = {group.create_task(self._start(*work)) for work in self._work}
            while pending:
                done, pending = await asyncio.wait(pending, timeout=_SLICE)
                try:
                    await finish([task.result() for task in done])
                except Exception as error:  # noqa: BLE001 - the others are started all the same
                    errors.append(error)
        if errors:
            raise errors[0]

    async def _start(self, decision: Decision, firings: Sequence[Firing]) -> Handled:
        found = Handled(decision, decision.move.look_at)
        async with self._places:
            again = await self._one_by_one(found, firings)
        if again is None and decision.buffered and not (decision.running or _any_started(found)):
            again = 0.0  # nothing runs that the next would have to wait for
        if again is not None:
            at = self._clock() + timedelta(seconds=again)
            found.look_at = at if found.look_at is None else min(at, found.look_at)
        return found

    async def _one_by_one(self, found: Handled, firings: Sequence[Firing]) -> float | None:
        """Start them; in how many seconds to go on, if that is not all."""
        decision = found.decision
        others = list(decision.running)
        promoted = {one.fire_time for one in decision.move.changed}
        for firing in firings:
            if monotonic() - self._at > _BUDGET:
                return 0.0
            result = await self._starter.start(decision.move.schedule, firing, others, self._clock())
            found.results.append(result)
            if result.outcome is Outcome.STARTING:
                return backoff(result.attempts)
            if result.outcome is Outcome.STARTED:
                others.append(firing.thread_id)
                if firing.kind is Kind.SCHEDULE and firing.fire_time not in promoted:
                    found.lateness.append(max(0.0, (self._clock() - firing.due_at).total_seconds()))
        return None

    def _clock(self) -> datetime:
        return self._now + timedelta(seconds=monotonic() - self._at)


def _any_started(found: Handled) -> bool:
    return any(one.outcome is Outcome.STARTED for one in found.results)
