"""pg_terminate_backend of any connection of the service, at random, while it works."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import httpx
import psutil

from tests.chaos.frame import Outcome, Row
from tests.chaos.world import Load, ask, database, judge, services, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

POOL = 5
_OURS = "backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name LIKE 'backstitch%'"
_COUNT = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS}"
_ONE = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS} ORDER BY random() LIMIT 1"
_BUSY = (
    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS} "
    "ORDER BY (state <> 'idle') DESC, random() LIMIT 1"
)
_FAILED = (
    "SELECT count(*) FROM workflow_events WHERE name IN ('workflow_failed', 'workflow_interrupted', 'step_failed')"
)


def run(kills: int, folder: Path) -> Outcome:
    """So many connections, every second of them one that was busy."""
    outcome = Outcome()
    with (
        database(folder) as base,
        services(folder, 1, DATABASE_URL=base.dsn, DATABASE_POOL_SIZE=POOL, LEASE_SECONDS=2) as [service],
    ):
        before = _count(service, base.dsn)
        with Load([service], per_second=10, sleep=0.1) as load, _Readers(service) as readers:
            terminated = asyncio.run(_terminate(base.dsn, kills))
        settle(base.dsn, len(load.threads), 60)
        judge(base.dsn, outcome, load.threads, folder)
        after = _count(service, base.dsn)
        [[failed]] = base.sql(_FAILED)
    outcome.figures = {
        "terminated": terminated,
        "connections": f"{before[0]} -> {after[0]}",
        "descriptors": f"{before[1]} -> {after[1]}",
        "failed": failed,
        "reads": readers.reads,
        "refused": load.refusals[503] + readers.refused,
    } | outcome.figures
    outcome.expect(terminated == kills, f"only {terminated} connections were there to terminate")
    outcome.expect(after[0] <= before[0], f"{after[0] - before[0]} connections leaked")
    outcome.expect(after[1] <= before[1], f"{after[1] - before[1]} descriptors leaked")
    outcome.expect(failed == 0, f"{failed} workflows or steps failed")
    outcome.expect(not load.odd_answers, f"odd answers to starts: {dict(load.odd_answers)}")
    outcome.expect(not readers.odd, f"odd answers to reads: {readers.odd[:3]}")
    outcome.failures += load.trouble
    return outcome


async def _terminate(dsn: str, kills: int) -> int:
    dice, done, deadline = random.Random(3), 0, time.monotonic() + kills * 2 + 30
    while done < kills and time.monotonic() < deadline:
        done += len(await ask(dsn, _BUSY if dice.random() < 0.5 else _ONE))
        await asyncio.sleep(dice.uniform(0.02, 0.35))
    return done


def _count(service: Service, dsn: str) -> tuple[int, int]:
    """Connections and descriptors once the pool is as full as it gets, and nobody asks any more."""
    for _ in range(3):
        with httpx.Client(base_url=service.url, trust_env=False) as http, ThreadPoolExecutor(30) as many:
            list(many.map(lambda _: http.get("/api/workflow/executions"), range(120)))
    assert service.process is not None
    lowest = (10**6, 10**6)
    for _ in range(20):
        [[connections]] = asyncio.run(ask(dsn, _COUNT))
        lowest = (min(lowest[0], connections), min(lowest[1], psutil.Process(service.process.pid).num_fds()))
        time.sleep(0.1)
    return lowest


class _Readers:
    """Two that look all the time: a read is answered, or refused with 503."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self._stop = threading.Event()
        self._runners = [threading.Thread(target=self._read) for _ in range(2)]
        self.odd: list[str] = []
        self.reads = self.refused = 0

    def __enter__(self) -> Self:
        for runner in self._runners:
            runner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for runner in self._runners:
            runner.join(30)

    def _read(self) -> None:
        with httpx.Client(base_url=self._url, timeout=20, trust_env=False) as http:
            while not self._stop.wait(0.02):
                answer = http.get("/api/workflow/executions")
                self.reads += 1
                if answer.status_code == 503 and answer.headers.get("retry-after"):
                    self.refused += 1
                elif answer.status_code != 200:
                    self.odd.append(f"{answer.status_code} {answer.text[:200]}")


ROWS = (
    Row(
        name="terminate",
        fault="pg_terminate_backend at random",
        passes="0 failed workflows, 0 leaked connections and descriptors, reads answered or 503",
        unit="connections",
        doses=(50, 5_000),
        bounds=(120, 3_600),
        run=run,
    ),
)
