"""A database for each test: one embedded server for the whole run, a migrated template, clones that tests take in turns."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.domain.known_secrets import KNOWN
from app.store.data_dir import DataDirLock
from app.store.embedded import EmbeddedPostgres
from app.store.migrate import upgrade
from tests.databases import Databases, dsn_of, execute
from tests.warm import warm_up

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

_TEMPLATE = "backstitch_template"
# The tests try our code, not PostgreSQL's promise to keep what it has flushed.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "autovacuum": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """A shell's background job ignores SIGINT, and so would all that the tests start to be interrupted."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        warm_up(config)


def pytest_collection() -> None:
    """Nothing of what a collection makes is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """No collection of garbage need look at the modules and the tests themselves again: that was a fifth of all time."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_secrets() -> None:
    """What one test lets the process know is of no interest to the next."""
    KNOWN.clear()


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The DSN of a server that all workers of this run share; the last one stops it."""
    folder = shared_folder(tmp_path_factory) / "server"
    server = EmbeddedPostgres(folder, options=_OPTIONS)
    dsn = server.start()
    try:
        yield dsn
    finally:
        last = server.lock.is_alone()
        server.stop()
        if last:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_template(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with all migrations, which nobody is connected to."""
    with DataDirLock(shared_folder(tmp_path_factory)).turn(), asyncio.Runner() as runner:
        runner.run(_make_template(database_server))
    return _TEMPLATE


@pytest.fixture
async def empty_database_url(database_server: str) -> AsyncGenerator[str]:
    """A new database without any table of ours, dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(database_server, f"CREATE DATABASE {name} STRATEGY file_copy")
    yield dsn_of(database_server, name)
    await execute(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def databases(database_server: str, database_template: str) -> Databases:
    """Those of this worker."""
    return Databases(database_server, database_template)


@pytest.fixture
async def database_url(databases: Databases) -> AsyncGenerator[str]:
    """A database with all migrations and nothing else; whoever is still connected to it after the test is cut off."""
    async with databases.lent() as dsn:
        yield dsn


async def _make_template(server: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        made = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1 AND datistemplate", _TEMPLATE)
        if made:
            return
        await connection.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
        await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        await upgrade(dsn_of(server, _TEMPLATE))
        await connection.execute(f"ALTER DATABASE {_TEMPLATE} IS_TEMPLATE true")
    finally:
        await connection.close()


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of a run: a worker's own base is a folder inside it."""
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-gw") else base
