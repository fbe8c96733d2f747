"""Wires the engine on an open store: the lease, the worker, control, breakers, queues, runners, and their background work."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.bootstrap.agents import agent_desk
from app.bootstrap.doers import open_doers
from app.bootstrap.health import Parts, open_health
from app.bootstrap.kill_point import arm
from app.bootstrap.metrics import count_reach, service_metrics
from app.bootstrap.policies import breaker_policy, follow, open_retention
from app.bootstrap.reach import World, open_reach
from app.bootstrap.services import Limits, Services
from app.bootstrap.traces import open_traces
from app.bootstrap.travel import open_travel
from app.bootstrap.watching import log_keeper, mark_events, watch_flows
from app.domain.hints import Hint
from app.domain.times import utc_now
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
from app.engine.tickets import Tickets
from app.engine.waits import Waits
from app.engine.worker import Worker
from app.engine.workforce import Workforce
from app.telemetry.metrics_parts import WaitFigures

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from app.bootstrap.agents import AgentDesk
    from app.bootstrap.code import Code
    from app.bootstrap.config import LiveSettings
    from app.bootstrap.doers import Doers
    from app.bootstrap.reach import Reach
    from app.bootstrap.stores import Store
    from app.bootstrap.traces import Tracing
    from app.engine.deps import Spawn
    from app.engine.retention import Retention
    from app.settings import Settings
    from app.telemetry.keeping import LogKeeper
    from app.telemetry.metrics import Metrics


async def open_engine(config: LiveSettings, store: Store, code: Code, stack: AsyncExitStack) -> Services:
    """The services on an open store, until the stack closes."""
    engine = await _made(config, store, code, stack)
    count_reach(engine.metrics, engine.reach)
    await engine.set_going(stack)
    follow(config, store, engine.worker, engine.admission, engine.breakers)
    return _services(engine)


async def _made(config: LiveSettings, store: Store, code: Code, stack: AsyncExitStack) -> _Engine:
    """All its parts, wired to each other; what they hold goes with the stack."""
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
    waits = doers.waits.looker = Waits(store.waits, worker, max_value_bytes=settings.max_value_bytes)
    return _Engine(
        config=config,
        store=store,
        code=code,
        bus=bus,
        doers=doers,
        catalog=catalog,
        breakers=breakers,
        agents=agents,
        lease=lease,
        worker=worker,
        logs=logs,
        admission=admission,
        control=control,
        metrics=_metrics(service_metrics(store, agents.series, bus, worker, breakers, admission), waits),
        tracing=open_traces(settings, bus, store.stores.reads, lease.own.id, stack),
        retention=open_retention(config, store, bus),
        waits=waits,
        reach=open_reach(
            World(settings=settings, store=store, control=control, bus=bus, waits=waits, process=lease.own.id)
        ),
    )


def _services(of: _Engine) -> Services:
    settings, store, stores = of.config.now, of.store, of.store.stores
    parts = Parts(of.lease, of.worker, of.admission, of.breakers, of.agents, of.doers.mcp, of.tracing, of.reach)
    of.metrics.sources.append(of.reach.webhooks.figures)
    replays = Replays(stores, store.travels, of.catalog, of.control.starts, of.code.functions.workflow)
    return Services(
        control=of.control,
        reads=stores.reads,
        registry=stores.registry,
        bus=of.bus,
        durable=store.durable,
        fallback=store.fallback,
        limits=_limits(settings),
        shutting_down=asyncio.Event(),
        worker=of.worker,
        queues=of.admission,
        writers=store.writers,
        breakers=of.breakers,
        inspector=Inspector(stores, of.catalog, of.worker, of.bus, store.upkeep),
        mover=Mover(stores, of.catalog, of.worker, of.bus, store.upkeep),
        upkeep=store.upkeep,
        gates=Gates(stores, of.worker),
        waits=of.waits,
        agents=of.agents,
        mcp=of.doers.mcp,
        metrics=of.metrics,
        events=store.events,
        timelines=store.timelines,
        threads=store.threads,
        logs=of.logs,
        pool=store.pool,
        parts=open_health(settings, store, parts),
        traced=of.tracing.on,
        retention=of.retention,
        config=of.config,
        travel=open_travel(settings, store, of.bus, replays),
        messages=of.reach.publisher,
        triggers=of.reach.triggers,
        schedules=of.reach.schedules,
        tickets=Tickets(store.keys, utc_now),
        sdk_threads=store.sdk_threads,
        webhooks=of.reach.webhooks.desk,
        workforce=Workforce(store=store.workers, worker=of.worker, lease=settings.lease_seconds),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """Made, and not yet going."""

    config: LiveSettings
    store: Store
    code: Code
    bus: Bus
    doers: Doers
    catalog: Catalog
    breakers: Breakers
    agents: AgentDesk
    lease: Lease
    worker: Worker
    logs: LogKeeper
    admission: Admission
    control: Control
    metrics: Metrics
    tracing: Tracing
    retention: Retention
    waits: Waits
    reach: Reach

    async def set_going(self, stack: AsyncExitStack) -> None:
        """Enter the background work, which ends in the reverse order."""
        hints, breakers, agents = self.store.stores.hints, self.breakers, self.agents
        breakers.changed = lambda: hints.tell(Hint(sender=hints.sender, breakers=True))
        await breakers.refresh()
        await agents.open()
        for watch in self._watches():
            await stack.enter_async_context(background(watch))
        # Entered before the worker, so that it ends after it: what runs to its end meanwhile keeps its lease.
        await stack.enter_async_context(background(self.lease.run()))
        await stack.enter_async_context(self.worker.open(self._deps))
        ears = {"breakers": breakers.hint, "agents": agents.directory.hint}
        hearing = Hearing(self.worker, self.bus, self.store.stores.reads, **ears)
        hints.listen(hearing.heard)
        await self.reach.open()
        others = (hearing.run(), self.admission.watch(), self.retention.run(), self.config.run())
        for work in (*others, *self.reach.runs()):
            await stack.enter_async_context(background(work))

    def _watches(self) -> list[Coroutine[Any, Any, None]]:
        agents, store = self.agents, self.store
        files = [] if agents.folder is None else [agents.folder.run()]
        told = [self.metrics.run(), mark_events(store.events), *self.tracing.runs()]
        return [agents.directory.run(), agents.series.run(), self.breakers.run(), *told, *files]

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


def _metrics(metrics: Metrics, waits: Waits) -> Metrics:
    metrics.sources.append(WaitFigures(waits).figures)
    return metrics


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
