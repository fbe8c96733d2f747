"""How agents do: what has come of their attempts, minute by minute, and how long these took, in histograms that add up.

A histogram counts durations in buckets on a logarithmic scale, the same everywhere: those of several processes and minutes
are added bucket by bucket, and percentiles come from the sum, never from other percentiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

_PER_DOUBLING: Final = 4
"""Buckets in which a duration doubles: a percentile is off by at most 10 %."""
BUCKETS: Final = 112
"""The last begins at 2.7 days."""
MINUTE: Final = 60.0


def bucket(seconds: float) -> int:
    """Which bucket a duration counts in; the first is for all below a millisecond."""
    ms = seconds * 1000
    if ms < 1:
        return 0
    return min(BUCKETS - 1, 1 + int(_PER_DOUBLING * math.log2(ms)))


def middle(index: int) -> float:
    """The duration that stands for a bucket, in milliseconds."""
    return 0.5 if index == 0 else 2 ** ((index - 0.5) / _PER_DOUBLING)


def percentile(buckets: Sequence[int], share: float) -> float | None:
    """The duration in milliseconds that `share` (0 to 1) of what was counted did not exceed; None when nothing was."""
    wanted = share * sum(buckets)
    counted = 0
    for index, count in enumerate(buckets):
        counted += count
        if count and counted >= wanted:
            return middle(index)
    return None


def add(buckets: list[int], more: Sequence[int]) -> None:
    """Add a histogram to another, which grows as it must."""
    buckets.extend([0] * (len(more) - len(buckets)))
    for index, count in enumerate(more):
        buckets[index] += count


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of attempts: `ok`; `failed`, which speaks against the agent; `rejected`: failed for good, of its input, say.

    `buckets` count the durations of those that are ok or failed, without zeros at the end.  `error` is the last one's
    (`kind`, `message`, ...), `error_at` its time.
    """

    ok: int = 0
    failed: int = 0
    rejected: int = 0
    buckets: list[int] = field(default_factory=list[int])
    error: Mapping[str, Any] | None = None
    error_at: datetime | None = None

    @property
    def attempts(self) -> int:
        """All of them."""
        return self.ok + self.failed + self.rejected

    @property
    def success_rate(self) -> float | None:
        """The share of those that speak for the agent among those that speak for or against it; None without any."""
        counted = self.ok + self.failed
        return self.ok / counted if counted else None

    def time(self, seconds: float) -> None:
        """Count a duration."""
        index = bucket(seconds)
        self.buckets.extend([0] * (index + 1 - len(self.buckets)))
        self.buckets[index] += 1

    def include(self, other: Tally) -> None:
        """Add another to this one."""
        self.ok += other.ok
        self.failed += other.failed
        self.rejected += other.rejected
        add(self.buckets, other.buckets)
        if other.error_at is not None and (self.error_at is None or other.error_at >= self.error_at):
            self.error, self.error_at = other.error, other.error_at


class AgentHealthStore(Protocol):
    """The stored tallies, one an agent and minute; all raise Unavailable while the store is away."""

    async def add(self, tallies: Mapping[tuple[str, datetime], Tally]) -> None:
        """Add to what is stored, by agent and the minute's beginning."""
        ...

    async def over(self, agent: str, window: timedelta) -> Tally:
        """The sum of an agent's minutes that end in the window, up to now; `error` is its last, however old."""
        ...

    async def prune(self, age: timedelta, limit: int) -> int:
        """Drop up to `limit` minutes that are older; how many were."""
        ...
