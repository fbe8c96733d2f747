"""How much retention slows running steps: `python -m benchmarks.retention [THREADS] [RUNNING]`.

Seeds threads that ended long ago, keeps some running, and lets a retention run go on and rest in turns of four seconds, so
that whatever else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from app.bootstrap import open_services
from app.domain.commands import StartCommand
from app.engine.retention import Asked
from app.runners.registration import function
from app.settings import load_settings
from app.store.embedded import EmbeddedPostgres
from app.store.migrate import upgrade

STEPS = 300
TURN = 4.0
DEFINITION = "01990000-0000-7000-8000-000000000001"
SEED = """
WITH made AS (
    SELECT 'seed-' || g AS thread_id, gen_random_uuid() AS x, now() - interval '60 days' - g * interval '1 second' AS at, g
    FROM generate_series($1::int, $2::int) AS g
), t AS (
    INSERT INTO threads (thread_id, definition_id, execution_id, status, epoch, rev, head_version, last_version, last_seq,
        created_at, updated_at)
    SELECT thread_id, $3, x, 'completed', 1, 10, 6, 6, 10, at, at FROM made
), e AS (
    INSERT INTO workflow_executions (thread_id, id, workflow_id, workflow_name, workflow_version, kind, status, input,
        created_at, started_at, completed_at, output)
    SELECT thread_id, x, $3, 'seeded', 1, 'invoke', 'completed', '{"topic": "x"}', at, at, at, '{"done": true}' FROM made
), s AS (
    INSERT INTO workflow_steps (thread_id, id, execution_id, key_execution_id, step_name, step_index, status, input, output,
        output_sha256, started_at, completed_at, duration_ms)
    SELECT thread_id, gen_random_uuid(), x, x, 's' || i, i, 'completed', '{"given": 1}',
        ('{"text": "' || repeat(md5(g::text || i::text), 60) || '"}')::json, sha256('x'), at, at, 5
    FROM made, generate_series(1, 4) AS i
), c AS (
    INSERT INTO checkpoints (thread_id, version, parent_version, base_version, execution_id, step_name, trigger, manifest,
        sha256, size_bytes, progress, created_at)
    SELECT thread_id, i, nullif(i - 1, 0), 1, x, 's' || i, 'step',
        ('{"steps":{"s' || i || '":["' || x || '","completed"]}}')::json, sha256('x'), 8000, i / 6.0, at
    FROM made, generate_series(1, 6) AS i
)
INSERT INTO workflow_events (thread_id, seq, execution_id, name, step_name, version, at, data, xact)
SELECT thread_id, i, x, 'step_complete', 's1', 1, at, '{"status":"completed","progress":0.5}', 1
FROM made, generate_series(1, 10) AS i
"""
marks: dict[str, list[float]] = {}


@function("tick")
async def tick(given: Any, ctx: Any) -> dict[str, Any]:
    """A step that only says when it ran."""
    marks.setdefault(ctx.thread_id, []).append(time.monotonic())
    return {"n": given}


def told(windows: list[tuple[float, float]]) -> str:
    """The time from one step of a thread to its next, within the windows."""
    gaps = sorted(
        (after - before) * 1000
        for since, until in windows
        for each in marks.values()
        for before, after in pairwise(each)
        if since <= before and after <= until
    )
    p50, p95, p99 = (gaps[int(len(gaps) * share)] for share in (0.5, 0.95, 0.99))
    mean = statistics.mean(gaps)
    return f"{len(gaps):,} steps: mean {mean:.1f} ms, p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}"


async def seed(dsn: str, threads: int) -> None:
    """Make threads that ended two months ago: 22 rows each."""
    await upgrade(dsn)
    psql = await asyncpg.connect(dsn)
    await psql.execute(
        "INSERT INTO workflows (id, name, version, hash, document) VALUES ($1, 'seeded', 1, 'seeded', '{}')", DEFINITION
    )
    for first in range(1, threads + 1, 5000):
        await psql.execute(SEED, first, min(threads, first + 4999), DEFINITION, timeout=300)
    await psql.execute("ANALYZE")
    await psql.close()


async def measure(dsn: str, threads: int, running: int) -> None:
    """Seed, run, print."""
    await seed(dsn, threads)
    steps = [{"id": f"s{place}", "python": "tick", "input": place} for place in range(STEPS)]
    module: Any = types.ModuleType("retention_steps")
    module.tick = tick
    sys.modules["retention_steps"] = module
    settings = load_settings(database_url=dsn, modules=("retention_steps",), log_level="error")
    async with open_services(settings) as services:

        async def go_on() -> None:
            while True:
                started = await services.control.start(StartCommand(workflow={"name": "load", "steps": steps}))
                await services.control.wait(started.thread.thread_id, 600)

        load = [asyncio.ensure_future(go_on()) for _ in range(running)]
        await asyncio.sleep(TURN)
        may_go, hold = asyncio.Event(), services.retention._hold

        async def held() -> None:
            await may_go.wait()
            await hold()

        services.retention._hold = held
        run = await services.retention.begin(Asked(days=30))
        began, with_it, without = time.monotonic(), [], []
        while run.ended_at is None:
            for windows, change in ((without, may_go.clear), (with_it, may_go.set)):
                change()
                await asyncio.sleep(0.5)
                since = time.monotonic()
                await asyncio.sleep(TURN)
                windows.append((since, time.monotonic()))
        print(f"without: {told(without)}\nwith:    {told(with_it[:-1] or with_it)}")
        print(f"{run.threads:,} threads, {run.rows:,} rows in {(time.monotonic() - began) / 2:.0f} s of work and rest")
        for each in load:
            each.cancel()
        await asyncio.wait(load)


def main() -> None:
    """Read the arguments."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    running = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "db")
        dsn = server.start()
        try:
            asyncio.run(measure(dsn, threads, running))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
