"""Opens the store that the settings ask for: a PostgreSQL, the embedded one, or memory."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg

from app.domain.errors import StartupError
from app.engine.deps import Stores
from app.store.agents import PostgresAgents
from app.store.breakers import PostgresBreakers
from app.store.config import PostgresConfig
from app.store.data_dir import DataDirLock, make_data_dir
from app.store.db import LOST, describe, open_pool, unusable
from app.store.embedded import embedded_postgres
from app.store.events import PostgresEvents
from app.store.followers import PostgresPlaces
from app.store.gates import PostgresGates
from app.store.journal import open_journal
from app.store.keys import MemoryKeys, PostgresKeys
from app.store.langgraph import PostgresGraphCheckpoints
from app.store.logs import PostgresLogs
from app.store.memory import MemoryJournal
from app.store.memory_agents import AgentTables, MemoryAgents
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_config import MemoryConfig
from app.store.memory_deliveries import MemoryDeliveries, MemoryDeliveryLog
from app.store.memory_events import MemoryEvents, MemoryTimelines
from app.store.memory_followers import MemoryPlaces
from app.store.memory_gates import MemoryGates
from app.store.memory_hints import NoHints
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
from app.store.memory_versions import MemoryVersions
from app.store.memory_waits import MemoryWaits
from app.store.memory_webhooks import MemoryWebhooks, WebhookTables
from app.store.memory_workers import MemoryWorkers
from app.store.messages import open_messages
from app.store.metrics import PostgresMetrics
from app.store.migrate import upgrade
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.restored import place_anew
from app.store.retention import PostgresRetention
from app.store.schedules import PostgresSchedules
from app.store.sdk_threads import PostgresSdkThreads
from app.store.threads import PostgresThreads
from app.store.timelines import PostgresTimelines
from app.store.transfer import PostgresArchive
from app.store.travel import PostgresTravels
from app.store.triggers import PostgresTriggers
from app.store.upkeep import PostgresUpkeep
from app.store.versions import PostgresVersions
from app.store.waits import PostgresWaits
from app.store.webhook_queue import PostgresDeliveries
from app.store.webhooks import PostgresDeliveryLog, PostgresWebhooks
from app.store.workers import PostgresWorkers

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.agents import AgentStore
    from app.domain.config import ConfigStore
    from app.domain.event_log import EventLog
    from app.domain.graph_checkpoints import GraphCheckpoints
    from app.domain.logs import LogBook
    from app.domain.message_book import MessageBook
    from app.domain.messages import Places
    from app.domain.metrics import MetricsStore
    from app.domain.retention import RetentionStore
    from app.domain.schedule_store import ScheduleStore
    from app.domain.sdk_threads import SdkThreads
    from app.domain.thread_list import ThreadList
    from app.domain.tickets import Keys
    from app.domain.timeline import Timelines
    from app.domain.transfer import Archive
    from app.domain.travel import Travels
    from app.domain.triggers import TriggerStore
    from app.domain.upkeep import Upkeep
    from app.domain.waits import WaitBook
    from app.domain.webhook_store import DeliveryLog, DeliveryQueue, WebhookBook
    from app.domain.workers import Workers
    from app.settings import Settings
    from app.store.journal import PostgresJournal
    from app.store.pool import Pool
    from app.store.writer import GroupWriter

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Store:
    """An open store.  `fallback`: why memory stands in for the database; `alone`: no other process can be using it."""

    stores: Stores
    agents: AgentStore
    metrics: MetricsStore
    graph_checkpoints: GraphCheckpoints
    upkeep: Upkeep
    events: EventLog
    timelines: Timelines
    threads: ThreadList
    logs: LogBook
    retention: RetentionStore
    config: ConfigStore
    travels: Travels
    archive: Archive
    places: Places
    messages: MessageBook
    triggers: TriggerStore
    schedules: ScheduleStore
    keys: Keys
    sdk_threads: SdkThreads
    webhooks: WebhookBook
    deliveries: DeliveryQueue
    delivery_log: DeliveryLog
    waits: WaitBook
    workers: Workers
    durable: bool
    fallback: str | None = None
    alone: Callable[[], bool] = field(default=lambda: False)
    writers: list[GroupWriter] = field(default_factory=list["GroupWriter"])
    pool: Pool | None = None
    line_down_since: Callable[[], float | None] = field(default=lambda: None)
    """Since when this process does not hear the others, by the monotonic clock."""


async def open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    """The store, until the stack closes.  Raises StartupError in one line."""
    if not settings.is_durable:
        _log.warning("running on the memory journal as the settings say: nothing outlives this process")
        return _memory(settings, None)
    try:
        async with AsyncExitStack() as opening:
            store = await _open_postgres(settings, opening)
            stack.push_async_exit(opening.pop_all())
            return store
    except StartupError as error:
        if settings.persistence_fallback != "memory":
            raise
        _log.warning("running without a database, nothing outlives this process: %s", error)
        return _memory(settings, str(error))


async def _open_postgres(settings: Settings, stack: AsyncExitStack) -> Store:
    dsn, schema, alone = settings.database_dsn, settings.postgres_schema, lambda: False
    if dsn is None:
        lock = DataDirLock(make_data_dir(settings.data_dir))
        dsn = await stack.enter_async_context(embedded_postgres(settings.data_dir, lock))
        alone = lock.is_alone
    pool, journal = await _connected(settings, dsn, schema, stack)
    stores = Stores(
        journal=journal,
        reads=PostgresReads(pool),
        registry=PostgresRegistry(pool),
        hints=journal.hints,
        queues=journal.queues,
        breakers=PostgresBreakers(pool),
        gates=PostgresGates(pool, journal.hints),
        versions=PostgresVersions(pool),
    )
    return Store(
        stores=stores,
        agents=PostgresAgents(pool),
        metrics=PostgresMetrics(pool),
        graph_checkpoints=PostgresGraphCheckpoints(pool),
        upkeep=PostgresUpkeep(pool),
        events=PostgresEvents(pool),
        timelines=PostgresTimelines(pool),
        threads=PostgresThreads(pool),
        logs=PostgresLogs(pool),
        retention=PostgresRetention(pool),
        config=PostgresConfig(pool),
        travels=PostgresTravels(pool),
        archive=PostgresArchive(pool),
        places=PostgresPlaces(pool),
        messages=await stack.enter_async_context(open_messages(pool, journal.hints)),
        triggers=PostgresTriggers(pool),
        schedules=PostgresSchedules(pool),
        keys=PostgresKeys(pool),
        sdk_threads=PostgresSdkThreads(pool),
        webhooks=PostgresWebhooks(pool),
        deliveries=PostgresDeliveries(pool),
        delivery_log=PostgresDeliveryLog(pool),
        waits=PostgresWaits(pool, journal.hints),
        workers=PostgresWorkers(pool),
        durable=True,
        alone=alone,
        writers=journal.writers,
        pool=pool,
        line_down_since=lambda: journal.hints.down_since,
    )


async def _connected(settings: Settings, dsn: str, schema: str, stack: AsyncExitStack) -> tuple[Pool, PostgresJournal]:
    try:
        await upgrade(dsn, schema)
        if placed := await place_anew(dsn, schema):
            _log.warning(
                "the database is restored from another server: its %d events and messages have new places", placed
            )
        pool = await stack.enter_async_context(open_pool(dsn, size=settings.database_pool_size, schema=schema))
        journal = await stack.enter_async_context(
            open_journal(
                dsn,
                pool,
                schema=schema,
                lanes=settings.journal_lanes,
                batch=settings.journal_batch,
                queue_limit=settings.queue_limit,
            )
        )
    except ValueError as error:
        raise unusable(error) from None
    except (*LOST, asyncpg.PostgresError) as error:
        raise StartupError(f"PostgreSQL cannot be used: {describe(error)} (see DATABASE_URL)") from error
    return pool, journal


def _memory(settings: Settings, reason: str | None) -> Store:
    tables, agents = MemoryTables(queue_limit=settings.queue_limit), AgentTables()
    graphs, logs = MemoryGraphCheckpoints(tables), MemoryLogs()
    places = MemoryPlaces(tables)
    tables.on_forget.append(logs.forget)
    webhooks = WebhookTables(tables)
    stores = Stores(
        journal=MemoryJournal(tables),
        reads=MemoryReads(tables),
        registry=MemoryRegistry(tables),
        hints=NoHints(),
        queues=MemoryQueues(tables),
        breakers=MemoryBreakers(tables, agents.breaker_moved),
        gates=MemoryGates(tables),
        versions=MemoryVersions(tables),
    )
    return Store(
        stores=stores,
        agents=MemoryAgents(agents),
        metrics=MemoryMetrics(tables),
        upkeep=MemoryUpkeep(tables),
        events=MemoryEvents(tables),
        timelines=MemoryTimelines(tables),
        threads=MemoryThreads(tables),
        logs=logs,
        retention=MemoryRetention(tables, agents),
        config=MemoryConfig(),
        graph_checkpoints=graphs,
        travels=MemoryTravels(tables),
        archive=MemoryArchive(tables, graphs),
        places=places,
        messages=MemoryMessages(tables, places),
        triggers=MemoryTriggers(tables),
        schedules=MemorySchedules(tables),
        keys=MemoryKeys(),
        sdk_threads=MemorySdkThreads(tables),
        webhooks=MemoryWebhooks(webhooks),
        deliveries=MemoryDeliveries(webhooks),
        delivery_log=MemoryDeliveryLog(webhooks),
        waits=MemoryWaits(tables),
        workers=MemoryWorkers(tables),
        durable=False,
        fallback=reason,
    )
