"""Our rows in the tables `accept`, `sse` and `storage-*`."""

from __future__ import annotations

from functools import partial

from benchmarks import postgres
from benchmarks.baselines.parts import BODY, RATE, READERS, load_sample, readers_sample
from benchmarks.harness import Bench, Part, Sample
from benchmarks.ours.service import migrated_database, serve
from benchmarks.processes import measure

SERVICE, ENGINE = "service", "engine"
STORED_BYTES = 10_240
PENDING = "SELECT count(*) FROM threads WHERE status = 'pending'"
PACED_BODY = '{"workflow": "bench-paced", "thread_id": "sse-{n}", "input": {"n": {n}}}'


async def accept(bench: Bench) -> Sample:
    """Starts that find no free slot: one thread holds the only one, so that all others stay pending."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    async with serve(dsn, slots=1) as serving:
        await serving.post("bench-hold")
        url = f"{serving.url}/api/invoke/async"
        sample = await load_sample(url, BODY, serving.pid, name=SERVICE, requests=bench.size(8000))
    async with postgres.connection(dsn) as here:
        assert await here.fetchval(PENDING) >= bench.size(8000), "the starts did not stay pending"
    return sample


async def sse(bench: Bench) -> Sample:
    """200 threads with a reader each, 2.5 steps a second in each: a commit with two events for each step."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    modules = "benchmarks.ours.functions,benchmarks.ours.stamp"
    async with serve(dsn, modules=modules) as serving:
        start = ("--url", f"{serving.url}/api/invoke/async", "--body", PACED_BODY, "--requests", READERS, "--warmup", 0)
        await measure("benchmarks.load", *start)
        url = f"{serving.url}/api/invoke/stream/sse-{{n}}"
        words = ("--url", url, "--events", bench.size(5 * RATE), "--path", "data.t_ns", "--also", "data.result.t_ns")
        return await readers_sample(serving.pid, SERVICE, *words, traffic=lambda: serving.post("bench-open"))


async def storage(bench: Bench, steps: int) -> Sample:
    """KB on disk a workflow of `steps` steps that add 10 KB each; as the slope, so that empty tables do not count."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    few, many = 2, 2 + max(4, bench.size(500) // steps)
    sizes: list[int] = []
    for workflows in (few, many):
        load = {"steps": steps, "workflows": workflows, "in-flight": 2, "warmup": 0, "step-bytes": STORED_BYTES}
        words = [word for key, value in load.items() for word in (f"--{key}", value)]
        await measure("benchmarks.ours.engine_run", "--dsn", dsn, *words)
        sizes.append(await postgres.database_bytes(dsn))
    per_workflow = (sizes[1] - sizes[0]) / many
    await postgres.drop_database(bench.dsn, "bench_ours")
    extra = {"times_the_data": per_workflow / (steps * STORED_BYTES)}
    return Sample(name=ENGINE, unit="KB", value=per_workflow / 1024, extra=extra)


PARTS = (
    Part(comparison="accept", name=SERVICE, run=accept),
    Part(comparison="sse", name=SERVICE, run=sse),
    *(Part(comparison=f"storage-{steps}", name=ENGINE, run=partial(storage, steps=steps)) for steps in (5, 50, 500)),
)
