"""Two commits side by side: `python -m benchmarks.compare --base COMMIT [--pairs 5]` runs the rows of the engine and of the
service in a checkout of the one and in this tree by turns, and prints the median of each pair's ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from benchmarks.__main__ import server, warn_when_busy
from benchmarks.harness import console

ROOT = Path(__file__).parents[1]
ROWS = ("engine", "service over HTTP")
TABLES = ("work-100", "work-1000", "alone")
LOWER_IS_BETTER = "ms"
Figures = dict[tuple[str, str], float]
"""By table and row, in the row's own unit."""


def measure(tree: Path, dsn: str) -> tuple[Figures, dict[tuple[str, str], str]]:
    """One round in a tree: the value of every row, and its unit."""
    with tempfile.TemporaryDirectory(prefix="backstitch-compare-") as folder:
        file = Path(folder) / "figures.json"
        only = [word for row in ROWS for word in ("--only", row)]
        command = [sys.executable, "-m", "benchmarks", *only, "--rounds", "1", "--dsn", dsn, "--json", str(file)]
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
        document = json.loads(file.read_text())
    values: Figures = {}
    units: dict[tuple[str, str], str] = {}
    for key in TABLES:
        comparison = document[key]
        for row, samples in comparison.get("rounds", {}).items():
            for sample in samples[:1]:
                values[key, row], units[key, row] = sample["value"], sample["unit"]
    return values, units


async def compare(base: Path, pairs: int) -> None:
    """Measure by turns and print."""
    ratios: dict[tuple[str, str], list[float]] = {}
    async with server(None) as (dsn, _):
        warn_when_busy()
        for turn in range(pairs):
            order = (base, ROOT) if turn % 2 == 0 else (ROOT, base)
            found = {tree: await asyncio.to_thread(measure, tree, dsn) for tree in order}
            before, (now, units) = found[base][0], found[ROOT]
            for place, value in now.items():
                faster = before[place] / value if units[place] == LOWER_IS_BETTER else value / before[place]
                ratios.setdefault(place, []).append(faster)
            console.print(f"pair {turn + 1}: " + ", ".join(f"{t}/{r} {v[-1]:.2f}" for (t, r), v in ratios.items()))
    table = Table("table", "row", "median: how many times as fast as the base", "pairs")
    for (title, row), values in ratios.items():
        table.add_row(title, row, f"{statistics.median(values):.2f}", " ".join(f"{value:.2f}" for value in values))
    console.print(table)


def main() -> None:
    """Check the base out beside the tree, compare, take it away again."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    words.add_argument("--base", required=True, metavar="COMMIT")
    words.add_argument("--pairs", type=int, default=5)
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="backstitch-base-") as folder:
        base = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(base), given.base], check=True)
        try:
            asyncio.run(compare(base, given.pairs))
        finally:
            subprocess.run([*git, "remove", "--force", str(base)], check=True)


if __name__ == "__main__":
    main()
