"""Run the benchmark and print its tables: `python -m benchmarks [--quick] [--only PART] [--rounds 3] [--json FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil

from benchmarks import postgres
from benchmarks.comparisons import COMPARISONS
from benchmarks.harness import Bench, Part, Sample, as_json, console, interleave, median, table
from benchmarks.targets import summary

BUSY_PERCENT = 10

# each has PARTS; a module imports its library only when its part runs
MODULES = (
    "benchmarks.ours.work_parts",
    "benchmarks.ours.other_parts",
    "benchmarks.ours.state_parts",
    "benchmarks.peers.parts",
    "benchmarks.baselines.parts",
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of about a fifth of the work")
    parser.add_argument(
        "--only", action="append", metavar="PART", help="a table's key or a row's name (repeatable), see --list"
    )
    parser.add_argument("--list", action="store_true", help="print the tables and rows, and stop")
    parser.add_argument("--rounds", type=int, help="rounds of every part; the table shows medians (3; 1 with --quick)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file too")
    parser.add_argument("--dsn", help="a PostgreSQL to use (databases bench_* are dropped); otherwise an embedded one")
    parser.add_argument(
        "--peers-python", default=sys.executable, help="the Python that has the extra `bench`, if not this one"
    )
    parser.add_argument(
        "--peers-loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of the peers (uvloop)"
    )
    return parser.parse_args()


def chosen(only: list[str] | None) -> list[Part]:
    """The parts of all modules, or those of the named tables and rows."""
    parts: list[Part] = [part for name in MODULES for part in importlib.import_module(name).PARTS]
    if only is None:
        return parts
    wanted = [part for part in parts if {part.comparison, part.name} & set(only)]
    if not wanted:
        raise SystemExit(f"no table or row is named {', '.join(only)}; --list names them all")
    return wanted


@asynccontextmanager
async def server(dsn: str | None) -> AsyncIterator[tuple[str, Path | None]]:
    """The PostgreSQL to measure on and its log: the given one, or an embedded one that lives in a temporary folder."""
    if dsn:
        yield dsn, None
        return
    from app.store.embedded import embedded_postgres  # noqa: PLC0415 - not needed with --dsn

    with tempfile.TemporaryDirectory(prefix="backstitch-bench-", ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder)) as started:
            yield started, Path(folder) / "postgres.log"


async def about(dsn: str) -> dict[str, object]:
    """The machine and the server that the figures hold for."""
    async with postgres.connection(dsn) as here:
        settings = {name: await here.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")}
        version = (await here.fetchval("SHOW server_version")).split()[0]
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version,
        **settings,
    }


def warn_when_busy() -> None:
    """Say so when something else uses the processors: it slows each part by another factor, so ratios are off too."""
    busy = psutil.cpu_percent(interval=1.0)
    if busy > BUSY_PERCENT:
        console.print(f"[yellow]the machine is {busy:.0f} % busy with other work: these figures say little[/yellow]")


async def run(given: argparse.Namespace) -> None:
    """Measure comparison by comparison, printing each table as soon as it is complete."""
    parts = chosen(given.only)
    rounds = given.rounds or (1 if given.quick else 3)
    document: dict[str, object] = {}
    medians: dict[str, dict[str, Sample | None]] = {}
    async with server(given.dsn) as (dsn, log):
        bench = Bench(dsn=dsn, log=log, quick=given.quick, peers_python=given.peers_python, peers_loop=given.peers_loop)
        document["about"] = machine = await about(dsn)
        console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
        for comparison in COMPARISONS:
            rows = {part.name: partial(part.run, bench) for part in parts if part.comparison == comparison.key}
            if not rows:
                continue
            console.print(f"\n{comparison.key}: {comparison.title}")
            warn_when_busy()
            results = await interleave(rows, 1 if comparison.once else rounds)
            document[comparison.key] = as_json(comparison, results)
            medians[comparison.key] = {name: median(samples) for name, samples in results.items()}
            console.print(table(comparison, results))
    console.print(summary(medians))
    if given.json:
        given.json.write_text(json.dumps(document, indent=1))


def main() -> None:
    """Parse, then list or measure."""
    given = arguments()
    if given.list:
        for part in chosen(given.only):
            console.print(f"{part.comparison:12} {part.name}")
        return
    # an ended run takes its children with it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(run(given))
    except KeyboardInterrupt:
        raise SystemExit("benchmark: stopped") from None


if __name__ == "__main__":
    main()
