"""`backstitch serve` as a child process on a database of its own, and the databases that it and the engine start from."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.store.migrate import upgrade
from benchmarks import postgres
from benchmarks.ours import documents
from benchmarks.processes import START_SECONDS, child

TEMPLATE = "bench_template"
_migrated: set[str] = set()


async def migrated_database(dsn: str, name: str) -> str:
    """A fresh database with our tables, from a template that is migrated once; its DSN."""
    if dsn not in _migrated:
        await upgrade(await postgres.fresh_database(dsn, TEMPLATE))
        _migrated.add(dsn)
    return await postgres.fresh_database(dsn, name, template=TEMPLATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that answers."""

    url: str
    pid: int

    async def post(self, workflow: str, value: Any = None) -> None:
        """Start one workflow."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            answer = await client.post("/api/invoke/async", json={"workflow": workflow, "input": value})
            answer.raise_for_status()


@asynccontextmanager
async def serve(dsn: str, *, modules: str = "benchmarks.ours.functions", slots: int = 1000) -> AsyncIterator[Service]:
    """The service on the database `dsn`, with the benchmark's workflows registered, stopped when the block ends."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="backstitch-bench-") as name:
        folder = Path(name)
        documents.write(folder)
        env = {
            **os.environ,
            "DATABASE_URL": dsn,
            "DATA_DIR": str(folder / "data"),
            "MODULES": modules,
            "WORKFLOWS_DIR": name,
            "MAX_CONCURRENT_THREADS": str(slots),
            "LOG_LEVEL": "error",
            "SHUTDOWN_GRACE_SECONDS": "0.2",
        }
        command = (sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", port)
        async with child(*command, env=env) as server:
            url = f"http://127.0.0.1:{port}"
            await _answers(url, server.process)
            yield Service(url=url, pid=server.pid)


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
        while process.returncode is None:
            try:
                if (await client.get(f"{url}/api/health")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the service ended with {process.returncode} before it answered; its errors are above")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
