"""A service on the memory store: real reads, real bus, and a control that writes starts and remembers what it was asked."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx

from app.api.server import Server, configure, listener
from app.bootstrap.agents import AgentDesk
from app.bootstrap.config import LiveSettings
from app.domain.breakers import BreakerPolicy
from app.domain.commands import Accepted, Fork, Forked
from app.domain.errors import BackstitchError, Conflict, InvalidWorkflow, NotFound, Problem
from app.domain.ids import uuid7
from app.domain.moving import Moves, Outcome, Reason
from app.domain.parameters import Parameters, ReplayOf
from app.domain.records import IdempotencyRecord, StepRecord
from app.domain.retention import RetentionPolicy
from app.domain.spec import StepSpec, WorkflowSpec
from app.domain.state import State, resolve
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.domain.tools import ServerReport, Tool
from app.domain.waiting import WaitKey
from app.engine.admission import Admission
from app.engine.agents import Directory
from app.engine.ahead import Ahead
from app.engine.breaker import Breakers
from app.engine.bus import Bus
from app.engine.difference import Difference, difference
from app.engine.gates import Gates
from app.engine.retention import Retention
from app.engine.tickets import Tickets
from app.engine.transfer import Transfers
from app.engine.waits import Waits
from app.engine.workforce import Workforce
from app.runners.python import PythonRunner
from app.runners.python_agent import PythonAgents
from app.runners.registration import Functions, agent
from app.settings import load_settings
from app.store.keys import MemoryKeys
from app.store.memory import MemoryJournal
from app.store.memory_agents import AgentTables, MemoryAgents
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_config import MemoryConfig
from app.store.memory_events import MemoryEvents, MemoryTimelines
from app.store.memory_followers import MemoryPlaces
from app.store.memory_gates import MemoryGates
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_logs import MemoryLogs
from app.store.memory_messages import MemoryMessages
from app.store.memory_metrics import MemoryMetrics
from app.store.memory_queue import MemoryQueues
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_retention import MemoryRetention
from app.store.memory_schedules import MemorySchedules
from app.store.memory_sdk_threads import MemorySdkThreads
from app.store.memory_tables import MemoryTables
from app.store.memory_threads import MemoryThreads
from app.store.memory_transfer import MemoryArchive
from app.store.memory_travel import MemoryTravels
from app.store.memory_triggers import MemoryTriggers
from app.store.memory_upkeep import MemoryUpkeep
from app.store.memory_waits import MemoryWaits
from app.store.memory_workers import MemoryWorkers
from app.telemetry.keeping import LogKeeper
from app.telemetry.metrics import Metrics
from app.telemetry.metrics_parts import StoreFigures
from app.telemetry.series import Series
from app.triggers.desk import TriggerDesk
from app.triggers.firing import Starter
from app.triggers.publishing import Publisher
from app.triggers.schedule_desk import Schedules
from tests.api.shared import app_of
from tests.api.webhook_desk import webhook_desk
from tests.builders import Driver, new_start
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from fastapi import FastAPI

    from app.domain.commands import Check
    from app.domain.records import ThreadRecord, WorkflowRecord
    from app.domain.replay import ReplayCommand
    from app.domain.transition import Transition

_TOOL = Tool(name="git_status", description="How it is", input_schema={"type": "object"})
MCP_SERVERS = [
    ServerReport(name="git", kind="stdio", status="connected", error=None, tools=(_TOOL,)),
    ServerReport(name="web", kind="http", status="failed", error="nobody there", tools=()),
]
STEPS = ("analyst", "marketer", "publish")
DOCUMENT = '{"name":"sewing","description":"three steps","steps":[{"id":"analyst"},{"id":"marketer"},{"id":"publish"}]}'


def step(name: str, index: int) -> StepSpec:
    """A step of an agent of the same name that waits for the one before it."""
    target: Any = SimpleNamespace(source=name)
    needs = frozenset(STEPS[index - 1 : index]) if index else frozenset[str]()
    no_retry: Any = None
    return StepSpec(id=name, index=index, kind="agent", target=target, needs=needs, retry=no_retry)


def specification() -> WorkflowSpec:
    """The workflow of these tests."""
    steps = tuple(step(name, index) for index, name in enumerate(STEPS))
    no_plan: Any = None
    by_id = {one.id: one for one in steps}
    return WorkflowSpec(
        name="sewing", steps=steps, by_id=by_id, plan=no_plan, output=None, input_schema=None, document={}, hash="1f"
    )


@dataclass
class Control:
    """Writes starts, and answers everything else with the thread as it is; `failure` is raised instead when set."""

    service: Service
    asked: list[Any] = field(default_factory=list)
    failure: Exception | None = None
    ends_in_time: bool = True
    answer: dict[str, Any] = field(default_factory=dict)

    async def start(self, command: Any) -> Accepted:
        self._note(command)
        service = self.service
        fields = {} if command.thread_id is None else {"thread_id": command.thread_id}
        start = new_start(service.workflow, input_value=command.input, **fields)
        if command.idempotency_key is not None:
            start.idempotency = IdempotencyRecord(
                key=command.idempotency_key,
                request_sha256=command.request_sha256,
                thread_id=start.thread.thread_id,
                execution_id=start.execution.id,
            )
        outcome = await service.journal.start(start)
        if outcome.idempotency is not None:
            thread = await self._thread(outcome.idempotency.thread_id)
            return Accepted(thread=thread, execution_id=thread.execution_id, replayed=True)
        return Accepted(thread=start.thread, execution_id=start.execution.id, created=True)

    async def start_once(self, command: Any) -> Accepted:
        return await self.start(command)

    async def fork(self, command: Any) -> Forked:
        self._note(command)
        await self._thread(command.thread_id)
        forks: list[Fork] = []
        for variant in command.variants:
            start = new_start(self.service.workflow, **({"thread_id": variant.thread_id} if variant.thread_id else {}))
            if (await self.service.journal.start(start)).created:
                accepted = Accepted(thread=start.thread, execution_id=start.execution.id, **self.answer)
                forks.append(Fork(variant=variant, accepted=accepted))
            else:
                forks.append(Fork(variant=variant, error=Conflict("it exists", code="thread_exists")))
        return Forked(thread_id=command.thread_id, version=command.version or 1, forks=forks)

    async def resume(self, command: Any, *, check: Check | None = None) -> Accepted:
        return await self._accepted(command)

    async def rollback(self, command: Any) -> Accepted:
        return await self._accepted(command)

    @property
    def ahead(self) -> Any:
        return SimpleNamespace(rollback=self._ahead, resume=self._ahead)

    async def _ahead(self, command: Any) -> Ahead:
        self._note(command)
        return Ahead(thread=await self._thread(command.thread_id), status=Status.PENDING, kept=[])

    async def cancel(
        self, thread_id: str, reason: str | None = None, *, force: bool = False, check: Check | None = None
    ) -> ThreadRecord:
        self._note(("cancel", reason, force))
        return await self._thread(thread_id)

    async def pause(self, thread_id: str) -> ThreadRecord:
        self._note("pause")
        return await self._thread(thread_id)

    async def checkpoint(self, thread_id: str) -> int:
        return (await self._thread(thread_id)).head_version

    async def wait(self, thread_id: str, timeout: float) -> bool:  # noqa: ASYNC109 - as the engine has it
        self._note(("wait", timeout))
        if not self.ends_in_time:
            await asyncio.sleep(timeout)
        return self.ends_in_time

    async def register(self, document: Any) -> tuple[WorkflowRecord, bool]:
        self._note(document)
        return self.service.workflow, True

    async def validate(self, document: Any) -> WorkflowSpec:
        self._note(document)
        if document == {"name": 1}:
            raise InvalidWorkflow([Problem("/name", "should be text")])
        return specification()

    async def spec(self, definition_id: str) -> WorkflowSpec:
        return specification()

    async def head_refs(self, thread: ThreadRecord) -> Any:
        return await self.load_refs(thread.thread_id, thread.head_version)

    async def load_refs(self, thread_id: str, version: int) -> Any:
        return resolve(await self.service.reads.checkpoints(thread_id), version)

    async def load_state(self, thread_id: str, version: int) -> State:
        refs = await self.load_refs(thread_id, version)
        scope = {one: {"output": {"n": 10**30}, "status": status.value} for one, (_, status) in refs.steps.items()}
        return State(refs, {"input": "a\x00b", "context": {}, **scope})

    def _note(self, asked: Any) -> None:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure

    async def _accepted(self, command: Any) -> Accepted:
        self._note(command)
        thread = await self._thread(command.thread_id)
        return Accepted(**{"thread": thread, "execution_id": thread.execution_id, "from_version": 4} | self.answer)

    async def _thread(self, thread_id: str) -> ThreadRecord:
        thread = await self.service.reads.thread(thread_id)
        if thread is None:
            raise NotFound(f"no thread {thread_id}", code="thread_not_found")
        return thread


class Travel:
    """Time travel over the tables; a replay does nothing."""

    def __init__(self, service: Service, tables: MemoryTables) -> None:
        self._service = service
        self.lines = MemoryTravels(tables)
        archive = MemoryArchive(tables, MemoryGraphCheckpoints(tables))
        self.transfers = Transfers(
            MemoryReads(tables), archive, max_bytes=1_000_000, max_value_bytes=10_000, told=lambda: None
        )

    async def difference(self, thread_id: str, one: int, other: int) -> Difference:
        return await difference(self._service.reads, self.lines, thread_id, one, other)

    async def replay(self, command: ReplayCommand) -> Accepted:
        service = self._service
        [run, *_] = await service.reads.steps(command.thread_id)
        start = new_start(service.workflow)
        origin = ReplayOf(
            thread_id=command.thread_id,
            execution_id=run.execution_id,
            run_id=run.id,
            step_id=command.step_id,
            version=1,
        )
        start.execution.parameters = Parameters(replay_of=origin).text()
        assert (await service.journal.start(start)).created
        return Accepted(thread=start.thread, execution_id=start.execution.id, created=True)


class Service:
    """The stand-in for bootstrap's services."""

    def __init__(self) -> None:
        tables = MemoryTables()
        self.journal, self.reads = MemoryJournal(tables), MemoryReads(tables)
        self.registry = MemoryRegistry(tables)
        self.bus = Bus()
        self.hints = 0
        self.heeded: list[tuple[str, str]] = []
        self.worker: Any = SimpleNamespace(
            free=0,
            slots=7,
            incarnation_id="me",
            hint=self.hint,
            heed=lambda *wish: self.heeded.append(wish),
        )
        self.queues = Admission(MemoryQueues(tables), self.worker)
        self.functions = Functions()
        kinds = {"python": PythonAgents(self.functions, PythonRunner(self.functions, threads=1, processes=1))}
        self.agent_tables = AgentTables()
        self.directory = Directory(MemoryAgents(self.agent_tables), kinds)
        breakers = MemoryBreakers(tables, self.agent_tables.breaker_moved)
        self.breakers = Breakers(breakers, BreakerPolicy(), clock=time.monotonic, random=lambda: 0.0)
        self.series = Series(MemoryMetrics(tables), self.directory, self.breakers.now)
        self.metrics = Metrics(self.series, StoreFigures(self.series.store, self.queues.report), ())
        self.agents = AgentDesk(directory=self.directory, series=self.series, folder=None)
        self.events, self.timelines = MemoryEvents(tables), MemoryTimelines(tables)
        self.threads = MemoryThreads(tables)
        self.logs = LogKeeper(MemoryLogs(), level=20, process=None, days=7, most_bytes=10_000_000)
        self.durable, self.traced, self.fallback = True, False, None
        self.limits: Any = SimpleNamespace(max_body_bytes=100_000, max_import_bytes=1_000_000, heartbeat_seconds=15.0)
        self.travel: Any = Travel(self, tables)
        self.shutting_down = asyncio.Event()
        self.parts: dict[str, dict[str, Any]] = {"store": {"status": "ready"}}
        self.control = Control(self)
        self.mcp: Any = SimpleNamespace(reports=lambda: MCP_SERVERS)
        self.workforce = Workforce(store=MemoryWorkers(tables), worker=self.worker, lease=30.0)
        self._open_waits(tables)
        self._open_policies(tables)
        self._open_messages(tables)
        self.inspector: Any = None  # tests/api/test_repair.py tries those routes on the real one
        self.upkeep = MemoryUpkeep(tables)
        self.mover: Any = SimpleNamespace(move=self.moves)  # tests/api/test_upkeep.py tries the real one
        self.workflow: WorkflowRecord

    def _open_waits(self, tables: MemoryTables) -> None:
        self.gate_book, self.wait_book = MemoryGates(tables), MemoryWaits(tables)
        stores: Any = SimpleNamespace(gates=self.gate_book, reads=self.reads)
        self.gates = Gates(stores, self.worker)
        self.waits = Waits(self.wait_book, self.worker, max_value_bytes=10_000)

    def _open_policies(self, tables: MemoryTables) -> None:
        self.sdk_threads = MemorySdkThreads(tables)
        self.webhooks = webhook_desk(tables)
        self.retention = Retention(
            MemoryRetention(tables, self.agent_tables),
            self.reads,
            usual=lambda: RetentionPolicy(days=30),
            agent_days=lambda: 90,
            every=lambda: 3600,
        )
        self.config = LiveSettings(load_settings(), MemoryConfig())
        self.tickets = Tickets(MemoryKeys(), utc_now)
        self._open_schedules(tables)

    def _open_schedules(self, tables: MemoryTables) -> None:
        control: Any = self.control
        self.schedule_store = MemorySchedules(tables)
        self.schedules = Schedules(self.schedule_store, self.registry, control, Starter(control), self.hint)

    def _open_messages(self, tables: MemoryTables) -> None:
        self.messages = Publisher(MemoryMessages(tables, MemoryPlaces(tables)))
        self.triggers = TriggerDesk(MemoryTriggers(tables), self.registry, self.control)

    async def moves(self, command: Any) -> Moves:
        """One that was moved and one that was not."""
        reason = Reason(code="step_differs", step_id="analyst", message="step analyst has completed, ...")
        status = Status.WAITING
        moved = Outcome(thread_id="a", status=status, from_version=1, execution_id="e-1")
        refused = Outcome(thread_id="b", status=status, from_version=1, reasons=[reason])
        return Moves(to=self.workflow, outcomes=[moved, refused], more=True)

    def hint(self) -> None:
        self.hints += 1

    async def health(self) -> dict[str, dict[str, Any]]:
        return self.parts

    async def drive(self, **thread_fields: Any) -> Driver:
        """Start a thread and drive it."""
        start = new_start(self.workflow, input_value={"topic": "thread"}, **thread_fields)
        await self.journal.start(start)
        return Driver(start)

    async def park(self, step_id: str, **thread_fields: Any) -> tuple[WaitKey, str]:
        """A thread that is parked since this step waits: what the key of what it waits for is, and its step run."""
        driver = await self.drive(**thread_fields)
        row = driver.thread
        run = StepRecord(
            id=uuid7(),
            thread_id=row.thread_id,
            execution_id=row.execution_id,
            key_execution_id=row.execution_id,
            step_id=step_id,
            step_index=1,
            status=StepStatus.WAITING,
            started_at=utc_now(),
        )
        await self.move(driver, driver.move(steps=[run], status=Status.WAITING, wake_at=None))
        return WaitKey(thread_id=row.thread_id, key_execution_id=row.execution_id, step_id=step_id), run.id

    async def move(self, driver: Driver, transition: Transition) -> None:
        """Commit a move and tell the bus, as the engine does."""
        await driver.commit(self.journal, transition)
        thread = driver.thread
        self.bus.publish(
            thread.thread_id,
            await self.reads.events(thread.thread_id, after=thread.last_seq - len(transition.events)),
        )


async def new_service() -> Service:
    """A service with one registered workflow."""
    service = Service()
    service.workflow = await service.registry.register(name="sewing", document=DOCUMENT, hash="1f")
    for name in STEPS:
        service.functions.add(agent(name)(_new_step()))
    for about, origin in service.functions.agents():
        await service.directory.register(about, origin=origin)
    return service


@asynccontextmanager
async def in_process(service: Service) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the app without a server; the bodies of its answers come whole."""
    app: FastAPI = app_of(service)

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {**(state or {})}}, receive, send)

    async with app.router.lifespan_context(app) as state:
        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client


@dataclass
class Served:
    """A service behind a real server."""

    service: Service
    server: Server
    http: httpx.AsyncClient
    port: int


@asynccontextmanager
async def over_http(service: Service) -> AsyncGenerator[Served]:
    """The service on a port of the loopback."""
    with listener("127.0.0.1", 0) as taken:
        server = Server(configure(app_of(service), "info"), service)
        port = taken.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[taken]))
        await until_open(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as http:
            yield Served(service, server, http, port)
        server.should_exit = True
        await serving


async def until_open(port: int) -> None:
    """Return once the port takes connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
        except OSError:
            await asyncio.sleep(0.005)
        else:
            writer.close()
            await writer.wait_closed()
            return


def _new_step() -> Callable[[Any], Any]:
    """What an agent of these tests does; each is marked by its decorator."""

    def step(given: Any) -> Any:
        return given

    return step


class Refused(BackstitchError):
    """An error without a status of its own."""
