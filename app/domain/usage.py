"""What work has cost, summed over many threads: by agent, by workflow, by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.records import NO_USAGE, Usage

GROUPS: Final = ("day", "workflow", "agent")
"""By what it can be summed, in the order of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Step runs that ended in since <= time < until, summed `by` any of GROUPS.

    `after` is the last key of the page before, in the order of GROUPS with "" for what it is not summed by.
    """

    by: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[str, str, str] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """What `step_runs` step runs have cost together; `day` is one of UTC (2026-11-21), "" what it is not summed by."""

    day: str = ""
    workflow: str = ""
    agent: str = ""
    step_runs: int = 0
    usage: Usage = NO_USAGE

    @property
    def key(self) -> tuple[str, str, str]:
        """Its place in the list."""
        return self.day, self.workflow, self.agent
