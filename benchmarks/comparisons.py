"""The tables of the benchmark, in the order in which they are measured and printed; parts name theirs by its key."""

from __future__ import annotations

from benchmarks.harness import Comparison

WORK_COLUMNS = (
    "workflows_per_s",
    "p50_ms",
    "p99_ms",
    "cpu_ms_per_step",
    "db_cpu_ms_per_step",
    "statements_per_step",
    "commits_per_step",
    "wal_bytes_per_step",
    "rss_mb",
)

COMPARISONS = (
    Comparison(
        key="work-100",
        title="Workflows of 5 small steps, each durable before the next, 100 in flight",
        baseline="engine",
        columns=WORK_COLUMNS,
    ),
    Comparison(
        key="work-1000",
        title="The same, 1,000 in flight",
        baseline="engine",
        columns=WORK_COLUMNS,
    ),
    Comparison(
        key="alone",
        title="One workflow of 5 small steps at a time (p50)",
        baseline="engine",
        columns=("p50_ms", "p95_ms", "p99_ms", "step_commit_p50_ms", "cpu_ms_per_step", "commits_per_step"),
        lower_is_better=True,
    ),
    Comparison(
        key="state-100kb",
        title="States of 100 KB, 100 workflows in flight: saving a checkpoint (p95), loading it",
        baseline="steps of 50-150 ms",
        columns=(
            "save_p50_ms",
            "save_p95_ms",
            "large_save_p50_ms",
            "large_save_p95_ms",
            "load_p50_ms",
            "load_p95_ms",
            "workflows_per_s",
            "state_kb",
            "rss_mb",
        ),
        lower_is_better=True,
    ),
    Comparison(
        key="accept",
        title="Accepting a start over HTTP, 64 keep-alive clients",
        baseline="bare FastAPI + INSERT",
        columns=("p50_ms", "p95_ms", "p99_ms", "cpu_ms_per_request", "client_cpu_s", "failed", "rss_mb"),
    ),
    Comparison(
        key="sse",
        title="SSE: an event on its way to its reader, 200 readers, 1,000 events a second in all (p99)",
        baseline="bare sse-starlette",
        columns=("p50_ms", "p95_ms", "p99_ms", "step_end_p50_ms", "step_end_p99_ms", "per_s", "cpu_s", "rss_mb"),
        lower_is_better=True,
    ),
    Comparison(
        key="storage-5",
        title="Bytes on disk a workflow: 5 steps, 10 KB of state added by each",
        baseline="engine",
        columns=("times_the_data",),
        lower_is_better=True,
        once=True,
    ),
    Comparison(
        key="storage-50",
        title="The same with 50 steps",
        baseline="engine",
        columns=("times_the_data",),
        lower_is_better=True,
        once=True,
    ),
    Comparison(
        key="storage-500",
        title="The same with 500 steps",
        baseline="engine",
        columns=("times_the_data",),
        lower_is_better=True,
        once=True,
    ),
)
