"""`python -m tests.chaos`: runs the fault table, prints it, writes reports/chaos.json; exit code 1 when a row fails.

DOSE=full runs the large doses, ROWS="kill,freeze" some rows only, also as --dose and --rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.chaos import frame
from tests.chaos.rows import ROWS

if TYPE_CHECKING:
    from tests.chaos.frame import Result, Row

REPORT = frame.ROOT / "reports" / "chaos.json"


def main() -> int:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--dose", choices=("small", "full"), default=os.environ.get("DOSE") or "small")
    parser.add_argument("--rows", default=os.environ.get("ROWS") or "", help="names with commas between; all without")
    parser.add_argument("--list", action="store_true", help="only show the rows")
    parser.add_argument("--perform", nargs=3, metavar=("ROW", "DOSE", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what a row has started ends with it
    known = {row.name: row for row in ROWS}
    if asked.perform:
        name, dose, folder = asked.perform
        frame.perform(known[name], int(dose), Path(folder))
        return 0
    names = [name.strip() for name in asked.rows.split(",") if name.strip()] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(known)}")
    full, console = asked.dose == "full", Console(width=None if sys.stdout.isatty() else 150)
    if asked.list:
        console.print(_listing(list(known.values())))
        return 0
    results = [_run(known[name], console, full=full) for name in names]
    console.print(_table(results))
    _report(results, asked.dose)
    return 0 if all(result.ok for result in results) else 1


def _run(row: Row, console: Console, *, full: bool) -> Result:
    console.print(f"{row.name}: {row.dose(full=full):,} {row.unit} ...", markup=False)
    result = frame.run(row, full=full)
    console.print(f"  {'ok' if result.ok else 'FAILED'} in {result.seconds:.0f} s", markup=False)
    for failure in result.failures:
        console.print(f"  - {failure}", markup=False)
    if result.log:
        console.print(f"  its log: {result.log}", markup=False)
    return result


def _table(results: list[Result]) -> Table:
    table = Table("row", "dose", "passes when", "figures", "s", "ok", show_lines=True)
    for one in results:
        figures = ", ".join(f"{name} {value}" for name, value in one.figures.items())
        table.add_row(one.row, one.dose, one.passes, figures, f"{one.seconds:.0f}", "yes" if one.ok else "NO")
    return table


def _listing(rows: list[Row]) -> Table:
    table = Table("row", "fault", "small", "full", "passes when", show_lines=True)
    for row in rows:
        table.add_row(row.name, row.fault, f"{row.doses[0]:,} {row.unit}", f"{row.doses[1]:,}", row.passes)
    return table


def _report(results: list[Result], dose: str) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dose": dose,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "ok": all(result.ok for result in results),
        "seconds": round(sum(result.seconds for result in results), 1),
        "rows": [result.document() for result in results],
    }
    REPORT.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
