"""Wires what sets threads going, or on, from outside of a request: those who follow events and messages, and what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.triggers.events import ThreadEvents
from app.triggers.follow import Follower
from app.triggers.waits import CatchUp, MessageGiver

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from app.bootstrap.stores import Store
    from app.domain.events import Event
    from app.domain.messages import Consumer
    from app.engine.bus import Bus
    from app.engine.control import Control
    from app.engine.pulse import Pulse
    from app.engine.waits import Waits
    from app.settings import Settings


@dataclass(slots=True, kw_only=True)
class Reach:
    """What is wired; it is set going with the engine, after the worker, and ends before it."""

    followers: list[Follower]
    catch_up: CatchUp

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """The background work."""
        return [*(follower.run() for follower in self.followers), self.catch_up.run()]

    def pulses(self) -> dict[str, Pulse]:
        """Of each loop, by its name in the health."""
        followers = {f"follow_{follower.name}": follower.pulse for follower in self.followers}
        return {**followers, "waits": self.catch_up.pulse}


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
    giver = MessageGiver(world.waits, own=True)
    followers = _followers(world, {"waits": giver})
    own = next(one for one in followers if one.name == "waits_events")
    giver.beat = own.pulse.beat
    world.waits.on_open.append(own.wake)
    return Reach(followers=followers, catch_up=CatchUp(world.waits))


def _followers(world: World, consumers: dict[str, Consumer]) -> list[Follower]:
    """One for each consumer of the events of threads, by name."""
    events = ThreadEvents(world.store.events, world.store.stores.reads)
    world.waits.logs.append(events)
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
