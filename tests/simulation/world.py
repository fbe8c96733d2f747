"""A simulated world: 1 to 3 processes on one store, clients and faults, all drawn from one seed, and what came of it."""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.commands import ResumeCommand
from app.domain.document import content_hash
from app.domain.errors import Unavailable
from app.domain.queues import QueueSettings
from app.domain.status import ENDED, Status
from app.store.memory_followers import MemoryPlaces
from app.store.memory_queue import MemoryQueues
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from tests.post import Post
from tests.simulation import invariants
from tests.simulation.clients import EXPECTED, Clients, Lost
from tests.simulation.faults import Climate, Faults, Weather
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.service import Process
from tests.simulation.store import Database
from tests.simulation.virtual import virtual
from tests.simulation.watch import NARROW, NARROWNESS, Violation, Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine

SHAPES: Final = 60
CALM: Final = 1800.0
"""Virtual seconds in which everything must come to its end once nothing goes wrong any more."""
STILL: Final = 200.0
"""Virtual seconds without a move of any thread after which nothing will come of what goes on; no step takes as long."""
FOLLOWED: Final = 0.5
"""Chance that somebody follows a thread after an operation."""
INNER: Final = {
    "name": "inner",
    "steps": [
        {"id": "a", "python": "work", "needs": [], "retry": {"max_attempts": 2, "initial_interval": 0.1}},
        {"id": "b", "sleep": "2s", "needs": ["a"]},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed; `story` is its trail, of a failing seed only."""

    seed: int
    violation: str | None
    story: str
    handles: int
    seconds: float
    counts: dict[str, int]


class World:
    """Everything of one seed; each concern draws from a stream of its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(f"{seed} work")
        draw = Random(f"{seed} world")
        self.slots = draw.choice([1, 2, 10])
        self.grace = draw.choice([0.2, 1.0, 5.0])
        self.failures = draw.choice([0.0, 0.1, 0.3])
        self.far_apart = draw.random() < 0.5
        self.size = draw.choice([1, 2, 2, 3])
        self.operations = draw.choice([6, 12, 20])
        self.wild = draw.random() < 0.5
        climate = Climate.drawn(draw)
        self.loop = SimLoop(Random(f"{seed} order"), wild=self.wild)
        self.tables = MemoryTables(clock=self.loop.true_utc)
        self.watch = Watch(self.tables, self.loop)
        self.weather = Weather(Random(f"{seed} weather"), climate)
        self.post, self.places = Post(self.tables), MemoryPlaces(self.tables)
        self.database = Database(self.tables, self.loop, self.watch, self.weather)
        self.clients = Clients(self, Random(f"{seed} clients"))
        self.faults = Faults(self, Random(f"{seed} faults"), climate)
        self.processes: list[Process] = []
        self.lives = 0
        self.healed = False
        self.closing = False
        self.settings = (
            f"{self.size} processes, {self.slots} slots, grace {self.grace:g}, failures {self.failures:g}, "
            f"{climate}, wild {self.wild}, far apart {self.far_apart}"
        )

    def run(self) -> Outcome:
        """Live through it all."""
        problem: str | None = None
        with ExitStack() as stack:
            stack.enter_context(virtual(self))
            try:
                self.loop.run(self._main())
            except (Violation, Stuck) as error:
                problem = f"{type(error).__name__}: {error}" if isinstance(error, Stuck) else str(error)
            except BaseExceptionGroup as group:
                problem = f"the simulation broke: {group.exceptions!r}"
        if self.watch.violation is not None:
            problem = str(self.watch.violation)
        return Outcome(
            seed=self.seed,
            violation=problem,
            story=f"{self.settings}\n{self.watch.story()}" if problem else "",
            handles=self.loop.handles,
            seconds=self.loop.time(),
            counts=dict(self.watch.counts),
        )

    def document(self, random: Random, fixed: str | None = None) -> dict[str, Any]:
        """One of the shapes of workflows."""
        shape = Random(fixed).randrange(SHAPES) if fixed is not None else random.randrange(SHAPES)
        return document(shape)

    def judge_end(self, error: BaseException) -> None:
        """A process has ended by an error: only a store that is away may be why."""
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                self.judge_end(each)
        elif not isinstance(error, Unavailable):
            self.watch.violated("a process ends in good order", repr(error))

    async def _main(self) -> None:
        for name, text, digest in definitions():
            await MemoryRegistry(self.tables).register(name=name, document=text, hash=digest)
        await MemoryQueues(self.tables).configure(QueueSettings(name=NARROW, max_running=NARROWNESS))
        supervisors = [self._spawn(self._supervise(number)) for number in range(self.size)]
        await asyncio.sleep(0.05)
        faults = self._spawn(self.faults.run())
        asks: list[asyncio.Task[Any]] = []
        for _ in range(self.operations):
            asks.append(self._spawn(self.clients.operate()))
            threads = sorted(self.tables.threads)
            if threads and self.clients.random.random() < FOLLOWED:
                self.clients.follow(self.clients.random.choice(threads))
            await asyncio.sleep(self.clients.random.choice([0.0, 0.001, 0.1, 1.0, 4.0, 11.0]))
            self._raise()
        await self._heal(faults)
        await asyncio.wait(asks)
        await self._settle()
        invariants.check(self)
        await self._let_go()
        self._raise()
        await self._close(supervisors)
        self._raise()

    async def _supervise(self, number: int) -> None:
        """Keep one serving process up, as a supervisor does."""
        while not self.closing:
            self.lives += 1
            process = Process(self, f"p{number + 1}.{self.lives}", self.lives)
            if number < len(self.processes):
                self.processes[number] = process
            else:
                self.processes.append(process)
            process.start()
            await process.over.wait()
            self.watch.note(process.place, "gone")
            await asyncio.sleep(0.1 if self.healed else self.random.choice([0.1, 3.0, 12.0]))

    async def _heal(self, faults: asyncio.Task[Any]) -> None:
        """From now on nothing goes wrong any more."""
        faults.cancel()
        await asyncio.wait({faults})
        self.healed = True
        self.weather.clear()
        for place in self.loop.places:
            place.frozen = False
        self.failures = 0.0
        self.watch.note(self.loop.world, "HEALED")

    async def _settle(self) -> None:
        """Let everything come to its end."""
        until, pause, written, moved_at = self.loop.time() + CALM, 1.0, 0, self.loop.time()
        while not (invariants.is_quiet(self) and await self._calm()):
            if written != self.watch.moves:
                written, moved_at = self.watch.moves, self.loop.time()
            if self.loop.time() > min(until, moved_at + STILL):
                raise Violation("none stuck", invariants.stuck(self) or "processes or readers are busy")
            await asyncio.sleep(pause)
            pause = min(5.0, pause * 1.5)
            await self._free_parents()
            await self.clients.answer_all()
            self._raise()

    async def _calm(self) -> bool:
        """Whether readers and processes are done too; they get a moment."""
        await asyncio.sleep(5.0)
        readers = self.clients.readers
        up_to_date = all(r.over or r.cursor == self.tables.threads[r.thread_id].last_seq for r in readers)
        if not up_to_date or not all(process.up.is_set() for process in self.processes):
            return False
        for reader in readers:
            reader.over = True
            if reader.task is not None and not reader.task.done():
                reader.task.cancel()
                await asyncio.wait({reader.task})
        await asyncio.sleep(5.0)
        return invariants.is_quiet(self)

    async def _let_go(self) -> None:
        """Everything that processes held is given back."""
        for process in self.processes:
            for _ in range(50):
                if not (held := invariants.held(process)):
                    break
                await asyncio.sleep(0.37)
            else:
                self.watch.violated("nothing leaks", f"{process.place.name} holds {held}")

    async def _free_parents(self) -> None:
        """A paused sub-workflow holds its parent up for as long as nobody resumes it."""
        for thread in list(self.tables.threads.values()):
            parent = self.tables.threads.get(thread.parent_thread_id or "")
            if thread.status is Status.PAUSED and parent is not None and parent.status not in ENDED:
                command = ResumeCommand(thread_id=thread.thread_id)
                try:
                    await self.clients.ask(self.processes[0], lambda p, c=command: p.control.resume(c))
                except (Lost, *EXPECTED):
                    continue

    async def _close(self, supervisors: list[asyncio.Task[Any]]) -> None:
        self.closing = True
        for process in self.processes:
            process.leaving.set()
        await asyncio.wait(supervisors, timeout=60.0)
        for process in self.processes:
            if not process.over.is_set():
                self.watch.violated("a process ends", f"{process.place.name} does not end")
            invariants.left_over(self, process, self.loop.left(process.place))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.loop.create_task(work, context=self.loop.world.context())

    def _raise(self) -> None:
        if self.watch.violation is not None:
            raise self.watch.violation


@cache
def definitions() -> list[tuple[str, str, str]]:
    """Name, text and digest of all that are registered: each shape has a second version, with one more step at its end."""
    found = [INNER]
    for shape in range(SHAPES):
        first = document(shape)
        late = {"id": "late", "needs": [step["id"] for step in first["steps"]], "python": "work"}
        found += [first, {**first, "steps": [*first["steps"], late]}]
    return [(each["name"], jsontext.dumps(each), content_hash(each)) for each in found]


def document(shape: int) -> dict[str, Any]:
    """Chains, fans and what lies between: functions that fail and are tried again, or are caught, short and long sleeps,
    sub-workflows, gates, messages, signals, and steps that are done in parts.
    """
    random = Random(f"shape {shape}")
    style = random.choice(["chain", "fan", "mixed", "mixed"])
    steps: list[dict[str, Any]] = []
    for place in range(random.randint(1, 6)):
        before = [one["id"] for one in steps]
        needs = {"chain": before[-1:], "fan": before[:1], "mixed": [b for b in before if random.random() < 0.4]}[style]
        kind = random.choice(
            [{"python": "work"}] * 4
            + [{"agent": "helper"}] * 2
            + [{"sleep": "300ms"}, {"sleep": "7s"}, {"sleep": "25s"}, {"workflow": "inner"}]
            + [{"gate": {}}, {"gate": {}}, {"gate": {"timeout": "9s", "on_timeout": 0}}]
        )
        retry = {"max_attempts": random.choice([1, 3]), "initial_interval": random.choice([0.01, 0.6, 5])}
        parts = _parts(random, f"s{place}", kind)
        kind = _awaiting(f"shape {shape} step {place}", kind)
        steps.append({"id": f"s{place}", "needs": needs, "retry": retry, **kind, **parts})
        if kind.keys() & {"python", "agent"} and random.random() < 0.2:
            steps[-1]["timeout"] = "3s"
        if kind.keys() & {"python", "agent"} and random.random() < 0.2:
            steps[-1]["on_error"] = "continue"
        if random.random() < 0.1:
            steps[-1]["when"] = "false"
        if random.random() < 0.3:
            steps[-1]["assign"] = random.choice(["x", "y"])
    return {"name": f"shape{shape}", "steps": steps}


def _awaiting(place: str, kind: dict[str, Any]) -> dict[str, Any]:
    """In place of some gates and sleeps: what else clients give, a signal or a message on one of some topics."""
    random, late = Random(place), {"timeout": "9s", "on_timeout": 0}
    if not ("gate" in kind or kind.get("sleep") in {"300ms", "7s"}) or random.random() < 0.4:
        return kind
    wait = random.choice(
        [{"signal": "go"}, {"topic": "news.all", "match": "message.data % 2 == 0"}, {"topic": "news.*"}]
    )
    since = {"since": "step"} if "topic" in wait and random.random() < 0.2 else {}
    return {"wait_for": {**wait, **since, **(late if random.random() < 0.3 else {})}}


def _parts(random: Random, step_id: str, kind: dict[str, Any]) -> dict[str, Any]:
    """A step may be done item by item, or several times."""
    chance = random.random()
    if "gate" in kind:
        return {}
    if chance < 0.15:
        items = {"for_each": list(range(random.randint(0, 7))), "concurrency": random.choice([1, 3])}
        return {**items, "on_item_error": random.choice(["fail", "collect"])}
    if chance < 0.25 and kind.keys() & {"python", "agent", "sleep"}:
        then, delay = random.choice(["fail", "continue"]), random.choice(["0s", "2s"])
        laps = {"until": f"iteration >= {random.randint(0, 3)}", "max_iterations": 3}
        return {"repeat": {**laps, "on_exhausted": then, "delay": delay}}
    return {}


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return World(seed).run()
    finally:
        if enabled:
            gc.enable()
