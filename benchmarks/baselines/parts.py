"""The rows of the same stack without Backstitch: a bare POST, a POST with one INSERT, and bare sse-starlette."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine

from benchmarks import postgres
from benchmarks.harness import Bench, Part, Sample
from benchmarks.processes import measure, metered, module

CLIENTS = 64
BODY = json.dumps({"workflow": "bench", "input": {"topic": "AI in Education", "note": "x" * 100}})
READERS, RATE = 200, 1000


Traffic = Callable[[], Coroutine[None, None, object]]


async def nothing() -> None:
    """The traffic of a server that makes its events itself."""


async def post(bench: Bench, path: str, name: str) -> Sample:
    """Requests a second on one route of the bare app."""
    dsn = await postgres.fresh_database(bench.dsn, "bench_bare")
    async with module("benchmarks.baselines.fastapi_insert", "--dsn", dsn) as server:
        url = f"http://127.0.0.1:{(await server.line())['port']}{path}"
        return await load_sample(url, BODY, server.pid, name=name, requests=bench.size(8000))


async def load_sample(url: str, body: str, server: int, *, name: str, requests: int) -> Sample:
    """Load `url` with 64 clients and meter the process tree of the serving pid: a row of the comparison `accept`."""
    load = ("--url", url, "--body", body, "--clients", CLIENTS, "--requests")
    await measure("benchmarks.load", *load, max(500, requests // 10), "--warmup", 0)
    async with metered(server) as usage:
        seen = await measure("benchmarks.load", *load, requests, "--warmup", 0)
    extra = {key: seen[key] for key in ("p50_ms", "p95_ms", "p99_ms", "failed", "client_cpu_s")}
    extra |= {"cpu_ms_per_request": usage.cpu_s * 1000 / requests, "rss_mb": usage.rss_mb}
    return Sample(name=name, unit="requests/s", value=seen["per_s"], extra=extra)


async def sse(bench: Bench) -> Sample:
    """The p99 from just before the event is queued to its arrival in the reading process."""
    async with module("benchmarks.baselines.sse_bare", "--rate", RATE, "--readers", READERS) as server:
        url = f"http://127.0.0.1:{(await server.line())['port']}/stream"
        events = bench.size(5 * RATE)
        return await readers_sample(server.pid, "bare sse-starlette", "--url", url, "--events", events)


async def readers_sample(server: int, name: str, *arguments: object, traffic: Traffic = nothing) -> Sample:
    """Run sse_readers with 200 readers and these arguments, metering the serving pid: a row of the comparison `sse`.

    `traffic` makes the events: it starts when all readers are connected, and is cancelled when they have seen enough.
    """
    words = ("--readers", READERS, "--seconds", 60, "--skip", RATE // 2, *arguments)
    async with module("benchmarks.sse_readers", *words) as readers:
        await readers.line()
        async with metered(server) as usage, asyncio.TaskGroup() as tasks:
            making = tasks.create_task(traffic())
            seen = await readers.line(90)
            making.cancel()
    extra = {key: seen[key] for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms", "per_s")}
    if "also_p50_ms" in seen:
        extra |= {"step_end_p50_ms": seen["also_p50_ms"], "step_end_p99_ms": seen["also_p99_ms"]}
    extra |= {"cpu_s": usage.cpu_s, "rss_mb": usage.rss_mb}
    return Sample(name=name, unit="ms", value=seen["p99_ms"], extra=extra)


PARTS = (
    Part(comparison="accept", name="bare FastAPI", run=lambda bench: post(bench, "/bare", "bare FastAPI")),
    Part(
        comparison="accept",
        name="bare FastAPI + INSERT",
        run=lambda bench: post(bench, "/insert", "bare FastAPI + INSERT"),
    ),
    Part(comparison="sse", name="bare sse-starlette", run=sse),
)
