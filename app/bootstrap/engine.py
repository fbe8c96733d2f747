"""Wires the engine on an open store: the lease, the worker, control, breakers, queues, runners, and their background work."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.bootstrap.agents import AgentDesk, agent_desk
from app.bootstrap.doers import open_doers
from app.bootstrap.health import Parts, open_health
from app.bootstrap.kill_point import arm
from app.bootstrap.metrics import service_metrics
from app.bootstrap.policies import breaker_policy, follow, open_retention
from app.bootstrap.traces import open_traces
from app.bootstrap.travel import open_travel
from app.bootstrap.watching import log_keeper, mark_events, watch_flows
from app.domain.hints import Hint
from app.engine.admission import Admission
from app.engine.breaker import Breakers
from app.engine.bus import Bus
from app.engine.catalog import Catalog
from app.engine.control import Control
from app.engine.deps import Deps
from app.engine.gates import Gates
from app.engine.hearing import Hearing
from app.engine.inspection import Inspector
from app.engine.lease import Lease
from app.engine.moving import Mover
from app.engine.replay import Replays
from app.engine.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence

    from app.bootstrap.code import Code
    from app.bootstrap.config import LiveSettings
    from app.bootstrap.doers import Doers
    from app.bootstrap.stores import Store
    from app.domain.event_log import EventLog
    from app.domain.ports import Reads, Registry
    from app.domain.timeline import Timelines
    from app.domain.upkeep import Upkeep
    from app.engine.deps import Spawn
    from app.engine.retention import Retention
    from app.engine.travel import Travel
    from app.runners.mcp_servers import McpServers
    from app.settings import Settings
    from app.store.pool import Pool
    from app.store.writer import GroupWriter
    from app.telemetry.health import Health
    from app.telemetry.keeping import LogKeeper
    from app.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the HTTP side is bounded by."""

    max_body_bytes: int
    max_import_bytes: int
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The wired service, as the API uses it."""

    control: Control
    reads: Reads
    registry: Registry
    bus: Bus
    durable: bool
    fallback: str | None
    limits: Limits
    shutting_down: asyncio.Event
    worker: Worker
    queues: Admission
    writers: list[GroupWriter]
    breakers: Breakers
    inspector: Inspector
    mover: Mover
    upkeep: Upkeep
    gates: Gates
    agents: AgentDesk
    mcp: McpServers
    metrics: Metrics
    events: EventLog
    timelines: Timelines
    logs: LogKeeper
    pool: Pool | None
    parts: Health
    traced: bool
    retention: Retention
    config: LiveSettings
    travel: Travel

    async def health(self) -> Mapping[str, Mapping[str, Any]]:
        """Every part by name with its `status`; quick, whatever hangs."""
        return await self.parts.report()


async def open_engine(config: LiveSettings, store: Store, code: Code, stack: AsyncExitStack) -> Services:
    """The services on an open store, until the stack closes."""
    settings, bus = config.now, Bus()
    if settings.kill_point is not None:
        arm(settings.kill_point, store, bus)
    doers = await open_doers(settings, store, code, stack)
    catalog, breakers = Catalog(store.stores.registry, doers.runners), _breakers(settings, store)
    agents = agent_desk(settings, store, doers.directory, breakers)
    lease, worker = _lease_and_worker(settings, store, catalog)
    await lease.open()
    stack.push_async_callback(lease.close)
    logs = log_keeper(settings, store, lease.own.id)
    await stack.enter_async_context(background(logs.run()))
    stack.enter_context(logs.attached())
    watch_flows(settings, bus)
    admission = _admission(settings, store, worker)
    control = Control(store.stores, catalog, worker, bus, admission)
    doers.sub_workflows.starter, doers.sub_workflows.reads = control, store.stores.reads
    metrics = service_metrics(store, agents.series, bus, worker, breakers, admission)
    tracing = open_traces(settings, bus, store.stores.reads, lease.own.id, stack)
    replays = Replays(store.stores, store.travels, catalog, control.starts, code.functions.workflow)
    watches = [metrics.run(), mark_events(store.events), *tracing.runs()]
    engine = _Engine(config, store, lease, worker, bus, breakers, doers, code, admission, agents, watches)
    retention = open_retention(config, store, bus)
    await engine.set_going(stack)
    for work in (retention.run(), config.run()):
        await stack.enter_async_context(background(work))
    follow(config, store, worker, admission, breakers)
    return Services(
        control=control,
        reads=store.stores.reads,
        registry=store.stores.registry,
        bus=bus,
        durable=store.durable,
        fallback=store.fallback,
        limits=_limits(settings),
        shutting_down=asyncio.Event(),
        worker=worker,
        queues=admission,
        writers=store.writers,
        breakers=breakers,
        inspector=Inspector(store.stores, catalog, worker, bus, store.upkeep),
        mover=Mover(store.stores, catalog, worker, bus, store.upkeep),
        upkeep=store.upkeep,
        gates=Gates(store.stores, worker),
        agents=agents,
        mcp=doers.mcp,
        metrics=metrics,
        events=store.events,
        timelines=store.timelines,
        logs=logs,
        pool=store.pool,
        parts=open_health(settings, store, Parts(lease, worker, admission, breakers, agents, doers.mcp, tracing)),
        traced=tracing.on,
        retention=retention,
        config=config,
        travel=open_travel(settings, store, bus, replays),
    )


@dataclass(frozen=True, slots=True)
class _Engine:
    """Made, and not yet going."""

    config: LiveSettings
    store: Store
    lease: Lease
    worker: Worker
    bus: Bus
    breakers: Breakers
    doers: Doers
    code: Code
    admission: Admission
    agents: AgentDesk
    watches: Sequence[Coroutine[Any, Any, None]]
    """More to do in the background."""

    async def set_going(self, stack: AsyncExitStack) -> None:
        """Enter the background work, which ends in the reverse order."""
        hints, breakers, agents = self.store.stores.hints, self.breakers, self.agents
        breakers.changed = lambda: hints.tell(Hint(sender=hints.sender, breakers=True))
        await breakers.refresh()
        await agents.open()
        watches = [agents.directory.run(), agents.series.run(), breakers.run(), *self.watches]
        for watch in watches if agents.folder is None else [*watches, agents.folder.run()]:
            await stack.enter_async_context(background(watch))
        # Entered before the worker, so that it ends after it: what runs to its end meanwhile keeps its lease.
        await stack.enter_async_context(background(self.lease.run()))
        await stack.enter_async_context(self.worker.open(self._deps))
        ears = {"breakers": breakers.hint, "agents": agents.directory.hint}
        hearing = Hearing(self.worker, self.bus, self.store.stores.reads, **ears)
        hints.listen(hearing.heard)
        await stack.enter_async_context(background(hearing.run()))
        await stack.enter_async_context(background(self.admission.watch()))

    def _deps(self, spawn: Spawn) -> Deps:
        return Deps(
            journal=self.store.stores.journal,
            reads=self.store.stores.reads,
            bus=self.bus,
            breakers=self.breakers,
            runners=self.doers.runners,
            flows=self.code.functions.workflow,
            spawn=spawn,
            random=random.random,
            waits_for=self.worker.waits_for,
            heed=self.worker.heed,
            forsake=self.worker.forsake,
            may_start=self._may_start,
            is_dead=self.lease.is_dead,
            max_value_bytes=self.config.now.max_value_bytes,
            checkpoints=lambda: self.config.now.checkpoints,
        )

    def _may_start(self) -> bool:
        return self.lease.holds and all(writer.available for writer in self.store.writers)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_import_bytes=settings.import_max_bytes,
        heartbeat_seconds=settings.sse_heartbeat_seconds,
    )


def _admission(settings: Settings, store: Store, worker: Worker) -> Admission:
    return Admission(
        store.stores.queues,
        worker,
        limit=settings.queue_limit,
        max_depth=settings.queue_max_depth,
        slots=settings.max_concurrent_threads,
    )


def _lease_and_worker(settings: Settings, store: Store, catalog: Catalog) -> tuple[Lease, Worker]:
    # The worker needs the lease's id and the lease the worker's ear.
    hints = store.stores.hints
    lease = Lease(
        store.stores.journal,
        seconds=settings.lease_seconds,
        alone=store.alone,
        freed=lambda: worker.hint(),  # noqa: PLW0108
        renewed=lambda: worker.go_on(),  # noqa: PLW0108
        company=lambda there: setattr(hints, "wanted", there),
    )
    worker = Worker(
        store.stores,
        catalog.spec,
        lease.own.id,
        slots=settings.max_concurrent_threads,
        grace=settings.shutdown_grace_seconds,
        max_recoveries=settings.max_recoveries,
    )
    return lease, worker


def _breakers(settings: Settings, store: Store) -> Breakers:
    return Breakers(store.stores.breakers, breaker_policy(settings), clock=time.monotonic, random=random.random)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Do `work` beside the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()
