"""Wires what sets threads going, or on, from outside of a request: those who follow events and messages, and what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.bootstrap.webhooks import open_webhooks
from app.triggers.events import ThreadEvents
from app.triggers.firing import Starter
from app.triggers.follow import Follower
from app.triggers.schedule_desk import Schedules
from app.triggers.schedules import Scheduler

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from app.bootstrap.stores import Store
    from app.bootstrap.webhooks import Webhooks
    from app.domain.events import Event
    from app.domain.messages import Consumer
    from app.engine.bus import Bus
    from app.engine.control import Control
    from app.engine.pulse import Pulse
    from app.settings import Settings


@dataclass(slots=True, kw_only=True)
class Reach:
    """What is wired; it is set going with the engine, after the worker, and ends before it."""

    followers: list[Follower]
    scheduler: Scheduler
    schedules: Schedules
    webhooks: Webhooks

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """The background work."""
        followers = [follower.run() for follower in self.followers]
        return [*followers, self.scheduler.run(), *self.webhooks.runs()]

    def pulses(self) -> dict[str, Pulse]:
        """Of each loop, by its name in the health."""
        followers = {f"follow_{follower.name}": follower.pulse for follower in self.followers}
        return {**followers, "schedules": self.scheduler.pulse, **self.webhooks.pulses()}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What it works with; `process` is this one's incarnation."""

    settings: Settings
    store: Store
    control: Control
    bus: Bus
    process: str


def open_reach(world: World) -> Reach:
    """All its parts, not yet going."""
    starter = Starter(world.control)
    scheduler, webhooks = _scheduler(world, starter), open_webhooks(world.settings, world.store, world.process)
    consumers: dict[str, Consumer] = {"webhooks": webhooks.deliverer}
    return Reach(
        followers=_followers(world, consumers),
        scheduler=scheduler,
        schedules=Schedules(
            world.store.schedules, world.store.stores.registry, world.control, starter, hint=scheduler.hint
        ),
        webhooks=webhooks,
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


def _followers(world: World, consumers: dict[str, Consumer]) -> list[Follower]:
    """One for each consumer of the events of threads, by name."""
    events = ThreadEvents(world.store.events, world.store.stores.reads)
    lease = world.settings.lease_seconds
    followers = [
        Follower(f"{name}_events", events, consumer, world.store.places, owner=world.process, lease=lease)
        for name, consumer in consumers.items()
    ]

    def news(_: Sequence[Event] = ()) -> None:
        for follower in followers:
            follower.hint()

    if followers:
        world.bus.listen(news)
        world.bus.listen_far(news)
    return followers
