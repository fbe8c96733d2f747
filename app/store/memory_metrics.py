"""Time series of agents and workflows in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from app.domain.metrics import ALL, FINER, LATE, SETTLED, Kind, MetricsStore, Resolution, Span, Tally, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.domain.metrics import SeriesKey
    from app.store.memory_tables import MemoryTables

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_ROLLED_UP = ""
"""Who writes what is rolled up."""


class _Key(NamedTuple):
    kind: Kind
    name: str
    resolution: Resolution
    at: datetime
    writer: str


@dataclass(slots=True)
class _Rolled:
    until: datetime = _NEVER
    at: datetime = _NEVER
    touched: set[datetime] = field(default_factory=set[datetime])
    """Times of which a finer row was written since."""


class MemoryMetrics(MetricsStore):
    """See domain.metrics.MetricsStore; the threads are those of `tables`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._rows: dict[_Key, Tally] = {}
        self._rolled = {resolution: _Rolled() for resolution in FINER}

    async def write(self, writer: str, tallies: Mapping[SeriesKey, Tally]) -> None:
        """See MetricsStore."""
        for key, tally in tallies.items():
            self._put(_Key(key.kind, key.name, Resolution.MINUTE, key.minute, writer), _copy(tally))

    async def over(self, kind: Kind, name: str, window: timedelta) -> Tally:
        """See MetricsStore."""
        since = self._tables.clock() - window - timedelta(minutes=1)
        found = Tally()
        for key, tally in sorted(self._of(kind, name), key=lambda each: each[0].at):
            if key.resolution is Resolution.MINUTE:
                found.include(tally if key.at > since else Tally(error=tally.error, error_at=tally.error_at))
        return found

    async def sums(self, kind: Kind, span: Span, *, after: str = ALL, limit: int = 50) -> list[tuple[str, Tally]]:
        """See MetricsStore."""
        found: dict[str, Tally] = {}
        for key, tally in self._read(kind, span):
            if key.name > after:
                found.setdefault(key.name, Tally()).include(replace(tally, error=None, error_at=None))
        return sorted(found.items())[:limit]

    async def points(self, kind: Kind, name: str, span: Span, *, timed: bool) -> list[tuple[datetime, Tally]]:
        """See MetricsStore."""
        found: dict[datetime, Tally] = {}
        for key, tally in self._read(kind, span):
            if key.name == name:
                wanted = replace(tally, error=None, error_at=None, buckets=tally.buckets if timed else [])
                found.setdefault(span.resolution.floor(key.at), Tally()).include(wanted)
        return sorted(found.items())

    async def roll_up(self, into: Resolution, *, pause: timedelta, limit: int) -> int:
        """See MetricsStore."""
        rolled, now = self._rolled[into], self._tables.clock()
        if rolled.at > now - pause:
            return 0
        ready, since = into.floor(now - SETTLED), rolled.until - LATE[into]
        spans = sorted(at for at in rolled.touched if since <= at < ready)[:limit]
        for at in spans:
            self._roll(into, at)
            rolled.touched.discard(at)
        rolled.until = max(rolled.until, spans[-1] + into.span if len(spans) == limit else ready)
        rolled.at = now
        return len(spans)

    async def prune(self, resolution: Resolution, age: timedelta, limit: int) -> int:
        """See MetricsStore."""
        before = self._tables.clock() - age
        for coarser, finer in FINER.items():
            if finer is resolution:
                before = min(before, self._rolled[coarser].until - LATE[coarser])
        old = sorted(key for key in self._rows if key.resolution is resolution and key.at < before)[:limit]
        for key in old:
            del self._rows[key]
        return len(old)

    async def thread_counts(self) -> dict[str, int]:
        """See MetricsStore."""
        return dict(Counter(thread.status.value for thread in self._tables.threads.values()))

    def _put(self, key: _Key, tally: Tally) -> None:
        known = self._rows.get(key)
        if key.writer and known is not None and not _further(tally, known):
            return
        self._rows[key] = tally
        for coarser, finer in FINER.items():
            if finer is key.resolution:
                self._rolled[coarser].touched.add(coarser.floor(key.at))

    def _roll(self, into: Resolution, at: datetime) -> None:
        sums: dict[tuple[Kind, str], Tally] = {}
        for key, tally in self._rows.items():
            if key.resolution is FINER[into] and at <= key.at < at + into.span:
                found = sums.setdefault((key.kind, key.name), Tally())
                found.include(replace(tally, error=None, error_at=None))
        for (kind, name), found in sums.items():
            self._put(_Key(kind, name, into, at, _ROLLED_UP), found)

    def _of(self, kind: Kind, name: str) -> Iterator[tuple[_Key, Tally]]:
        return (each for each in self._rows.items() if (each[0].kind, each[0].name) == (kind, name))

    def _read(self, kind: Kind, span: Span) -> Iterator[tuple[_Key, Tally]]:
        """The rows that make up a span."""
        bounds = pieces(span, self._rolled[Resolution.HOUR].until, self._rolled[Resolution.DAY].until)
        parts = dict(zip((Resolution.DAY, Resolution.HOUR, Resolution.MINUTE), bounds, strict=True))
        for key, tally in self._rows.items():
            since, until = parts[key.resolution]
            if key.kind is kind and since <= key.at < until:
                yield key, tally


def _copy(tally: Tally) -> Tally:
    return replace(tally, buckets=list(tally.buckets))


def _further(new: Tally, known: Tally) -> bool:
    return all(
        before <= now
        for before, now in (
            (known.count, new.count),
            (known.retries, new.retries),
            (known.cost_usd, new.cost_usd),
            (known.input_tokens, new.input_tokens),
            (known.output_tokens, new.output_tokens),
        )
    )
