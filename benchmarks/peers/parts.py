"""The peers' rows: LangGraph and DBOS in the comparisons `work-100`, `alone`, `storage-5` and `storage-50`.

They have no row at 1,000 in flight or 500 steps: neither gets faster with more in flight, and 500 steps of 10 KB cost
LangGraph over a gigabyte a workflow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import postgres
from benchmarks.harness import Bench, Part, Sample
from benchmarks.processes import measure, need, tree_cpu_s

STEPS = 5
STORED_BYTES = 10_240


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One library: its module here, what it imports, and how many workflows fill a round of 3 to 6 seconds."""

    name: str
    module: str
    imports: tuple[str, ...]
    workflows: int
    alone: int


PEERS = (
    Peer(
        name="LangGraph",
        module="benchmarks.peers.langgraph_peer",
        imports=("langgraph", "langgraph.checkpoint.postgres", "psycopg_pool"),
        workflows=500,
        alone=150,
    ),
    Peer(name="DBOS", module="benchmarks.peers.dbos_peer", imports=("dbos",), workflows=250, alone=60),
)

_statements: dict[str, float] = {}


async def _drive(bench: Bench, peer: Peer, dsn: str, **options: int) -> dict[str, Any]:
    words = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)]
    return await measure(peer.module, "--dsn", dsn, "--loop", bench.peers_loop, *words, python=bench.peers_python)


async def work(bench: Bench, peer: Peer) -> Sample:
    """Workflows of 5 steps, 100 in flight: steps a second."""
    await need(*peer.imports, python=bench.peers_python)
    dsn = await postgres.fresh_database(bench.dsn, "bench_peer")
    # the tables are made first, so that the counters see the work alone
    await _drive(bench, peer, dsn, steps=STEPS, workflows=1, warmup=0)
    server = await postgres.server_pid(dsn)
    before, cpu_before = await postgres.counters(dsn), tree_cpu_s(server)
    seen = await _drive(bench, peer, dsn, steps=STEPS, workflows=bench.size(peer.workflows), in_flight=100, warmup=20)
    delta, db_cpu = await postgres.counters(dsn) - before, tree_cpu_s(server) - cpu_before
    steps = seen["steps_with_warmup"]
    extra = {key: seen[key] for key in ("workflows_per_s", "p50_ms", "p99_ms", "cpu_ms_per_step", "rss_mb")}
    extra |= delta.per(steps)
    if server:
        extra["db_cpu_ms_per_step"] = db_cpu * 1000 / steps
    if bench.log is not None and not bench.quick:
        extra["statements_per_step"] = await statements_per_step(bench, peer, dsn, bench.log)
    return Sample(name=peer.name, unit="steps/s", value=seen["steps_per_s"], extra=extra)


async def statements_per_step(bench: Bench, peer: Peer, dsn: str, log: Path) -> float:
    """Statements a step from the server's log, as the slope between two short runs; measured once, untimed."""
    if peer.name not in _statements:
        await postgres.log_statements(dsn, on=True)
        counts: list[int] = []
        for workflows in (5, 25):
            place = postgres.log_size(log)
            await _drive(bench, peer, dsn, steps=STEPS, workflows=workflows, in_flight=5, warmup=0)
            counts.append(postgres.statements_since(log, place))
        await postgres.log_statements(dsn, on=False)
        _statements[peer.name] = (counts[1] - counts[0]) / (20 * STEPS)
    return _statements[peer.name]


async def alone(bench: Bench, peer: Peer) -> Sample:
    """One workflow of 5 steps at a time: its p50."""
    await need(*peer.imports, python=bench.peers_python)
    dsn = await postgres.fresh_database(bench.dsn, "bench_peer")
    seen = await _drive(bench, peer, dsn, steps=STEPS, workflows=bench.size(peer.alone), in_flight=1, warmup=10)
    extra = {key: seen[key] for key in ("p50_ms", "p95_ms", "p99_ms", "cpu_ms_per_step")}
    return Sample(name=peer.name, unit="ms", value=seen["p50_ms"], extra=extra)


async def storage(bench: Bench, peer: Peer, steps: int) -> Sample:
    """KB on disk a workflow of `steps` steps that add 10 KB each; as the slope, so that empty tables do not count."""
    await need(*peer.imports, python=bench.peers_python)
    dsn = await postgres.fresh_database(bench.dsn, "bench_peer")
    few, many = 2, 2 + max(4, 50 // steps)
    sizes: list[int] = []
    for workflows in (few, many):
        load = {"steps": steps, "workflows": workflows, "in_flight": 2, "warmup": 0, "step_bytes": STORED_BYTES}
        await _drive(bench, peer, dsn, **load)
        sizes.append(await postgres.database_bytes(dsn))
    per_workflow = (sizes[1] - sizes[0]) / many
    await postgres.drop_database(bench.dsn, "bench_peer")
    extra = {"times_the_data": per_workflow / (steps * STORED_BYTES)}
    return Sample(name=peer.name, unit="KB", value=per_workflow / 1024, extra=extra)


def _rows(peer: Peer) -> tuple[Part, ...]:
    row = Part(comparison="work-100", name=peer.name, run=lambda bench: work(bench, peer))
    return (
        row,
        replace(row, comparison="alone", run=lambda bench: alone(bench, peer)),
        replace(row, comparison="storage-5", run=lambda bench: storage(bench, peer, 5)),
        replace(row, comparison="storage-50", run=lambda bench: storage(bench, peer, 50)),
    )


PARTS = tuple(part for peer in PEERS for part in _rows(peer))
