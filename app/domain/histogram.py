"""Histograms that add up: durations counted in buckets, those of several processes and times added bucket by bucket.

A percentile comes from the sum, never from other percentiles.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PER_DOUBLING: Final = 4
"""Buckets in which a duration doubles: a percentile is off by at most 10 %."""
BUCKETS: Final = 112
"""The last begins at 2.7 days."""


def bucket(seconds: float) -> int:
    """Which bucket a duration counts in, on a logarithmic scale; the first is for all below a millisecond."""
    ms = seconds * 1000
    if ms < 1:
        return 0
    return min(BUCKETS - 1, 1 + int(PER_DOUBLING * math.log2(ms)))


def middle(index: int) -> float:
    """The duration that stands for a bucket, in milliseconds."""
    return 0.5 if index == 0 else 2 ** ((index - 0.5) / PER_DOUBLING)


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


@dataclass(slots=True)
class Distribution:
    """Values counted between fixed bounds: `counts[i]` are those up to `bounds[i]` and above the bound before, the last those
    above all; `total` is their sum.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def note(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> Distribution:
        """What was counted so far."""
        found = Distribution(self.bounds)
        found.counts, found.total = self.counts.copy(), self.total
        return found

    def include(self, other: Distribution) -> None:
        """Add another with the same bounds."""
        add(self.counts, other.counts)
        self.total += other.total
