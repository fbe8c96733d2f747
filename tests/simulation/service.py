"""One simulated serving process: the real engine wired as bootstrap does it, on a wire of its own, with a place of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from app.bootstrap.engine import background
from app.domain.breakers import BreakerPolicy
from app.domain.runner import StepFailure
from app.engine.admission import Admission
from app.engine.breaker import Breakers
from app.engine.bus import Bus
from app.engine.catalog import Catalog
from app.engine.control import Control
from app.engine.deps import Deps, Stores
from app.engine.gates import Gates
from app.engine.hearing import Hearing
from app.engine.lease import Lease
from app.engine.moving import Mover
from app.engine.waits import Waits
from app.engine.worker import Worker
from app.runners.gate import GateRunner
from app.runners.python import PythonRunner
from app.runners.registration import Functions, agent, function
from app.runners.sleep import SleepRunner
from app.runners.wait_for import WaitRunner
from app.runners.workflow import WorkflowRunner
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_gates import MemoryGates
from app.store.memory_queue import MemoryQueues
from app.store.memory_registry import MemoryRegistry
from app.store.memory_upkeep import MemoryUpkeep
from app.store.memory_versions import MemoryVersions
from app.store.memory_waits import MemoryWaits
from app.triggers.follow import Follower
from app.triggers.waits import CatchUp, MessageGiver
from tests.agents import agent_runner
from tests.simulation.loop import Place
from tests.simulation.store import Wire, WireReads
from tests.simulation.watch import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from random import Random

    from tests.simulation.world import World

POLICY: Final = BreakerPolicy(failures=3, open_seconds=5.0, ramp_seconds=4.0)
DURATIONS: Final = (0.0, 0.0, 0.005, 0.3, 1.2, 4.0, 13.0)


class Process:
    """One life of a serving process; `up` is set while it serves."""

    def __init__(self, world: World, name: str, number: int) -> None:
        self.world = world
        self.place = Place(name, skew=world.random.choice([0.0, 0.0, -3.0, 40.0]))
        self.place.owner = self
        self.number = number
        self.host = f"host{number if world.far_apart else 0}"
        self.up = asyncio.Event()
        self.leaving = asyncio.Event()
        self.over = asyncio.Event()
        self.requests: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin this life."""
        loop = self.world.loop
        self.place.epitaph = loop.create_future()
        loop.places.append(self.place)
        loop.create_task(self._live(), context=self.place.context())

    def handle(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work on a request in this process."""
        task = self.world.loop.create_task(work, context=self.place.context())
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        return task

    def crash(self) -> None:
        """Kill -9."""
        self.up.clear()
        self.world.loop.kill(self.place)
        self.over.set()

    async def _live(self) -> None:
        try:
            await self._serve()
        except Exception as error:  # noqa: BLE001 - a supervisor starts it again
            self.world.watch.note(self.place, "ended", f"{error!r}")
            self.world.judge_end(error)
        finally:
            self.up.clear()
            self.over.set()

    async def _serve(self) -> None:
        world = self.world
        self._wire()
        await self.lease.open()
        try:
            await self.breakers.refresh()
            async with background(self.breakers.run()), self._watches(), self.worker.open(self._deps):
                world.watch.note(self.place, "up", self.lease.own.id)
                self.up.set()
                await self.leaving.wait()
                await self._drain()
        finally:
            await self.lease.close()

    @asynccontextmanager
    async def _watches(self) -> AsyncGenerator[None]:
        hearing = Hearing(self.worker, self.bus, self.stores.reads, breakers=self.breakers.hint)
        self.stores.hints.listen(hearing.heard)
        owner, places = self.lease.own.id, self._reach(self.world.places)
        giver = MessageGiver(self.waits, own=False)
        follower = Follower("post", self.waits.logs[0], giver, places, owner=owner, lease=LEASE)
        looks = (self.lease.run(), self.admission.watch(), hearing.run())
        gives = (follower.run(), CatchUp(self.waits).run())
        watches = background(looks[0]), background(looks[1]), background(looks[2])
        async with watches[0], watches[1], watches[2], background(gives[0]), background(gives[1]):
            yield

    async def _drain(self) -> None:
        """As the HTTP server does: take no request any more, give those under way the grace."""
        self.up.clear()
        if self.requests:
            await asyncio.wait(self.requests, timeout=self.world.grace)
        for task in list(self.requests):
            task.cancel()
        if self.requests:
            await asyncio.wait(self.requests)

    def _wire(self) -> None:
        world = self.world
        journal: Any = self._reach()
        reads: Any = WireReads(world.database, world.weather, self.place)
        queues, breakers = self._reach(MemoryQueues(world.tables)), self._reach(MemoryBreakers(world.tables))
        self.stores = Stores(
            journal=journal,
            reads=reads,
            registry=MemoryRegistry(world.tables),
            hints=world.database.lines.line(self.place),
            queues=queues,
            breakers=breakers,
            gates=self._reach(MemoryGates(world.tables)),
            versions=self._reach(MemoryVersions(world.tables)),
        )
        self.bus, children = Bus(), WorkflowRunner()
        known = functions(world, self.place)
        python = PythonRunner(known, threads=1, processes=1)
        self.runners = {
            "python": python,
            "agent": agent_runner(known, python),
            "sleep": SleepRunner(),
            "workflow": children,
            "gate": GateRunner(self.stores.gates, 10_000),
        }
        wait_book = self._reach(MemoryWaits(world.tables))
        self.runners["wait_for"] = waiter = WaitRunner(wait_book, reads)
        self.catalog = Catalog(self.stores.registry, self.runners)
        self.lease = Lease(
            journal,
            seconds=LEASE,
            alone=lambda: False,
            freed=lambda: self.worker.hint(),  # noqa: PLW0108
            renewed=lambda: self.worker.go_on(),  # noqa: PLW0108
            company=lambda there: setattr(self.stores.hints, "wanted", there),
        )
        self.breakers = Breakers(breakers, POLICY, clock=world.loop.time, random=world.random.random)
        self.worker = Worker(self.stores, self.catalog.spec, self.lease.own.id, slots=world.slots, grace=world.grace)
        self.admission = Admission(self.stores.queues, self.worker, slots=world.slots)
        self.gates = Gates(self.stores, self.worker)
        self.waits = waiter.looker = Waits(wait_book, self.worker, max_value_bytes=10_000)
        self.waits.logs.append(self._reach(world.post))
        self.control = Control(self.stores, self.catalog, self.worker, self.bus, self.admission)
        self.mover = Mover(self.stores, self.catalog, self.worker, self.bus, self._reach(MemoryUpkeep(world.tables)))
        children.starter, children.reads = self.control, reads
        limits = SimpleNamespace(max_body_bytes=1_000_000, heartbeat_seconds=15.0)
        self.services: Any = SimpleNamespace(control=self.control, reads=reads, bus=self.bus, limits=limits)

    def _reach(self, to: Any = None) -> Any:
        return Wire(self.world.database, self.world.weather, self.place, to)

    def _deps(self, spawn: Any) -> Deps:
        return Deps(
            journal=self.stores.journal,
            reads=self.stores.reads,
            bus=self.bus,
            breakers=self.breakers,
            runners=self.runners,
            flows=lambda name: None,
            spawn=spawn,
            random=self.world.random.random,
            waits_for=self.worker.waits_for,
            heed=self.worker.heed,
            forsake=self.worker.forsake,
            may_start=lambda: self.lease.holds and not self.world.weather.is_away(self.place),
            is_dead=self.lease.is_dead,
            max_value_bytes=10_000,
            now=self.world.loop.utc,
        )


def functions(world: World, place: Place) -> Functions:
    """`work`, the function of all steps: its output is the token of its call."""
    random: Random = world.random
    found = Functions()

    async def work(value: Any, ctx: Any) -> int:
        token = world.watch.called(place, value, ctx)
        rounds = random.randint(1, 3)
        for each in range(rounds):
            await asyncio.sleep(random.choice(DURATIONS))
            if random.random() < 0.2:
                ctx.progress(each / rounds, "on its way")
            if random.random() < 0.2:
                ctx.chunk("word ")
        if random.random() < world.failures:
            raise random.choice([ValueError("no luck"), StepFailure("no", retryable=False), TimeoutError()])
        return token

    found.add(function("work")(work))

    async def help_out(value: Any, ctx: Any) -> int:
        return await work(value, ctx)

    found.add(agent("helper")(help_out))
    return found
