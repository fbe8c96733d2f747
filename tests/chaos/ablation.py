"""[ablation] Each safeguard of the product is taken out in turn: the suite finds each (`python -m tests.ablation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ablation import run as ablation
from tests.ablation.safeguards import SAFEGUARDS
from tests.chaos.frame import Outcome, Row

if TYPE_CHECKING:
    from pathlib import Path


def run(count: int, folder: Path) -> Outcome:
    """So many of them."""
    verdicts = ablation.run(SAFEGUARDS[:count], _tell, folder=folder)
    missed = [f"{one.name}: {one.note}" for one in verdicts if not one.found]
    figures = {"safeguards": len(verdicts), "found": len(verdicts) - len(missed), "not found": len(missed)}
    return Outcome(figures=figures, failures=missed)


def _tell(verdict: ablation.Verdict) -> None:
    print(verdict.name, verdict.found_by or verdict.note, sep=": ", flush=True)  # noqa: T201 - the row's log


ROWS = (
    Row(
        name="ablation",
        fault="each safeguard of the product taken out in turn",
        passes="a test of the suite finds each",
        unit="safeguards",
        doses=(len(SAFEGUARDS), len(SAFEGUARDS)),
        bounds=(1_500, 2_400),
        run=run,
    ),
)
