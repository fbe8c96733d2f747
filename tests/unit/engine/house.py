"""An engine in process on the memory store, whose clock, functions and deaths a test decides."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.domain.breakers import BreakerPolicy
from app.domain.checkpoints import EVERY_STEP, CheckpointPolicy
from app.domain.commands import ResumeCommand, RollbackCommand, StartCommand
from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now
from app.engine.admission import Admission
from app.engine.breaker import Breakers
from app.engine.bus import Bus
from app.engine.catalog import Catalog
from app.engine.control import Control
from app.engine.deps import Deps, Stores
from app.engine.gates import Gates
from app.engine.inspection import Inspector
from app.engine.moving import Mover
from app.engine.waits import Waits
from app.engine.worker import Worker
from app.runners.gate import GateRunner
from app.runners.python import PythonRunner
from app.runners.registration import Functions, function
from app.runners.registration import agent as as_agent
from app.runners.sleep import SleepRunner
from app.runners.wait_for import WaitRunner
from app.runners.workflow import WorkflowRunner
from app.store.memory import MemoryJournal
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_gates import MemoryGates
from app.store.memory_hints import NoHints
from app.store.memory_queue import MemoryQueues
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from app.store.memory_upkeep import MemoryUpkeep
from app.store.memory_versions import MemoryVersions
from app.store.memory_waits import MemoryWaits
from tests.agents import agent_runner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from app.domain.commands import Accepted
    from app.domain.events import Event
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord, ThreadRecord

PATIENCE = float(os.environ.get("TEST_PATIENCE", "30"))
"""Seconds after which a test that hangs fails."""
QUICK = {"initial_interval": 0.001, "jitter": False}


class Clock:
    """The real time, moved on by what the test says."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)


class Wire:
    """The journal as one process reaches it: once cut, it is as if that process were dead."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.cut = False
        self.commits = 0
        self.before_commit: Callable[[Any], Any] | None = None
        self.instead: dict[str, Callable[..., Any]] = {}

    async def commit(self, transition: Any) -> Any:
        await self._alive()
        if self.before_commit is not None:
            await self.before_commit(transition)
        signal = await self._journal.commit(transition)
        self.commits += 1
        await self._alive()
        return signal

    async def _alive(self) -> None:
        if self.cut:
            await asyncio.Event().wait()

    def __getattr__(self, name: str) -> Any:
        method = self.instead.get(name) or getattr(self._journal, name)

        async def call(*arguments: Any, **more: Any) -> Any:
            await self._alive()
            answer = await method(*arguments, **more)
            await self._alive()
            return answer

        return call


@dataclass
class House:
    """One service."""

    control: Control
    worker: Worker
    bus: Bus
    reads: MemoryReads
    journal: Wire
    tables: MemoryTables
    clock: Clock
    catalog: Catalog
    functions: Functions
    breakers: Breakers
    admission: Admission
    gates: Gates = field(init=False)
    mover: Mover = field(init=False)
    inspector: Inspector = field(init=False)
    gate_book: Wire = field(init=False)
    wait_book: Wire = field(init=False)
    waits: Waits = field(init=False)
    runners: dict[str, Any] = field(init=False)
    wires: tuple[Wire, ...] = ()
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    may_start: bool = True
    checkpoints: CheckpointPolicy = EVERY_STEP

    async def is_dead(self, incarnation_id: str) -> bool:
        """Whether a process is not entered any more."""
        return all(each.id != incarnation_id for each, _ in await self.journal.incarnations())

    async def start(self, *steps: dict[str, Any], input: Any = None, **options: Any) -> Accepted:  # noqa: A002
        """Start a thread of these steps; options that begin with `doc_` belong to the document."""
        document = {k.removeprefix("doc_"): v for k, v in options.items() if k.startswith("doc_")}
        others = {k: v for k, v in options.items() if not k.startswith("doc_")}
        workflow = {"name": "sewing", **document, "steps": list(steps)}
        return await self.control.start(StartCommand(workflow=workflow, input=input, has_input=True, **others))

    async def run(self, *steps: dict[str, Any], **options: Any) -> str:
        """Start and wait for the end; the thread's id."""
        accepted = await self.start(*steps, **options)
        return await self.end(accepted.thread.thread_id)

    async def end(self, thread_id: str) -> str:
        """Wait until the thread has ended or is paused."""
        assert await self.control.wait(thread_id, PATIENCE), await self.thread(thread_id)
        return thread_id

    async def resume(self, thread_id: str, **options: Any) -> Accepted:
        return await self.control.resume(ResumeCommand(thread_id=thread_id, **options))

    async def rollback(self, thread_id: str, version: int, **options: Any) -> Accepted:
        return await self.control.rollback(RollbackCommand(thread_id=thread_id, to_version=version, **options))

    async def thread(self, thread_id: str) -> ThreadRecord:
        found = await self.reads.thread(thread_id)
        assert found is not None
        return found

    async def execution(self, thread_id: str) -> ExecutionRecord:
        found = await self.reads.execution((await self.thread(thread_id)).execution_id)
        assert found is not None
        return found

    async def events(self, thread_id: str, name: str | None = None) -> list[Event]:
        return [event for event in await self.reads.events(thread_id, after=0) if name in (None, event.name)]

    async def names(self, thread_id: str) -> list[str]:
        return [event.name for event in await self.events(thread_id)]

    async def versions(self, thread_id: str) -> list[CheckpointRecord]:
        return await self.reads.checkpoints(thread_id)

    async def steps(self, thread_id: str) -> dict[str, StepRecord]:
        """The newest run of each step."""
        rows = sorted(await self.reads.steps(thread_id), key=lambda row: row.id)
        return {row.step_id: row for row in rows}

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let the loop turn until it holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what it waits for is no event of ours
                await asyncio.sleep(0.001)

    async def until_status(self, thread_id: str, status: str) -> None:
        """Wait until the thread is in a status, nobody in between two of them."""
        await self.until(lambda: self.tables.threads[thread_id].status == status)

    def later(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.advance(seconds)
        self.worker.hint()

    def on(self, name: str, call: Callable[..., Any], *, agent: bool = False) -> None:
        """Register a function, whose calls are noted."""
        house = self

        async def noted(value: Any, ctx: Any) -> Any:
            house.calls.append((ctx.step_id, ctx.idempotency_key, ctx.attempt))
            return await call(value, ctx)

        self.functions.add((as_agent if agent else function)(name)(noted))

    def called(self, step_id: str) -> int:
        """How often a step was called here."""
        return sum(each[0] == step_id for each in self.calls)

    def keys(self, step_id: str) -> list[str]:
        """The idempotency keys of a step's calls."""
        return [each[1] for each in self.calls if each[0] == step_id]

    async def die(self) -> None:
        """Kill -9: nothing that this process still does reaches the store; its lease runs out."""
        for wire in self.wires:
            wire.cut = True
        self.worker._grace = 0.0
        await MemoryJournal(self.tables).close_incarnation(self.worker.incarnation_id, crashed=True)


def build(tables: MemoryTables, clock: Clock, *, slots: int, grace: float) -> tuple[House, Callable[..., Deps]]:
    """A service that is wired and not open."""
    journal: Any = Wire(MemoryJournal(tables))
    breaker_store: Any = Wire(MemoryBreakers(tables))
    queue_store: Any = Wire(MemoryQueues(tables))
    gate_book: Any = Wire(MemoryGates(tables))
    wait_book: Any = Wire(MemoryWaits(tables))
    stores = Stores(
        journal=journal,
        reads=MemoryReads(tables),
        registry=MemoryRegistry(tables),
        hints=NoHints(),
        queues=queue_store,
        breakers=breaker_store,
        gates=gate_book,
        versions=MemoryVersions(tables),
    )
    functions, bus, children = Functions(), Bus(), WorkflowRunner()
    python = PythonRunner(functions, threads=2, processes=1)
    runners: dict[str, Any] = {"python": python, "sleep": SleepRunner(), "workflow": children}
    runners["gate"] = GateRunner(gate_book, max_bytes=10_000)
    runners["wait_for"] = WaitRunner(wait_book, stores.reads)
    runners["agent"] = agent_runner(functions, python)
    catalog = Catalog(stores.registry, runners)
    worker = Worker(stores, catalog.spec, uuid7(), slots=slots, grace=grace)
    admission = Admission(stores.queues, worker)
    control = Control(stores, catalog, worker, bus, admission)
    children.starter, children.reads = control, stores.reads
    breakers = Breakers(stores.breakers, BreakerPolicy(), clock=lambda: clock().timestamp(), random=lambda: 0.0)
    house = House(
        control, worker, bus, MemoryReads(tables), journal, tables, clock, catalog, functions, breakers, admission
    )
    house.gates, house.gate_book, house.runners = Gates(stores, worker), gate_book, runners
    house.wait_book = wait_book
    house.waits = runners["wait_for"].looker = Waits(wait_book, worker, max_value_bytes=10_000)
    house.mover = Mover(stores, catalog, worker, bus, MemoryUpkeep(tables))
    house.inspector = Inspector(stores, catalog, worker, bus, MemoryUpkeep(tables))
    house.wires = (journal, breaker_store, queue_store, gate_book, wait_book)

    def deps(spawn: Any) -> Deps:
        return Deps(
            journal=journal,
            reads=stores.reads,
            bus=bus,
            breakers=breakers,
            runners=runners,
            flows=functions.workflow,
            spawn=spawn,
            random=lambda: 0.0,
            waits_for=worker.waits_for,
            heed=worker.heed,
            forsake=worker.forsake,
            may_start=lambda: house.may_start,
            is_dead=house.is_dead,
            max_value_bytes=10_000,
            now=clock,
            checkpoints=lambda: house.checkpoints,
        )

    return house, deps


@asynccontextmanager
async def open_house(
    before: House | None = None, *, slots: int = 10, grace: float = 1.0, share: bool = True
) -> AsyncGenerator[House]:
    """A service; on the store of another one, with its functions and the list of their calls, when that is given."""
    clock = before.clock if before is not None else Clock()
    tables = before.tables if before is not None else MemoryTables(clock=clock)
    house, deps = build(tables, clock, slots=slots, grace=grace)
    if before is not None and share:
        house.functions.by_name, house.calls = before.functions.by_name, before.calls
    else:
        house.on("echo", _echo)
    journal = MemoryJournal(tables)
    now = clock()
    await journal.open_incarnation(
        IncarnationRecord(id=house.worker.incarnation_id, host="here", process="1@1", started_at=now, heartbeat_at=now)
    )
    await house.breakers.refresh()
    keeping = asyncio.create_task(house.breakers.run())
    try:
        async with house.worker.open(deps):
            yield house
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    if not house.journal.cut:
        await journal.close_incarnation(house.worker.incarnation_id)


async def _echo(value: Any, ctx: Any) -> Any:
    return value


def step(step_id: str, **parts: Any) -> dict[str, Any]:
    """A step, of the function `echo` unless it says otherwise."""
    kinds = {"python", "agent", "workflow", "sleep", "gate", "wait_for"}
    return {"id": step_id, **({} if kinds & parts.keys() else {"python": "echo"}), **parts}


class Gate:
    """A function that waits until the test lets it go; `entered` tells how many calls have come in."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.entered = 0
        self.left = 0
        self._open = asyncio.Event()

    async def __call__(self, value: Any, ctx: Any) -> Any:
        self.entered += 1
        await self._open.wait()
        self.left += 1
        return self.answer

    def open(self) -> None:
        self._open.set()

    @staticmethod
    async def opened(value: Any, ctx: Any) -> str:
        """What does not wait."""
        return "open"


class Failing:
    """A function that raises what it is given for so many calls, and then answers."""

    def __init__(self, error: BaseException, times: int = 1_000, answer: Any = "done") -> None:
        self.error, self.times, self.answer = error, times, answer

    async def __call__(self, value: Any, ctx: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            raise self.error
        return self.answer
