"""A database as after months of work: `make bench-scale`, or `python -m benchmarks.scale [--threads 100000] [--only PART]`.

Parts: cost (bytes a workflow), routes (the routes that look back, with their plans under --plans).  What retention does to
threads that run is measured by `python -m benchmarks.retention`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import Final

from rich.table import Table

from benchmarks import postgres
from benchmarks.__main__ import server, warn_when_busy
from benchmarks.harness import Bench, console
from benchmarks.ours.service import serve
from benchmarks.scale.cost import cost
from benchmarks.scale.plans import plans
from benchmarks.scale.routes import measure
from benchmarks.scale.seed import seed

DATABASE: Final = "bench_scale"
P95_MS: Final = 50.0
"""What 95 of 100 requests may take."""
PARTS: Final = ("cost", "routes")
COSTS: Final = ((5, 200, 2_000), (50, 200, 200), (5, 10_000, 500))
"""Steps, bytes that each returns, workflows."""


async def show_costs(bench: Bench) -> None:
    """Bytes a workflow, by table."""
    found = [await cost(bench, *shape) for shape in COSTS]
    table = Table("table", *(f"{one.steps} steps of {one.step_bytes:,} B" for one in found), title="bytes a workflow")
    for name in dict.fromkeys(name for one in found for name in one.by_table):
        table.add_row(name, *(f"{one.by_table.get(name, 0):,.0f}" for one in found))
    table.add_row("all", *(f"{one.total:,.0f}" for one in found))
    table.add_row("workflows a GB", *(f"{1e9 / one.total:,.0f}" for one in found))
    console.print(table)


async def show_routes(dsn: str, requests: int) -> bool:
    """Milliseconds by route; whether all are within the limit."""
    async with serve(dsn) as service:
        figures = await measure(service.url, requests)
    table = Table("route", "p50 ms", "p95 ms", "slowest ms", f"p95 < {P95_MS:g} ms", title=f"{requests} requests each")
    for route, told in figures.items():
        held = "yes" if told["p95_ms"] < P95_MS else "NO"
        table.add_row(route, *(f"{told[name]:.1f}" for name in ("p50_ms", "p95_ms", "max_ms")), held)
    console.print(table)
    return all(told["p95_ms"] < P95_MS for told in figures.values())


async def run(given: argparse.Namespace) -> bool:
    """Measure what was asked for; whether every limit is kept."""
    parts: tuple[str, ...] = tuple(given.only or PARTS)
    kept = True
    async with server(given.dsn) as (dsn, log):
        bench = Bench(dsn=dsn, log=log)
        warn_when_busy()
        if "cost" in parts:
            await show_costs(bench)
        if "routes" in parts:
            filled = await postgres.fresh_database(dsn, DATABASE)
            console.print(await seed(filled, given.threads))
            kept = await show_routes(filled, given.requests)
            for name, plan in (await plans(filled)).items() if given.plans else ():
                console.print(f"\n{name}\n{plan}", markup=False)
            await postgres.drop_database(dsn, DATABASE)
    return kept


def main() -> None:
    """Measure and print; exit code 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--threads", type=int, default=100_000, help="threads in the database, of ten events each")
    parser.add_argument("--requests", type=int, default=200, help="requests a route")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--plans", action="store_true", help="print the plans of the store's statements too")
    parser.add_argument("--dsn", help="a PostgreSQL to use (databases bench_* are dropped); otherwise an embedded one")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        kept = asyncio.run(run(given))
    except KeyboardInterrupt:
        raise SystemExit("benchmark: stopped") from None
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
