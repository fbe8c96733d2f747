"""Wires what sets threads going, or on, from outside of a request: those who follow events and messages, and what they need."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.bootstrap.webhooks import disabled_told, open_webhooks
from app.triggers.desk import TriggerDesk
from app.triggers.events import ThreadEvents
from app.triggers.firing import Starter
from app.triggers.follow import Follower
from app.triggers.publishing import Publisher
from app.triggers.schedule_desk import Schedules
from app.triggers.schedules import Scheduler
from app.triggers.starting import Begin
from app.triggers.triggers import Triggers
from app.triggers.upkeep import Upkeep
from app.triggers.waiting import Waiting
from app.triggers.waits import CatchUp, MessageGiver

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from app.bootstrap.stores import Store
    from app.bootstrap.webhooks import Webhooks
    from app.domain.messages import Consumer, Log
    from app.engine.bus import Bus
    from app.engine.control import Control
    from app.engine.pulse import Pulse
    from app.engine.waits import Waits
    from app.settings import Settings


@dataclass(slots=True, kw_only=True)
class Reach:
    """What is wired; it is set going with the engine, after the worker, and ends before it."""

    followers: list[Follower]
    scheduler: Scheduler
    schedules: Schedules
    webhooks: Webhooks
    publisher: Publisher
    triggers: TriggerDesk
    waiting: Waiting
    upkeep: Upkeep
    catch_up: CatchUp
    firings: Counter[tuple[str, str]]
    """What came of messages, by the trigger's name and outcome."""

    async def open(self) -> None:
        """Before anything can be asked of the service: nothing that comes then is passed over.  Raises Unavailable."""
        for follower in self.followers:
            await follower.open()

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """The background work."""
        works = (*self.followers, self.scheduler, self.waiting, self.upkeep, self.catch_up)
        return [*(work.run() for work in works), *self.webhooks.runs()]

    def pulses(self) -> dict[str, Pulse]:
        """Of each loop, by its name in the health."""
        followers = {f"follow_{follower.name}": follower.pulse for follower in self.followers}
        others = {
            "schedules": self.scheduler,
            "triggers_waiting": self.waiting,
            "messages": self.upkeep,
            "waits": self.catch_up,
        }
        return {**followers, **{name: work.pulse for name, work in others.items()}, **self.webhooks.pulses()}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What it works with; `process` is this one's incarnation."""

    settings: Settings
    store: Store
    control: Control
    bus: Bus
    waits: Waits
    process: str


def open_reach(world: World) -> Reach:
    """All its parts, not yet going."""
    store, firings = world.store, Counter[tuple[str, str]]()
    begin, starter = Begin(world.control), Starter(world.control)
    scheduler, webhooks = _scheduler(world, starter), open_webhooks(world.settings, world.store, world.process)
    followers = _followers(
        world,
        events={
            "webhooks": webhooks.deliverer,
            "triggers": Triggers(store.triggers, begin, firings),
            "waits": MessageGiver(world.waits, own=True),
        },
        messages={
            "webhooks": webhooks.publisher,
            "triggers": Triggers(store.triggers, begin, firings),
            "waits": MessageGiver(world.waits, own=False),
        },
    )
    publisher = Publisher(store.messages)
    webhooks.sender.told = disabled_told(publisher)
    return Reach(
        followers=followers,
        scheduler=scheduler,
        schedules=Schedules(store.schedules, store.stores.registry, world.control, starter, hint=scheduler.hint),
        publisher=publisher,
        triggers=TriggerDesk(store.triggers, store.stores.registry, world.control),
        waiting=Waiting(store.triggers, begin, firings),
        upkeep=Upkeep(
            store.messages,
            store.triggers,
            days=world.settings.message_retention_days,
            followers=[follower.name for follower in followers],
        ),
        firings=firings,
        webhooks=webhooks,
        catch_up=CatchUp(world.waits),
    )


def _scheduler(world: World, starter: Starter) -> Scheduler:
    scheduler = Scheduler(
        world.store.schedules,
        starter,
        world.store.stores.reads,
        owner=world.process,
        kept=world.settings.schedule_firings_kept,
        days=world.settings.schedule_firings_days,
    )
    scheduler.attach(world.bus)
    return scheduler


def _followers(world: World, *, events: dict[str, Consumer], messages: dict[str, Consumer]) -> list[Follower]:
    """One for each consumer, by name, of the events of threads and of the messages."""

    def of(kind: str, log: Log, consumers: dict[str, Consumer]) -> list[Follower]:
        lease = world.settings.lease_seconds
        followers = [
            Follower(f"{name}_{kind}", log, consumer, world.store.places, owner=world.process, lease=lease)
            for name, consumer in consumers.items()
        ]
        world.waits.logs.append(log)
        for follower, consumer in zip(followers, consumers.values(), strict=True):
            if isinstance(consumer, MessageGiver | Triggers):
                consumer.beat = follower.pulse.beat
            if isinstance(consumer, MessageGiver):
                world.waits.on_open.append(follower.look)
        return followers

    of_events = of("events", ThreadEvents(world.store.events, world.store.stores.reads), events)
    of_messages = of("messages", world.store.messages, messages)
    world.bus.listen(lambda _: _hint(of_events))
    world.store.messages.listen(lambda: _hint(of_messages))
    world.bus.listen_far(lambda: _hint([*of_events, *of_messages]))
    return [*of_events, *of_messages]


def _hint(followers: Sequence[Follower]) -> None:
    for follower in followers:
        follower.hint()
