"""What every part of the benchmark is built on: samples, interleaved rounds, medians and the table.

A part is a coroutine function that measures once and returns a Sample. Parts of one comparison run in turn, round after
round, because the machine's speed drifts: only ratios within one run count. The processes and the database's counters
are in benchmarks/processes.py and benchmarks/postgres.py.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# a pipe has no width of its own: the tables are wide
console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)

PartRunner = Callable[["Bench"], Awaitable["Sample"]]


class Unavailable(Exception):
    """A part cannot run here (an extra is not installed, a module not built); its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one part: the figure that is compared (`value` in `unit`), and whatever else was seen.

    Keys of `extra` that several parts share become columns; by habit they end in their unit (p99_ms, rss_mb).
    """

    name: str
    unit: str
    value: float
    extra: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a part is given: the server's DSN (see postgres.fresh_database), whether to be brief, the peers' Python and loop.

    `log` is what the server logs, where this process can read it: without it, statements are not counted.
    """

    dsn: str
    log: Path | None = None
    quick: bool = False
    peers_python: str = sys.executable
    peers_loop: str = "uvloop"

    def size(self, full: int, quick: int | None = None) -> int:
        """`full`, or with --quick `quick` (a fifth of it where not given)."""
        if not self.quick:
            return full
        return quick if quick is not None else max(1, full // 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One row of one comparison: `run(bench)` measures once."""

    comparison: str
    name: str
    run: PartRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One table: parts whose values have the same unit, and the columns of `extra` that it shows.

    The ratio column sets every part against the part named `baseline`, or, where that has no figure, against the first
    part that has one. With `lower_is_better` a ratio above 1 still means better than the baseline. What the machine's
    speed does not change is measured `once`, not in rounds.
    """

    key: str
    title: str
    baseline: str
    columns: Sequence[str] = ()
    lower_is_better: bool = False
    once: bool = False


async def interleave(parts: Mapping[str, Callable[[], Awaitable[Sample]]], rounds: int) -> dict[str, list[Sample]]:
    """Run every part once a round, each second round backwards; the samples of each part by its name.

    A part that raises Unavailable is left out of the following rounds and has an empty list.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in parts}
    missing: set[str] = set()
    for number in range(rounds):
        for name in list(parts)[:: 1 if number % 2 == 0 else -1]:
            if name in missing:
                continue
            try:
                sample = await parts[name]()
            except Unavailable as why:
                missing.add(name)
                console.print(f"  {escape(name)}: left out, {escape(str(why))}")
                continue
            samples[name].append(sample)
            console.print(f"  round {number + 1}  {escape(name)}: {figure(sample.value)} {sample.unit}")
    return samples


def median(samples: Sequence[Sample]) -> Sample | None:
    """The median of the values and, key by key, of the extras; None when there are no samples."""
    if not samples:
        return None
    keys = {key: None for sample in samples for key in sample.extra}
    extra = {key: _median([sample.extra[key] for sample in samples if key in sample.extra]) for key in keys}
    first = samples[0]
    return Sample(name=first.name, unit=first.unit, value=_median([each.value for each in samples]), extra=extra)


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def ratio(comparison: Comparison, value: float, base: float) -> float:
    """How many times better `value` is than `base`; NaN where either is 0 or unknown."""
    above, below = (base, value) if comparison.lower_is_better else (value, base)
    return above / below if below else math.nan


def table(comparison: Comparison, results: Mapping[str, Sequence[Sample]]) -> Table:
    """The medians of one comparison as a rich table, with the ratio to its baseline and the spread of the rounds."""
    medians = {name: median(samples) for name, samples in results.items()}
    base_name = _baseline(comparison, medians)
    base = medians.get(base_name) if base_name else None
    shown = [key for key in comparison.columns if any(each and key in each.extra for each in medians.values())]
    unit = base.unit if base else ""
    drawn = Table(title=comparison.title, title_justify="left", title_style="bold")
    drawn.add_column("part")
    for header in (unit, f"x {base_name}" if base_name else "ratio", "spread", *shown):
        drawn.add_column(_heading(header), justify="right", no_wrap=True)
    for name, middle in medians.items():
        if middle is None or base is None:
            drawn.add_row(name, "not available", *[""] * (len(shown) + 2))
            continue
        values = [each.value for each in results[name]]
        spread = f"{figure(min(values))} - {figure(max(values))}" if len(values) > 1 else ""
        rest = [figure(middle.extra.get(key, math.nan)) for key in shown]
        drawn.add_row(name, figure(middle.value), figure(ratio(comparison, middle.value, base.value)), spread, *rest)
    return drawn


def _heading(key: str) -> str:
    return key.replace("_per_", "\nper ").replace("_", " ")


def _baseline(comparison: Comparison, medians: Mapping[str, Sample | None]) -> str | None:
    if medians.get(comparison.baseline):
        return comparison.baseline
    return next((name for name, middle in medians.items() if middle), None)


def figure(value: float) -> str:
    """A number for a person: three significant digits below 100, thousands separated above, - for unknown."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_json(comparison: Comparison, results: Mapping[str, Sequence[Sample]]) -> dict[str, object]:
    """Everything that was measured in one comparison, for --json."""
    medians = {name: median(samples) for name, samples in results.items()}
    return {
        "title": comparison.title,
        "medians": {name: asdict(middle) if middle else None for name, middle in medians.items()},
        "rounds": {name: [asdict(each) for each in samples] for name, samples in results.items()},
    }
