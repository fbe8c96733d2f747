"""Both stores, each with one registered workflow: every test here runs on the one and on the other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from app.store.db import open_pool
from app.store.events import PostgresEvents
from app.store.gates import PostgresGates
from app.store.journal import open_journal
from app.store.memory import MemoryJournal
from app.store.memory_events import MemoryEvents, MemoryTimelines
from app.store.memory_gates import MemoryGates
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from app.store.memory_waits import MemoryWaits
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.timelines import PostgresTimelines
from app.store.waits import PostgresWaits
from tests.builders import Driver, new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.domain.event_log import EventLog
    from app.domain.gates import GateBook
    from app.domain.ports import Journal, Reads
    from app.domain.records import WorkflowRecord
    from app.domain.registry import Registry
    from app.domain.timeline import Timelines
    from app.domain.waits import WaitBook

    Opened = tuple[Journal, Reads, Registry, GateBook, EventLog, Timelines, WaitBook]


@dataclass
class Store:
    """One store, by its ports."""

    journal: Journal
    reads: Reads
    registry: Registry
    gates: GateBook
    events: EventLog
    timelines: Timelines
    waits: WaitBook
    workflow: WorkflowRecord

    async def drive(self, **thread_fields: Any) -> Driver:
        """Start a thread and drive it."""
        start = new_start(self.workflow, **thread_fields)
        assert (await self.journal.start(start)).created
        return Driver(start)


@pytest.fixture(params=["memory", "postgres"])
def store_dsn(request: pytest.FixtureRequest) -> str | None:
    """Where the store of this test is; None is in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database_url")


@pytest.fixture
async def store(store_dsn: str | None) -> AsyncGenerator[Store]:
    """An empty store."""
    opened = open_memory() if store_dsn is None else open_postgres(store_dsn)
    async with opened as (journal, reads, registry, gates, events, timelines, waits):
        workflow = await registry.register(name="sewing", document='{"name":"sewing"}', hash="sewing-1")
        yield Store(journal, reads, registry, gates, events, timelines, waits, workflow)


@asynccontextmanager
async def open_memory() -> AsyncIterator[Opened]:
    """All in memory."""
    tables = MemoryTables()
    yield (
        MemoryJournal(tables),
        MemoryReads(tables),
        MemoryRegistry(tables),
        MemoryGates(tables),
        MemoryEvents(tables),
        MemoryTimelines(tables),
        MemoryWaits(tables),
    )


@asynccontextmanager
async def open_postgres(dsn: str) -> AsyncIterator[Opened]:
    """All on one database."""
    async with open_pool(dsn) as pool, open_journal(dsn, pool) as journal:
        yield (
            journal,
            PostgresReads(pool),
            PostgresRegistry(pool),
            PostgresGates(pool, journal.hints),
            PostgresEvents(pool),
            PostgresTimelines(pool),
            PostgresWaits(pool, journal.hints),
        )
