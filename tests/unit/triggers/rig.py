"""A service on the memory store with a log of messages, triggers, and those who follow both logs on their behalf."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain.ids import uuid7
from app.domain.messages import Message
from app.domain.times import utc_now
from app.domain.triggers import Outcome
from app.store.memory_events import MemoryEvents
from app.store.memory_followers import MemoryPlaces
from app.store.memory_messages import MemoryMessages
from app.store.memory_registry import MemoryRegistry
from app.store.memory_triggers import MemoryTriggers
from app.triggers.desk import TriggerDesk
from app.triggers.events import ThreadEvents
from app.triggers.follow import Follower
from app.triggers.starting import Begin
from app.triggers.triggers import Triggers
from app.triggers.waiting import Waiting
from tests.unit.engine.house import House, open_house, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.messages import Places
    from app.domain.triggers import Firing, Trigger

LONG = 3600.0


@dataclass
class Rig:
    """What a test needs of all that."""

    house: House
    book: MemoryMessages
    places: Places
    store: MemoryTriggers
    desk: TriggerDesk
    counts: Counter[tuple[str, str]]
    number: int = 0

    @property
    def starter(self) -> Any:
        """Who starts threads; a test may put something in its place."""
        return self.house.control

    async def trigger(self, name: str = "t", **fields: Any) -> Trigger:
        """Make one, on every topic of orders unless it says otherwise."""
        return (await self.desk.create(name, {"topic": "orders.*", "workflow": "handle", **fields}))[0]

    async def publish(self, data: Any = None, topic: str = "orders.new", **fields: Any) -> str:
        """The id of a message."""
        self.number += 1
        text = "null" if data is None else json.dumps(data)
        given = {"id": f"m{self.number}", "source": "/s", "type": "t", "time": utc_now(), "data_json": text, **fields}
        await self.book.publish([Message(topic=topic, **given)])
        return given["id"]

    def followers(self, places: Places | None = None, starter: Any = None, owner: str | None = None) -> list[Follower]:
        """Those of one process."""
        events = ThreadEvents(MemoryEvents(self.house.tables), self.house.reads)
        begin, held = Begin(starter or self.starter), places or self.places
        logs = {"triggers_messages": self.book, "triggers_events": events}
        name = owner or uuid7()
        return [
            Follower(each, log, Triggers(self.store, begin, self.counts), held, owner=name, lease=LONG)
            for each, log in logs.items()
        ]

    async def follow(self, **given: Any) -> None:
        """One process acts on all that there is, and lets go."""
        followers = self.followers(**given)
        for follower in followers:
            while await follower._turn():
                pass
        for follower in followers:
            await self.places.release(follower.name, follower._owner)

    async def wait(self, starter: Any = None) -> bool:
        """Try what waits once."""
        return await Waiting(self.store, Begin(starter or self.starter), self.counts).turn()

    async def firings(self, name: str = "t", outcome: Outcome | None = None) -> list[Firing]:
        """Newest first."""
        return await self.desk.firings(name, outcome=outcome, before=None, limit=1000)

    async def outcomes(self, name: str = "t") -> Counter[str]:
        """How many there are of each."""
        return Counter(one.outcome.value for one in await self.firings(name))

    def inputs(self) -> list[str]:
        """The inputs of all threads that triggers have started, as JSON text."""
        executions = self.house.tables.executions.values()
        return sorted(one.input or "" for one in executions if (one.triggered_by or "").startswith("trigger:"))


@asynccontextmanager
async def open_rig() -> AsyncGenerator[Rig]:
    """With the registered workflow `handle`, which echoes its input."""
    async with open_house() as house:
        places = MemoryPlaces(house.tables)
        book, store = MemoryMessages(house.tables, places), MemoryTriggers(house.tables)
        desk = TriggerDesk(store, MemoryRegistry(house.tables), house.control)
        await house.control.register({"name": "handle", "steps": [step("only", input="{input}")]})
        rig = Rig(house, book, places, store, desk, Counter())
        await rig.follow()  # whoever follows begins at the present end
        yield rig
