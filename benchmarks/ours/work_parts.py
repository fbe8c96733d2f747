"""Our rows in the tables `work-100`, `work-1000` and `alone`: the limit, the engine and the service over HTTP."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import postgres
from benchmarks.baselines.parts import BODY
from benchmarks.harness import Bench, Part, Sample
from benchmarks.ours.engine_run import SPARE
from benchmarks.ours.service import migrated_database, serve
from benchmarks.processes import measure, metered, tree_cpu_s

STEPS = 5
LIMIT, ENGINE, SERVICE = "limit", "engine", "service over HTTP"
WORKFLOWS = {1: 400, 100: 3000, 1000: 4000}
OVER_HTTP = {100: 1500, 1000: 3000}
SHOWN = ("workflows_per_s", "p50_ms", "p95_ms", "p99_ms", "cpu_ms_per_step", "rss_mb", "step_commit_p50_ms")
COMPLETED = "SELECT count(*) FROM threads WHERE status = 'completed'"

_recordings: dict[int, Path] = {}
_statements: dict[int, float] = {}


def _load(bench: Bench, in_flight: int) -> dict[str, int]:
    # a fifth of 1,000 in flight would fill no second batch
    workflows = bench.size(WORKFLOWS[in_flight], max(in_flight * 2, WORKFLOWS[in_flight] // 5))
    return {"steps": STEPS, "workflows": workflows, "in_flight": in_flight, "warmup": max(20, in_flight)}


async def _run(module: str, dsn: str, **options: object) -> dict[str, Any]:
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)]
    return await measure(f"benchmarks.ours.{module}", "--dsn", dsn, *words)


async def limit(bench: Bench, in_flight: int) -> Sample:
    """The engine's own statements and arguments on a bare connection."""
    path = await _recording(bench, in_flight)
    dsn = await migrated_database(bench.dsn, "bench_ours")
    server = await postgres.server_pid(dsn)
    before, cpu = await postgres.counters(dsn), tree_cpu_s(server)
    seen = await _run("replay", dsn, recording=path)
    extra = await _seen(seen, dsn, seen["all_steps"], before, cpu, server)
    if in_flight == 1:
        return Sample(name=LIMIT, unit="ms", value=seen["p50_ms"], extra=extra)
    extra["statements_per_step"] = extra["commits_per_step"]
    return Sample(name=LIMIT, unit="steps/s", value=seen["steps_per_s"], extra=extra)


async def _recording(bench: Bench, in_flight: int) -> Path:
    """What the engine sends for this load, from an untimed run."""
    if in_flight not in _recordings:
        folder = Path(tempfile.mkdtemp(prefix="backstitch-bench-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        dsn = await migrated_database(bench.dsn, "bench_ours")
        await _run("engine_run", dsn, **_load(bench, in_flight), record=folder / "batches")
        _recordings[in_flight] = folder / "batches"
    return _recordings[in_flight]


async def engine(bench: Bench, in_flight: int) -> Sample:
    """The engine in process."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    server = await postgres.server_pid(dsn)
    before, cpu = await postgres.counters(dsn), tree_cpu_s(server)
    seen = await _run("engine_run", dsn, **_load(bench, in_flight))
    extra = await _seen(seen, dsn, seen["steps_with_warmup"], before, cpu, server)
    if in_flight == 1:
        return Sample(name=ENGINE, unit="ms", value=seen["p50_ms"], extra=extra)
    if bench.log is not None and not bench.quick:
        extra["statements_per_step"] = await _statements_per_step(dsn, bench.log, in_flight)
    return Sample(name=ENGINE, unit="steps/s", value=seen["steps_per_s"], extra=extra)


async def _seen(
    seen: dict[str, Any], dsn: str, steps: int, before: postgres.Counters, cpu: float, server: int | None
) -> dict[str, float]:
    extra: dict[str, float] = {key: seen[key] for key in SHOWN if key in seen}
    extra |= (await postgres.counters(dsn) - before).per(steps)
    if server:
        extra["db_cpu_ms_per_step"] = (tree_cpu_s(server) - cpu) * 1000 / steps
    return extra


async def _statements_per_step(dsn: str, log: Path, in_flight: int) -> float:
    """From the server's log, as the slope between two untimed runs; measured once."""
    if in_flight not in _statements:
        await postgres.log_statements(dsn, on=True)
        counts: list[int] = []
        for workflows in (in_flight, 5 * in_flight):
            place = postgres.log_size(log)
            await _run("engine_run", dsn, steps=STEPS, workflows=workflows, in_flight=in_flight, warmup=0)
            counts.append(postgres.statements_since(log, place))
        await postgres.log_statements(dsn, on=False)
        _statements[in_flight] = (counts[1] - counts[0]) / (4 * in_flight * STEPS)
    return _statements[in_flight]


async def service(bench: Bench, in_flight: int) -> Sample:
    """Starts over HTTP in a closed loop, ends from the feed."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    workflows = bench.size(OVER_HTTP[in_flight], in_flight + 400)
    server = await postgres.server_pid(dsn)
    before, cpu = await postgres.counters(dsn), tree_cpu_s(server)
    async with serve(dsn, slots=in_flight + SPARE) as serving:
        load = ("--url", serving.url, "--body", BODY, "--steps", STEPS, "--in-flight", in_flight, "--workflows")
        await measure("benchmarks.ours.http_work", *load, in_flight)
        async with metered(serving.pid) as usage:
            seen = await measure("benchmarks.ours.http_work", *load, workflows)
    await _all_completed(dsn, workflows + in_flight)
    extra = await _seen(seen, dsn, (workflows + in_flight) * STEPS, before, cpu, server)
    extra |= {"cpu_ms_per_step": usage.cpu_s * 1000 / (workflows * STEPS), "rss_mb": usage.rss_mb}
    return Sample(name=SERVICE, unit="steps/s", value=seen["steps_per_s"], extra=extra)


async def _all_completed(dsn: str, workflows: int) -> None:
    async with postgres.connection(dsn) as here:
        completed = await here.fetchval(COMPLETED)
    if completed != workflows:
        raise RuntimeError(f"the service completed {completed} workflows of {workflows}")


def _rows(comparison: str, in_flight: int) -> tuple[Part, ...]:
    rows = [
        Part(comparison=comparison, name=LIMIT, run=partial(limit, in_flight=in_flight)),
        Part(comparison=comparison, name=ENGINE, run=partial(engine, in_flight=in_flight)),
    ]
    if in_flight > 1:
        rows.append(Part(comparison=comparison, name=SERVICE, run=partial(service, in_flight=in_flight)))
    return tuple(rows)


PARTS = (*_rows("work-100", 100), *_rows("work-1000", 1000), *_rows("alone", 1))
