"""What the project has promised of its speed: each number with what was measured in this run, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.table import Table

from benchmarks.harness import Sample, figure

Medians = Mapping[str, Mapping[str, Sample | None]]


class Figures:
    """The medians of all tables, by table and row."""

    def __init__(self, medians: Medians) -> None:
        self._medians = medians

    def value(self, comparison: str, row: str) -> float:
        """The compared figure of a row; NaN where it was not measured."""
        sample = self._medians.get(comparison, {}).get(row)
        return sample.value if sample else math.nan

    def column(self, comparison: str, row: str, key: str) -> float:
        """One column of a row; NaN where it was not measured."""
        sample = self._medians.get(comparison, {}).get(row)
        return sample.extra.get(key, math.nan) if sample else math.nan

    def ratio(self, comparison: str, row: str, base: str) -> float:
        """One row's figure by another's."""
        return self.value(comparison, row) / self.value(comparison, base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One promise: `measured` must be at least `least`, or below `below`."""

    name: str
    measured: Callable[[Figures], float]
    least: float | None = None
    below: float | None = None

    @property
    def wanted(self) -> str:
        """The bound for a person."""
        return f">= {figure(self.least)}" if self.least is not None else f"< {figure(self.below or 0.0)}"

    def met(self, value: float) -> bool:
        """Whether `value` keeps the promise."""
        return value >= self.least if self.least is not None else value < (self.below or 0.0)


TARGETS = (
    Target(
        name="engine by the limit, 100 in flight",
        measured=lambda seen: seen.ratio("work-100", "engine", "limit"),
        least=0.5,
    ),
    Target(
        name="engine by the limit, 1,000 in flight",
        measured=lambda seen: seen.ratio("work-1000", "engine", "limit"),
        least=0.5,
    ),
    Target(
        name="engine by LangGraph, 100 in flight",
        measured=lambda seen: seen.ratio("work-100", "engine", "LangGraph"),
        least=10,
    ),
    Target(
        name="engine by DBOS, 100 in flight", measured=lambda seen: seen.ratio("work-100", "engine", "DBOS"), least=10
    ),
    Target(
        name="service over HTTP by the engine, 100 in flight",
        measured=lambda seen: seen.ratio("work-100", "service over HTTP", "engine"),
        least=0.25,
    ),
    Target(
        name="service over HTTP by the engine, 1,000 in flight",
        measured=lambda seen: seen.ratio("work-1000", "service over HTTP", "engine"),
        least=0.25,
    ),
    Target(
        name="accept only by a bare route with its INSERT",
        measured=lambda seen: seen.ratio("accept", "service", "bare FastAPI + INSERT"),
        least=0.6,
    ),
    Target(
        name="commits per step, engine, 1,000 in flight",
        measured=lambda seen: seen.column("work-1000", "engine", "commits_per_step"),
        below=0.1,
    ),
    Target(
        name="commits per step, service, 1,000 in flight",
        measured=lambda seen: seen.column("work-1000", "service over HTTP", "commits_per_step"),
        below=0.1,
    ),
    Target(
        name="a step alone, its statement bare being 1",
        measured=lambda seen: (
            seen.column("alone", "engine", "step_commit_p50_ms") / seen.column("alone", "limit", "step_commit_p50_ms")
        ),
        below=2,
    ),
    Target(
        name="bytes of 500 steps by bytes of 5",
        measured=lambda seen: seen.value("storage-500", "engine") / seen.value("storage-5", "engine"),
        below=110,
    ),
    Target(
        name="bytes of 500 steps by their data",
        measured=lambda seen: seen.column("storage-500", "engine", "times_the_data"),
        below=1.3,
    ),
    Target(
        name="SSE p99 by bare sse-starlette's",
        measured=lambda seen: seen.ratio("sse", "service", "bare sse-starlette"),
        below=5,
    ),
    Target(
        name="p95 of saving a checkpoint in ms, 100 states of 100 KB",
        measured=lambda seen: seen.column("state-100kb", "steps of 50-150 ms", "save_p95_ms"),
        below=50,
    ),
    Target(
        name="p95 of loading a checkpoint in ms, 100 states of 100 KB",
        measured=lambda seen: seen.column("state-100kb", "steps of 50-150 ms", "load_p95_ms"),
        below=100,
    ),
    Target(
        name="peak RSS in MB, engine, 1,000 in flight",
        measured=lambda seen: seen.column("work-1000", "engine", "rss_mb"),
        below=150,
    ),
    Target(
        name="peak RSS in MB, service, 1,000 in flight",
        measured=lambda seen: seen.column("work-1000", "service over HTTP", "rss_mb"),
        below=150,
    ),
)


def summary(medians: Medians) -> Table:
    """All promises as a table; what was not measured says so."""
    seen = Figures(medians)
    drawn = Table(title="Promises", title_justify="left", title_style="bold")
    drawn.add_column("target")
    for header in ("wanted", "measured", "met"):
        drawn.add_column(header, justify="right")
    for target in TARGETS:
        value = target.measured(seen)
        known = not math.isnan(value)
        met = ("yes" if target.met(value) else "[red]no[/red]") if known else "not measured"
        drawn.add_row(target.name, target.wanted, figure(value), met)
    return drawn
