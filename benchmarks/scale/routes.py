"""The routes that look back, timed on a filled database, one request after the other: p50, p95 and the slowest of each."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import httpx

from benchmarks.stats import latencies_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86_400


@dataclass(frozen=True, slots=True)
class World:
    """What requests choose from: threads and executions of all ages, and the span of their times."""

    threads: list[str]
    executions: list[str]
    first: float
    last: float
    chance: random.Random

    def thread(self) -> str:
        """Any thread."""
        return self.chance.choice(self.threads)

    def when(self) -> str:
        """Any moment, as a query says it."""
        at = self.chance.uniform(self.first, self.last)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


ROUTES: dict[str, Callable[[World], str]] = {
    "threads": lambda _: "/threads",
    "threads, 1,000": lambda _: "/threads?limit=1000",
    "threads by status": lambda w: f"/threads?status={w.chance.choice(['completed', 'failed', 'waiting,failed'])}",
    "threads by status, few": lambda _: "/threads?status=running,pending,paused",
    "threads by workflow": lambda w: f"/threads?workflow={w.chance.choice(['orders', 'reviews', 'rare'])}",
    "threads by who, status": lambda _: "/threads?triggered_by=seed&status=cancelled",
    "threads by text": lambda w: f"/threads?text={w.chance.choice(['imports', '0123', 'nothing-like-it'])}",
    "threads until": lambda w: f"/threads?until={w.when()}",
    "threads, counts": lambda _: "/threads/counts",
    "threads, counts of a workflow": lambda w: (
        f"/threads/counts?workflow={w.chance.choice(['orders', 'reviews', 'rare'])}"
    ),
    "executions": lambda _: "/workflow/executions",
    "executions, 1,000": lambda _: "/workflow/executions?limit=1000",
    "executions by status": lambda w: (
        f"/workflow/executions?status={w.chance.choice(['completed', 'failed', 'waiting'])}"
    ),
    "executions by status, few": lambda _: "/workflow/executions?status=running",
    "executions by workflow": lambda w: (
        f"/workflow/executions?workflow={w.chance.choice(['orders', 'reviews', 'rare'])}"
    ),
    "executions, nothing found": lambda _: "/workflow/executions?workflow=no-such",
    "executions by workflow, status": lambda _: "/workflow/executions?workflow=rare&status=completed",
    "executions since": lambda w: f"/workflow/executions?since={w.when()}",
    "executions until": lambda w: f"/workflow/executions?until={w.when()}",
    "executions by who": lambda w: f"/workflow/executions?triggered_by={w.chance.choice(['seed', 'nobody'])}",
    "executions of a thread": lambda w: f"/workflow/executions?thread_id={w.thread()}",
    "execution": lambda w: f"/workflow/execution/{w.chance.choice(w.executions)}",
    "status": lambda w: f"/invoke/status/{w.thread()}",
    "history": lambda w: f"/invoke/history/{w.thread()}",
    "timeline": lambda w: f"/invoke/timeline/{w.thread()}",
    "tree": lambda w: f"/invoke/tree/{w.thread()}",
    "diff": lambda w: f"/invoke/history/{w.thread()}/diff?from=1&to=2",
    "events": lambda _: "/events",
    "events, newest": lambda _: "/events?order=desc",
    "events, 1,000": lambda _: "/events?limit=1000",
    "events of a thread": lambda w: f"/events?thread_id={w.thread()}",
    "events by name, few": lambda _: "/events?event=step_retry",
    "events by name, newest": lambda _: "/events?event=workflow_failed&order=desc",
    "events by workflow": lambda w: f"/events?workflow={w.chance.choice(['orders', 'rare'])}",
    "events by thread's status": lambda _: "/events?status=waiting&order=desc",
    "events since": lambda w: f"/events?since={w.when()}",
    "events until, newest": lambda w: f"/events?until={w.when()}&order=desc",
    "metrics of workflows": lambda w: f"/metrics/workflows?window={w.chance.choice(['1h', '24h', '7d', '30d'])}",
    "metrics of agents": lambda w: f"/metrics/agents?window={w.chance.choice(['1h', '24h', '7d', '30d'])}",
    "time series": lambda w: f"/metrics/timeseries?kind=workflow&metric={w.chance.choice(['count', 'p95_ms'])}",
    "logs": lambda _: "/logs",
    "retention": lambda _: "/retention",
    "state": lambda w: f"/invoke/history/{w.thread()}/2",
    "verify": lambda w: f"/invoke/verify/{w.thread()}",
    "gates": lambda _: "/gates",
    "usage": lambda _: "/usage",
    "workflows": lambda _: "/workflows",
    "health": lambda _: "/health",
    "checkpointer": lambda _: "/health/checkpointer",
}


async def look_around(client: httpx.AsyncClient, pages: int = 20) -> World:
    """Threads from all over the span, by pages of executions."""
    found: list[dict[str, str]] = []
    chance = random.Random(5)
    newest = (await client.get("/workflow/executions", params={"limit": 1})).json()["executions"][0]["created_at"]
    last = _seconds(newest)
    for page in range(pages):
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last - page * 29 * DAY / pages))
        answer = await client.get("/workflow/executions", params={"limit": 50, "until": until})
        found += answer.raise_for_status().json()["executions"]
    return World([one["thread_id"] for one in found], [one["id"] for one in found], last - 29 * DAY, last, chance)


async def measure(url: str, requests: int) -> dict[str, dict[str, float]]:
    """Time every route with so many requests each, the routes in turn; milliseconds by route."""
    async with httpx.AsyncClient(base_url=f"{url}/api", timeout=60) as client:
        world = await look_around(client)
        took: dict[str, list[float]] = {name: [] for name in ROUTES}
        for name, _ in _turns(requests):
            path = ROUTES[name](world)
            began = time.perf_counter()
            answer = await client.get(path)
            took[name].append(time.perf_counter() - began)
            if answer.status_code != httpx.codes.OK:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
    return {name: latencies_ms(times) for name, times in took.items()}


def _turns(requests: int) -> Iterator[tuple[str, int]]:
    return ((name, turn) for turn, name in itertools.product(range(requests), ROUTES))


def _seconds(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()


if __name__ == "__main__":
    import sys

    for route, figures in asyncio.run(measure(sys.argv[1], int(sys.argv[2]))).items():
        print(f"{route:32} {figures}")
