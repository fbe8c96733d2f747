"""What goes wrong in a simulated world: the weather on the wires to the store, and blows that hit processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from tests.simulation.store import Trip

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.loop import Place
    from tests.simulation.world import World

QUIET: Final = Trip(before=0.0, after=0.0, lost=False)
_LOOK: Final = 0.25
BLOWS: Final = ("crash", "crash", "freeze", "freeze", "leave", "partition", "outage", "slow", "lossy")


@dataclass(slots=True, kw_only=True)
class Climate:
    """How rough a seed is: shares of requests that are slow and whose answer is lost, seconds between two blows.

    `deaf` is the share of hints between processes that are lost, however fine it is.
    """

    slow: float
    lossy: float
    pause: float
    deaf: float = 0.0

    @classmethod
    def drawn(cls, random: Random) -> Climate:
        """One of all kinds, from fine to foul."""
        return cls(
            slow=random.choice([0.0, 0.1, 0.5]),
            lossy=random.choice([0.0, 0.0, 0.02, 0.1]),
            pause=random.choice([3.0, 8.0, 20.0, 1_000.0]),
            deaf=random.choice([0.0, 0.0, 0.9]),
        )


class Weather:
    """The state of the wires."""

    def __init__(self, random: Random, climate: Climate) -> None:
        self._random = random
        self._climate = climate
        self._slow = climate.slow
        self._lossy = climate.lossy
        self._away: set[Place | None] = set()

    def trip(self, name: str) -> Trip:
        """What happens to one request."""
        random = self._random
        if random.random() >= self._slow + self._lossy:
            return QUIET if random.random() < 0.5 else Trip(before=0.001, after=random.random() * 0.01, lost=False)
        lost = random.random() * (self._slow + self._lossy) < self._lossy
        scale = random.choice([0.01, 0.1, 1.0, 4.0])
        return Trip(before=random.random() * scale, after=random.random() * scale, lost=lost and name != "heartbeat")

    def reading(self) -> float | None:
        """Seconds that a read takes; None when it comes at once."""
        chance = self._random.random()
        if chance < self._slow / 2:
            return self._random.random() * 0.3
        return 0.0 if chance < 0.6 else None

    def hint(self, place: Place) -> float | None:
        """Seconds until a hint arrives; None when it is lost."""
        if self.is_away(place) or self._random.random() < max(self._lossy, self._climate.deaf):
            return None
        return self._random.random() * (2.0 if self._random.random() < self._slow else 0.01)

    def is_away(self, place: Place) -> bool:
        """Whether the store is away for a process."""
        return None in self._away or place in self._away

    async def pass_through(self, place: Place, patience: float | None) -> None:
        """Wait while the store is away for this process; raises Unavailable after `patience` seconds."""
        while self.is_away(place):
            if patience is not None and (patience := patience - _LOOK) <= 0:
                raise Unavailable("the store is away")
            await asyncio.sleep(_LOOK)

    async def away(self, place: Place | None, seconds: float) -> None:
        """The store is away for one process, for all without one."""
        self._away.add(place)
        await asyncio.sleep(seconds)
        self._away.discard(place)

    async def rough(self, seconds: float, *, slow: float, lossy: float) -> None:
        """Everything is slower, or more answers are lost, for a while."""
        self._slow, self._lossy = max(self._slow, slow), max(self._lossy, lossy)
        await asyncio.sleep(seconds)
        self._slow, self._lossy = self._climate.slow, self._climate.lossy

    def clear(self) -> None:
        """No faults from now on."""
        self._climate = Climate(slow=0.0, lossy=0.0, pause=0.0)
        self._slow = self._lossy = 0.0
        self._away.clear()


class Faults:
    """Deals blows until it is cancelled; `clear` undoes what lasts."""

    def __init__(self, world: World, random: Random, climate: Climate) -> None:
        self._world = world
        self._random = random
        self._pause = climate.pause

    async def run(self) -> None:
        """Deal one blow after the other; several may last at a time."""
        async with asyncio.TaskGroup() as blows:
            while True:
                await asyncio.sleep(self._random.expovariate(1 / self._pause))
                blows.create_task(self._deal(self._random.choice(BLOWS)))

    async def _deal(self, blow: str) -> None:
        world, random = self._world, self._random
        alive = [process for process in world.processes if not process.over.is_set()]
        if not alive:
            return
        victim = random.choice(alive)
        seconds = random.choice([0.5, 4.0, 9.9, 10.5, 15.0, 31.0])
        world.watch.note(victim.place, blow.upper(), f"{seconds:g} s" if blow not in {"crash", "leave"} else "")
        match blow:
            case "crash":
                victim.crash()
            case "leave":
                victim.leaving.set()
            case "freeze":
                await self._freeze(victim.place, seconds)
            case "partition":
                await world.weather.away(victim.place, seconds)
            case "outage":
                await world.weather.away(None, seconds)
            case "slow":
                await world.weather.rough(seconds, slow=0.8, lossy=0.0)
            case _:
                await world.weather.rough(seconds, slow=0.1, lossy=0.3)

    async def _freeze(self, place: Place, seconds: float) -> None:
        place.frozen = True
        await asyncio.sleep(seconds)
        place.frozen = False
        self._world.watch.note(place, "THAW")
