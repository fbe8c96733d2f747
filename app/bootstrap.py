"""Wires the service: settings in, running services out, in one exit stack; nothing is made at import."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.domain.errors import StartupError
from app.engine.bus import Bus
from app.engine.catalog import Catalog
from app.engine.control import Control
from app.engine.deps import Deps, Stores
from app.engine.lease import Lease
from app.engine.worker import Worker
from app.runners.http import HttpRunner
from app.runners.python import PythonRunner
from app.runners.registration import Functions, load_modules
from app.runners.sleep import SleepRunner
from app.runners.workflow import WorkflowRunner
from app.settings import Settings
from app.store.data_dir import DataDirLock, make_data_dir
from app.store.db import LOST, describe, open_pool
from app.store.embedded import embedded_postgres
from app.store.journal import open_journal
from app.store.memory import MemoryJournal
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from app.store.migrate import upgrade
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping

    from app.domain.ports import Reads, Registry
    from app.domain.runner import Runner
    from app.store.writer import GroupWriter

__all__ = ["Services", "Settings", "open_services"]

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the HTTP side is bounded by."""

    max_body_bytes: int
    heartbeat_seconds: float


@dataclass(slots=True, kw_only=True)
class Store:
    """An open store.  `fallback`: why memory stands in for the database; `alone`: no other process can be using it."""

    stores: Stores
    durable: bool
    fallback: str | None = None
    alone: Callable[[], bool] = field(default=lambda: False)
    writers: list[GroupWriter] = field(default_factory=list["GroupWriter"])


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
    writers: list[GroupWriter]

    async def health(self) -> Mapping[str, Mapping[str, Any]]:
        """Every part by name with its `status`."""
        store = await self.reads.health()
        down = store.error or next(("the journal has no connection" for w in self.writers if not w.available), None)
        database = {"status": "unavailable", "detail": down} if down else {"status": "ready"}
        if self.fallback:
            database = {"status": "degraded", "detail": self.fallback}
        queued = sum(writer.depth for writer in self.writers)
        return {
            "database": {**database, "kind": store.kind, "latency_ms": store.latency_ms},
            "journal": {"status": "unavailable" if down else "ready", "durable": self.durable, "queued": queued},
            "worker": {"status": "ready", "running": self.worker.running, "free_slots": self.worker.free},
        }


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """The services, until the block ends.  Raises StartupError with one line."""
    with _bare_startup_errors():
        async with AsyncExitStack() as stack:
            functions = load_functions(settings)
            store = await _open_store(settings, stack)
            services = await _open_engine(settings, store, functions, stack)
            await _register_workflows(settings, services.control)
            yield services


@contextmanager
def _bare_startup_errors() -> Generator[None]:
    """A StartupError comes out of the task groups as it was raised."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = group.subgroup(StartupError)
        if found is None:
            raise
        error: BaseException = found
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def tune_garbage_collector() -> None:
    """For a process that does nothing but serve: collect seldom, and never look again at what start-up made.

    A step leaves few cycles behind, and a collection walks every thread in memory: at 1,000 in flight the default
    thresholds cost a fifth of all CPU time (docs/benchmarks.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def load_functions(settings: Settings) -> Functions:
    """The functions and agents of MODULES, and those of the example.  Raises StartupError."""
    from app.examples import content_strategy  # noqa: PLC0415 - its libraries load with its steps

    functions = load_modules(settings.modules)
    for agent in content_strategy.agents():
        functions.add(agent)
    return functions


async def _open_engine(settings: Settings, store: Store, functions: Functions, stack: AsyncExitStack) -> Services:
    bus, sub_workflows = Bus(), WorkflowRunner()
    runners = _runners(settings, functions, sub_workflows, stack)
    catalog = Catalog(store.stores.registry, runners)
    # The worker needs the lease's id and the lease the worker's ear.
    lease = Lease(store.stores.journal, seconds=settings.lease_seconds, alone=store.alone, freed=lambda: worker.hint())  # noqa: PLW0108
    worker = Worker(
        store.stores,
        catalog.spec,
        lease.own.id,
        slots=settings.max_concurrent_threads,
        grace=settings.shutdown_grace_seconds,
    )

    def deps(spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> Deps:
        return Deps(
            journal=store.stores.journal,
            bus=bus,
            runners=runners,
            spawn=spawn,
            random=random.random,
            waits_for=worker.waits_for,
            max_value_bytes=settings.max_value_bytes,
        )

    await lease.open()
    stack.push_async_callback(lease.close)
    control = Control(store.stores, catalog, worker, bus)
    sub_workflows.starter, sub_workflows.reads = control, store.stores.reads
    await stack.enter_async_context(worker.open(deps))
    await stack.enter_async_context(_background(lease.run()))
    return Services(
        control=control,
        reads=store.stores.reads,
        registry=store.stores.registry,
        bus=bus,
        durable=store.durable,
        fallback=store.fallback,
        limits=Limits(max_body_bytes=settings.max_body_bytes, heartbeat_seconds=settings.sse_heartbeat_seconds),
        shutting_down=asyncio.Event(),
        worker=worker,
        writers=store.writers,
    )


def _runners(
    settings: Settings, functions: Functions, sub_workflows: WorkflowRunner, stack: AsyncExitStack
) -> dict[str, Runner]:
    http = HttpRunner(allow_private=settings.http_allow_private, max_bytes=settings.max_value_bytes)
    stack.push_async_callback(http.aclose)
    python = PythonRunner(functions, threads=settings.step_threads, processes=settings.step_processes)
    return {"python": python, "agent": python, "http": http, "sleep": SleepRunner(), "workflow": sub_workflows}


async def _open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    if not settings.is_durable:
        return _memory(None)
    try:
        async with AsyncExitStack() as opening:
            store = await _open_postgres(settings, opening)
            stack.push_async_exit(opening.pop_all())
            return store
    except StartupError as error:
        if settings.persistence_fallback != "memory":
            raise
        _log.warning("running without a database, nothing outlives this process: %s", error)
        return _memory(str(error))


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
            open_journal(dsn, pool, schema=schema, lanes=settings.journal_lanes, batch=settings.journal_batch)
        )
    except (*LOST, asyncpg.PostgresError) as error:
        raise StartupError(f"PostgreSQL cannot be used: {describe(error)} (see DATABASE_URL)") from error
    stores = Stores(journal=journal, reads=PostgresReads(pool), registry=PostgresRegistry(pool))
    return Store(stores=stores, durable=True, alone=alone, writers=journal.writers)


def _memory(reason: str | None) -> Store:
    tables = MemoryTables()
    stores = Stores(journal=MemoryJournal(tables), reads=MemoryReads(tables), registry=MemoryRegistry(tables))
    return Store(stores=stores, durable=False, fallback=reason)


async def _register_workflows(settings: Settings, control: Control) -> None:
    """The example, and the documents in WORKFLOWS_DIR.  Raises StartupError that names the file."""
    from app.examples import content_strategy  # noqa: PLC0415

    files = [content_strategy.DOCUMENT]
    if settings.workflows_dir is not None:
        try:
            files += sorted(p for p in settings.workflows_dir.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
        except OSError as error:
            raise StartupError(f"WORKFLOWS_DIR cannot be read: {error.strerror}: {settings.workflows_dir}") from error
    for file in files:
        try:
            await control.register(file.read_text(encoding="utf-8"))
        except Exception as error:
            raise StartupError(f"{file.name} is not a workflow that can run: {error}") from error


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()
