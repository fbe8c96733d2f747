"""What retention does to the threads that run meanwhile: how long their steps take before and while half of all others go."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.scale.seed import DAYS
from benchmarks.stats import percentile

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 8
PAUSE = 0.05
STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """Milliseconds a step, p50 and p95, before and while `threads` threads were deleted in so many seconds."""

    threads: int
    seconds: float
    before: tuple[float, float]
    during: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How much longer a step took in the middle."""
        return self.during[0] / self.before[0]


async def delete_half(url: str, *, before: float = 20.0) -> Deleted:
    """Run workflows all the time, and retention after a while."""
    async with httpx.AsyncClient(base_url=f"{url}/api", timeout=120) as client:
        until = time.monotonic() + before
        quiet = await _load(client, lambda: time.monotonic() < until)
        began = time.monotonic()
        started = await client.post("/retention/run", json={"days": DAYS / 2})
        started.raise_for_status()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watched = tasks.create_task(_end(client, over))
            busy = await _load(client, lambda: not over.is_set())
        run = watched.result()
    seconds = time.monotonic() - began
    return Deleted(threads=run["threads"], seconds=seconds, before=_figures(quiet), during=_figures(busy))


async def _load(client: httpx.AsyncClient, going: Callable[[], bool]) -> list[float]:
    """Seconds a step of each workflow, as long as it is to go on."""
    took: list[float] = []

    async def lane() -> None:
        while going():
            began = time.perf_counter()
            answer = await client.post("/invoke", params={"timeout": "60s"}, json={"workflow": "bench", "input": {}})
            answer.raise_for_status()
            took.append((time.perf_counter() - began) / STEPS)
            await asyncio.sleep(PAUSE)

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return took


async def _end(client: httpx.AsyncClient, over: asyncio.Event) -> dict[str, Any]:
    try:
        while True:
            run: dict[str, Any] = (await client.get("/retention")).json()["runs"][0]
            if run["ended_at"] is not None:
                return run
            await asyncio.sleep(0.5)
    finally:
        over.set()


def _figures(seconds: list[float]) -> tuple[float, float]:
    return percentile(seconds, 50) * 1000, percentile(seconds, 95) * 1000
