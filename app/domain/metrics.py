"""Time series of agents and workflows: what came of them, minute by minute, rolled up into hours and days.

Each process writes rows of its own, so that no two ever write the same; whoever reads adds them up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from app.domain.histogram import add, bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL: Final = ""
"""The name under which all of a kind are summed."""
OTHER: Final = "_other"
"""The name for those that are too many to be told apart; no agent or workflow can be called that."""


class Kind(StrEnum):
    """What is counted: attempts of agents, or executions of workflows that have ended."""

    AGENT = "agent"
    WORKFLOW = "workflow"


class Resolution(StrEnum):
    """How long the time is that a row stands for."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def span(self) -> timedelta:
        """That time."""
        return _SPANS[self]

    @property
    def kept(self) -> timedelta | None:
        """For how long such rows are kept; None for ever."""
        return _KEPT[self]

    def floor(self, at: datetime) -> datetime:
        """When the one began that `at` is in."""
        at = at.astimezone(UTC)
        return at - (at - _EPOCH) % self.span


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPANS: Final = {
    Resolution.MINUTE: timedelta(minutes=1),
    Resolution.HOUR: timedelta(hours=1),
    Resolution.DAY: timedelta(days=1),
}
_KEPT: Final = {
    Resolution.MINUTE: timedelta(hours=48),
    Resolution.HOUR: timedelta(days=60),
    Resolution.DAY: None,
}
FINER: Final = {Resolution.HOUR: Resolution.MINUTE, Resolution.DAY: Resolution.HOUR}
"""What is rolled up into what."""
SETTLED: Final = timedelta(seconds=90)
"""After the end of an hour or a day its rows are all written, but for those that an outage has held back."""
LATE: Final = {Resolution.HOUR: timedelta(hours=3), Resolution.DAY: timedelta(days=2)}
"""How far back rows may be written that an outage has held back: what they are rolled up into is made anew."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of `count` attempts or executions: `errors` of them failed, for good of their own input, say, if `rejected`.

    `buckets` count the durations (those of the rejected are of no interest), without zeros at the end; `sum_ms` is their sum.
    `error` is the last one's (`kind`, `message`, ...), `error_at` its time.
    """

    count: int = 0
    errors: int = 0
    rejected: int = 0
    retries: int = 0
    sum_ms: float = 0.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    buckets: list[int] = field(default_factory=list[int])
    error: Mapping[str, Any] | None = None
    error_at: datetime | None = None

    @property
    def ok(self) -> int:
        """Those that did not fail."""
        return self.count - self.errors

    @property
    def failed(self) -> int:
        """Those that speak against the agent."""
        return self.errors - self.rejected

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
        self.sum_ms += seconds * 1000

    def include(self, other: Tally) -> None:
        """Add another to this one."""
        self.count += other.count
        self.errors += other.errors
        self.rejected += other.rejected
        self.retries += other.retries
        self.sum_ms += other.sum_ms
        self.cost_usd += other.cost_usd
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        add(self.buckets, other.buckets)
        if other.error_at is not None and (self.error_at is None or other.error_at >= self.error_at):
            self.error, self.error_at = other.error, other.error_at


class SeriesKey(NamedTuple):
    """Whose tally of which minute."""

    kind: Kind
    name: str
    minute: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time since <= at < until, read with that resolution: `since` is where one of its spans begins."""

    since: datetime
    until: datetime
    resolution: Resolution


Pieces = tuple[tuple[datetime, datetime], tuple[datetime, datetime], tuple[datetime, datetime]]
"""The parts of a time that are read from days, hours and minutes."""


def pieces(span: Span, hours_until: datetime, days_until: datetime) -> Pieces:
    """From which rows a span is read, when hours and days are rolled up so far: the rest comes from finer rows."""
    starts = list(Resolution).index(span.resolution)
    days = min(max(span.since, days_until), span.until) if starts == 2 else span.since  # noqa: PLR2004 - DAY
    hours = min(max(days, hours_until), span.until) if starts >= 1 else span.since
    return (span.since, days), (days, hours), (hours, span.until)


class MetricsStore(Protocol):
    """The stored tallies; all raise Unavailable while the store is away."""

    async def write(self, writer: str, tallies: Mapping[SeriesKey, Tally]) -> None:
        """Put these in the place of what that writer (a UUID) has written for the same minutes; what was told late does not
        displace what is further.
        """
        ...

    async def over(self, kind: Kind, name: str, window: timedelta) -> Tally:
        """The sum of the minutes that end in the window, up to now; `error` is the last of those that are kept."""
        ...

    async def sums(self, kind: Kind, span: Span, *, after: str = ALL, limit: int = 50) -> list[tuple[str, Tally]]:
        """The sum of the span for each name above `after` that has one, by name."""
        ...

    async def points(self, kind: Kind, name: str, span: Span, *, timed: bool) -> list[tuple[datetime, Tally]]:
        """The sums of a name by the beginnings of the times of that resolution, those with none left out; `timed`: with
        their histograms.
        """
        ...

    async def roll_up(self, into: Resolution, *, pause: timedelta, limit: int) -> int:
        """Sum up to `limit` hours or days that are over from what is finer, unless somebody did within the `pause`; how many.

        Doing it again changes nothing.
        """
        ...

    async def prune(self, resolution: Resolution, age: timedelta, limit: int) -> int:
        """Drop up to `limit` rows that are older and, unless they are days, rolled up; how many were."""
        ...

    async def thread_counts(self) -> dict[str, int]:
        """How many threads there are in each status that has any; it may look at all of them."""
        ...
