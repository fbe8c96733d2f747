"""`python -m tests.ablation`: takes each safeguard out in turn and prints which test found that, if any.

SAFEGUARDS="lease,feed" (also --only) runs those whose names hold such a word.  Writes reports/ablation.json; exit code 1
when one is not found.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.ablation import run
from tests.ablation.safeguard import ROOT
from tests.ablation.safeguards import SAFEGUARDS

if TYPE_CHECKING:
    from tests.ablation.run import Verdict
    from tests.ablation.safeguard import Safeguard

REPORT = ROOT / "reports" / "ablation.json"


def main() -> int:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.ablation", description=__doc__)
    parser.add_argument("--only", default=os.environ.get("SAFEGUARDS") or "", help="words with commas between")
    parser.add_argument("--workers", type=int, default=run.WORKERS)
    parser.add_argument("--list", action="store_true", help="only show the safeguards")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 170)
    chosen = select(asked.only)
    if asked.list:
        for each in chosen:
            console.print(f"{each.promise:4} {each.name}", markup=False, highlight=False)
        return 0
    begun = time.monotonic()
    verdicts = run.run(chosen, lambda verdict: console.print(_line(verdict), markup=False), workers=asked.workers)
    console.print(_table(verdicts))
    seconds = round(time.monotonic() - begun, 1)
    missed = [verdict.name for verdict in verdicts if not verdict.found]
    console.print(f"{len(verdicts)} safeguards, {len(missed)} not found, {seconds:.0f} s", markup=False)
    _report(verdicts, seconds)
    return 1 if missed or not verdicts else 0


def select(words: str) -> list[Safeguard]:
    """The safeguards whose names hold one of the words, all without any."""
    wanted = [word.strip().lower() for word in words.split(",") if word.strip()]
    return [each for each in SAFEGUARDS if not wanted or any(word in each.name.lower() for word in wanted)]


def _line(verdict: Verdict) -> str:
    return f"{'found' if verdict.found else 'NOT FOUND'}: {verdict.name} ({verdict.seconds:.1f} s) {verdict.note}"


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("safeguard", "guarantee", "found by", "s", "found?")
    for one in verdicts:
        by = (one.found_by or one.note).removeprefix("tests/")
        table.add_row(one.name, one.promise, by, f"{one.seconds:.1f}", "yes" if one.found else "NO")
    return table


def _report(verdicts: list[Verdict], seconds: float) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ok": all(verdict.found for verdict in verdicts),
        "seconds": seconds,
        "safeguards": [{**asdict(verdict), "found": verdict.found} for verdict in verdicts],
    }
    REPORT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
