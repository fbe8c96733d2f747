"""What a row of the fault table is, and how it is run: in a process and a folder of its own, within a bound of time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.store.postgres_process import find_postmaster

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
_SHOWN = 12


@dataclass
class Outcome:
    """What a row measured, and what was not as promised: one line each, none when it passes."""

    figures: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def expect(self, holds: bool, failure: str) -> None:
        """Note the failure unless it holds."""
        if not holds:
            self.failures.append(failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault.  `run` is given how often, and a new folder; `bounds` are seconds for the small and the full dose."""

    name: str
    fault: str
    passes: str
    unit: str
    doses: tuple[int, int]
    bounds: tuple[float, float]
    run: Callable[[int, Path], Outcome]

    def dose(self, *, full: bool) -> int:
        """How often."""
        return self.doses[full]


@dataclass(slots=True, kw_only=True)
class Result:
    """A row that was run."""

    row: str
    fault: str
    dose: str
    passes: str
    ok: bool
    seconds: float
    figures: dict[str, Any]
    failures: list[str]
    log: str | None = None

    def document(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


def perform(row: Row, dose: int, folder: Path) -> None:
    """In the row's own process: run it and leave the outcome in the folder."""
    try:
        outcome = row.run(dose, folder)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the outcome
        traceback.print_exc()
        outcome = Outcome(failures=[f"{type(error).__name__}: {_short(str(error))}"])
    (folder / "outcome.json").write_text(json.dumps(asdict(outcome), default=str), encoding="utf-8")


def run(row: Row, *, full: bool) -> Result:
    """Run a row to its end, or to its bound; all that it started is gone afterwards, its folder too when it passed."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)  # the embedded PostgreSQL may run as another user
    dose, bound, begun = row.dose(full=full), row.bounds[full], time.monotonic()
    late = _run_process(row, dose, folder, bound)
    outcome = _outcome(folder)
    if late:
        outcome.failures.append(f"not over after {bound:.0f} s")
    ok = not outcome.failures
    if ok:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(
        row=row.name,
        fault=row.fault,
        dose=f"{dose:,} {row.unit}",
        passes=row.passes,
        ok=ok,
        seconds=round(time.monotonic() - begun, 1),
        figures=outcome.figures,
        failures=outcome.failures[:_SHOWN],
        log=None if ok else str(folder / "row.log"),
    )


def _run_process(row: Row, dose: int, folder: Path, bound: float) -> bool:
    """Whether it had to be ended.  Its services are in its process group, their databases are found by their folders."""
    command = [sys.executable, "-m", "tests.chaos", "--perform", row.name, str(dose), str(folder)]
    with (folder / "row.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.wait(bound)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as reason:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _stop_databases(folder)
            if isinstance(reason, KeyboardInterrupt):
                raise
            return True
    _stop_databases(folder)
    return False


def _stop_databases(folder: Path) -> None:
    for file in folder.rglob("postmaster.pid"):
        server = find_postmaster(file.parent)
        if server is not None:
            os.kill(server.pid, signal.SIGINT)
            _gone(file, 10.0)
            if Path(server.socket_dir).name.startswith("backstitch-"):
                shutil.rmtree(server.socket_dir, ignore_errors=True)


def _gone(file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _outcome(folder: Path) -> Outcome:
    try:
        return Outcome(**json.loads((folder / "outcome.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        return Outcome(failures=[f"no outcome: {error}"])


def _short(text: str) -> str:
    return text if len(text) < 600 else text[:300] + " ... " + text[-300:]


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them are; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
