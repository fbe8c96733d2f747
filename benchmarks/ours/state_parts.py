"""Our rows in the table `state-100kb`: saves and loads of large states, where steps take a moment and where they do not."""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Bench, Part, Sample
from benchmarks.ours.service import migrated_database
from benchmarks.processes import measure

PACED, SATURATED = "steps of 50-150 ms", "steps of no time"
PAUSE = 0.1
STEPS, IN_FLIGHT = 10, 100
SHOWN = (
    "save_p50_ms",
    "save_p95_ms",
    "large_save_p50_ms",
    "large_save_p95_ms",
    "load_p50_ms",
    "load_p95_ms",
    "workflows_per_s",
    "state_kb",
    "rss_mb",
)


async def state(bench: Bench, name: str, pause: float) -> Sample:
    """100 workflows in flight, each with a state of 100 KB and more, in a closed loop."""
    dsn = await migrated_database(bench.dsn, "bench_ours")
    load = {"steps": STEPS, "workflows": bench.size(1500, 400), "in-flight": IN_FLIGHT, "warmup": IN_FLIGHT}
    words = [word for key, value in load.items() for word in (f"--{key}", value)]
    seen = await measure("benchmarks.ours.state_run", "--dsn", dsn, *words, "--pause", pause)
    return Sample(name=name, unit="ms", value=seen["save_p95_ms"], extra={key: seen[key] for key in SHOWN})


PARTS = tuple(
    Part(comparison="state-100kb", name=name, run=partial(state, name=name, pause=pause))
    for name, pause in ((PACED, PAUSE), (SATURATED, 0.0))
)
