"""Schedules on an engine in memory: schedulers that a test starts, cuts off and lets die, and the clock of their store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.schedule_store import FiringFilter
from app.domain.schedules import OPEN, Firing
from app.store.memory_schedules import MemorySchedules
from app.triggers.firing import Starter
from app.triggers.schedule_desk import Schedules
from app.triggers.schedules import Scheduler
from tests.unit.engine.house import PATIENCE, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from app.domain.schedules import Schedule
    from tests.unit.engine.house import House

NOON = datetime(2026, 2, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Cut:
    """The store, or the control, as one process reaches it: after a call to the method that is named, nothing passes any more;
    with `before`, that call does not either.
    """

    def __init__(self, inner: Any, at: str | None = None, *, before: bool = False) -> None:
        self._inner = inner
        self._at, self._before = at, before
        self.reached = asyncio.Event()
        self.others: list[Cut] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **more: Any) -> Any:
            if self.reached.is_set():
                raise Unavailable("cut off")
            if name == self._at and self._before:
                self.cut()
            answer = await getattr(self._inner, name)(*arguments, **more)
            if name == self._at:
                self.cut()
            return answer

        return call

    def cut(self) -> None:
        self.reached.set()
        for other in self.others:
            other.reached.set()
        if self._before or self._at is None:
            raise Unavailable("cut off")


class Workshop:
    """One engine, one store of schedules; `at` is its clock."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.at = NOON + timedelta(milliseconds=500)
        house.tables.clock = lambda: self.at
        self.store = MemorySchedules(house.tables)
        self.running: list[Scheduler] = []
        starter = Starter(house.control)
        registry: Any = house.catalog._registry
        self.desk = Schedules(self.store, registry, house.control, starter, self.hint)

    async def register(self, *steps: dict[str, Any], name: str = "w", **parts: Any) -> None:
        await self.house.control.register({"name": name, "steps": list(steps) or [step("a")], **parts})

    async def make(self, **parts: Any) -> Schedule:
        """A schedule of each minute."""
        value: dict[str, Any] = {"every": 60.0, "workflow": "w", **parts}
        return (await self.desk.create(value.pop("name", "s"), value))[0]

    def hint(self) -> None:
        for one in self.running:
            one.hint()

    def go_on(self, seconds: float) -> None:
        """Time goes by."""
        self.at += seconds * SECOND
        self.hint()

    @asynccontextmanager
    async def scheduler(self, store: Any = None, control: Any = None) -> AsyncGenerator[Scheduler]:
        """One process's."""
        house = self.house
        made = Scheduler(
            store or self.store, Starter(control or house.control), house.reads, owner=uuid7(), kept=1000, days=30
        )
        made.attach(house.bus)
        self.running.append(made)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            self.running.remove(made)
            task.cancel()
            await asyncio.wait([task])

    async def firings(self, name: str = "s", **where: Any) -> list[Firing]:
        return (await self.desk.firings(name, FiringFilter(limit=1000, **where)))[::-1]

    async def outcomes(self, name: str = "s") -> list[str]:
        return [one.outcome.value for one in await self.firings(name)]

    async def until(self, condition: Callable[[list[Firing]], Any], name: str = "s") -> list[Firing]:
        """The firings, once they are so."""
        async with asyncio.timeout(PATIENCE):
            while not condition(found := await self.firings(name)):
                self.hint()
                await asyncio.sleep(0.001)
        return found

    async def settled(self, count: int, name: str = "s") -> list[Firing]:
        """So many firings, nothing to be done for any."""
        return await self.until(
            lambda found: len(found) >= count and not any(one.outcome in OPEN for one in found), name
        )

    def threads(self) -> list[str]:
        """All that there are of schedules."""
        found = self.house.tables.executions.values()
        return [one.thread_id for one in found if (one.triggered_by or "").startswith("schedule:")]
