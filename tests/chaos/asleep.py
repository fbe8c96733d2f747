"""Threads asleep cost rows, not memory; and a thousand that are due at once wake on time."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import psutil
import uvloop

from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.world import ask, database, services

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

AT_ONCE = 1_000
CLIENTS = 16
BOUND = 100_000_000
LAG = 2.0
_DOCUMENT = {"name": "asleep", "steps": [{"id": "nap", "sleep": "{input.for}"}]}
_WAITING = "SELECT count(*) FROM threads WHERE status = 'waiting'"
_DUE = """
    SELECT thread_id, extract(epoch FROM wake_at)::float8 FROM threads
    WHERE status = 'waiting' AND wake_at < now() + interval '10 minutes'
"""
_WOKEN = """
    SELECT thread_id, extract(epoch FROM at)::float8 FROM workflow_events
    WHERE name = 'step_complete' AND thread_id = ANY($1)
"""


async def _run(service: Service, dsn: str, threads: int, outcome: Outcome) -> None:
    assert service.process is not None
    memory = psutil.Process(service.process.pid)
    await _sleepers(service, dsn, 500, lambda: "1h")
    before = await _rss(memory)
    begun = time.monotonic()
    await _sleepers(service, dsn, threads, lambda: "1h", already=500)
    created = time.monotonic() - begun
    grown = await _rss(memory) - before
    due_at = time.time() + 6 + AT_ONCE / 200
    await _sleepers(service, dsn, AT_ONCE, lambda: f"{due_at - time.time():.3f}s", already=500 + threads)
    due = {row[0]: row[1] for row in await ask(dsn, _DUE)}
    outcome.expect(len(due) == AT_ONCE, f"{len(due)} are due at once instead of {AT_ONCE}")
    outcome.expect(time.time() < due_at - 0.2, "they were not all asleep when the time came: nothing was tried")
    worked = sum(memory.cpu_times()[:2])
    woken = await _wait_for(dsn, list(due))
    worked = sum(memory.cpu_times()[:2]) - worked
    late = [woken[thread] - at for thread, at in due.items() if thread in woken]
    p99 = percentile(late, 0.99)
    outcome.figures |= {
        "asleep": threads,
        "created a second": round(threads / created),
        "memory": f"{grown / 1e6:+.1f} MB",
        "woken": len(woken),
        "lag p50": f"{percentile(late, 0.5):.2f} s",
        "lag p99": f"{p99:.2f} s",
        "cpu to wake them": f"{worked:.2f} s",
        "due within": f"{max(due.values()) - min(due.values()):.2f} s",
    }
    outcome.expect(grown < BOUND, f"the memory grew by {grown / 1e6:.0f} MB")
    outcome.expect(len(woken) == AT_ONCE, f"only {len(woken)} woke")
    outcome.expect(p99 < LAG, f"p99 of the lag is {p99:.2f} s")
    [[still]] = await ask(dsn, _WAITING)
    outcome.expect(still == threads + 500, f"{still} are asleep still instead of {threads + 500}")


async def _sleepers(service: Service, dsn: str, threads: int, how_long: Any, *, already: int = 0) -> None:
    """Start them over HTTP and wait until all are asleep, with `already` who were before."""
    numbers, stop = count(), asyncio.get_running_loop().time() + 600 + threads / 50

    async def client() -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False, limits=limits) as http:
            while next(numbers) < threads:
                while asyncio.get_running_loop().time() < stop:
                    body = {"workflow": "asleep", "input": {"for": how_long()}}
                    answer = await http.post("/api/invoke/async", json=body)
                    if answer.status_code == 202:
                        break
                    assert answer.status_code in (429, 503), answer.text
                    await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(client())
    connection = await asyncpg.connect(dsn)
    try:
        while asyncio.get_running_loop().time() < stop:
            if await connection.fetchval(_WAITING) == already + threads:
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    raise AssertionError("they are not all asleep")


async def _rss(memory: psutil.Process) -> int:
    """When it has calmed down."""
    await asyncio.sleep(2.0)
    return memory.memory_info().rss


async def _wait_for(dsn: str, threads: list[str]) -> dict[str, float]:
    deadline = time.monotonic() + 60
    woken: dict[str, float] = {}
    while len(woken) < len(threads) and time.monotonic() < deadline:
        woken = {row[0]: row[1] for row in await ask(dsn, _WOKEN, threads)}
        await asyncio.sleep(0.3)
    return woken


def run(threads: int, folder: Path) -> Outcome:
    """So many asleep for an hour, and a thousand who are to wake in some seconds."""
    outcome = Outcome()
    with (
        database(folder) as base,
        services(folder, 1, DATABASE_URL=base.dsn) as [service],
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        service.register(_DOCUMENT)
        runner.run(_run(service, base.dsn, threads, outcome))
    return outcome


ROWS = (
    Row(
        name="asleep",
        fault="many threads asleep, 1,000 of them due at once",
        passes="the memory grows by less than 100 MB; the 1,000 wake with p99 lag < 2 s",
        unit="threads",
        doses=(5_000, 100_000),
        bounds=(120, 1_800),
        run=run,
    ),
)
