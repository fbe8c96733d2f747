"""Opens the store that the settings ask for: a PostgreSQL, the embedded one, or memory."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg

from app.domain.errors import StartupError
from app.engine.deps import Stores
from app.store.agent_health import PostgresAgentHealth
from app.store.agents import PostgresAgents
from app.store.breakers import PostgresBreakers
from app.store.data_dir import DataDirLock, make_data_dir
from app.store.db import LOST, describe, open_pool
from app.store.embedded import embedded_postgres
from app.store.gates import PostgresGates
from app.store.journal import open_journal
from app.store.langgraph import PostgresGraphCheckpoints
from app.store.memory import MemoryJournal
from app.store.memory_agents import AgentTables, MemoryAgentHealth, MemoryAgents
from app.store.memory_breakers import MemoryBreakers
from app.store.memory_gates import MemoryGates
from app.store.memory_hints import NoHints
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_queue import MemoryQueues
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from app.store.memory_transfer import MemoryArchive
from app.store.memory_travel import MemoryTravels
from app.store.migrate import upgrade
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.transfer import PostgresArchive
from app.store.travel import PostgresTravels

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.agent_health import AgentHealthStore
    from app.domain.agents import AgentStore
    from app.domain.graph_checkpoints import GraphCheckpoints
    from app.domain.transfer import Archive
    from app.domain.travel import Travels
    from app.settings import Settings
    from app.store.writer import GroupWriter

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Store:
    """An open store.  `fallback`: why memory stands in for the database; `alone`: no other process can be using it."""

    stores: Stores
    agents: AgentStore
    agent_health: AgentHealthStore
    graph_checkpoints: GraphCheckpoints
    travels: Travels
    archive: Archive
    durable: bool
    fallback: str | None = None
    alone: Callable[[], bool] = field(default=lambda: False)
    writers: list[GroupWriter] = field(default_factory=list["GroupWriter"])


async def open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    """The store, until the stack closes.  Raises StartupError in one line."""
    if not settings.is_durable:
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
    try:
        await upgrade(dsn, schema)
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
    except (*LOST, asyncpg.PostgresError) as error:
        raise StartupError(f"PostgreSQL cannot be used: {describe(error)} (see DATABASE_URL)") from error
    stores = Stores(
        journal=journal,
        reads=PostgresReads(pool),
        registry=PostgresRegistry(pool),
        hints=journal.hints,
        queues=journal.queues,
        breakers=PostgresBreakers(pool),
        gates=PostgresGates(pool, journal.hints),
    )
    return Store(
        stores=stores,
        agents=PostgresAgents(pool),
        agent_health=PostgresAgentHealth(pool),
        graph_checkpoints=PostgresGraphCheckpoints(pool),
        travels=PostgresTravels(pool),
        archive=PostgresArchive(pool),
        durable=True,
        alone=alone,
        writers=journal.writers,
    )


def _memory(settings: Settings, reason: str | None) -> Store:
    tables, agents = MemoryTables(queue_limit=settings.queue_limit), AgentTables()
    graphs = MemoryGraphCheckpoints(tables)
    stores = Stores(
        journal=MemoryJournal(tables),
        reads=MemoryReads(tables),
        registry=MemoryRegistry(tables),
        hints=NoHints(),
        queues=MemoryQueues(tables),
        breakers=MemoryBreakers(tables, agents.breaker_moved),
        gates=MemoryGates(tables),
    )
    return Store(
        stores=stores,
        agents=MemoryAgents(agents),
        agent_health=MemoryAgentHealth(agents),
        graph_checkpoints=graphs,
        travels=MemoryTravels(tables),
        archive=MemoryArchive(tables, graphs),
        durable=False,
        fallback=reason,
    )
