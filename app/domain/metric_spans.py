"""Over which time, and how finely, time series are read: as finely as is kept and as is quick to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.errors import InvalidRequest, Problem
from app.domain.metrics import FINER, Resolution, Span

MAX_POINTS: Final = 1_000
_ENOUGH: Final = 500
"""Points of a series whose resolution was left open."""
_ROWS: Final = 120
"""Rows of a name that a sum is made of, at most, unless it is one of days."""
WINDOW: Final = timedelta(hours=1)
_USUAL: Final = {
    Resolution.MINUTE: timedelta(hours=1),
    Resolution.HOUR: timedelta(hours=24),
    Resolution.DAY: timedelta(days=30),
}


def window(since: datetime | None, until: datetime | None, now: datetime, *, length: timedelta = WINDOW) -> Span:
    """The span of a sum, of that length without `since`; of its units it has the whole.  Raises InvalidRequest."""
    end = until or now
    start = since or _before(end, length)
    _check(start, end)
    resolution = _finest(start, end, now, _ROWS)
    return Span(since=resolution.floor(start), until=_whole(end, resolution, now), resolution=resolution)


def series(resolution: Resolution | None, since: datetime | None, until: datetime | None, now: datetime) -> Span:
    """The span of a series; what is not kept so finely any more is left out.  Raises InvalidRequest."""
    end = until or now
    start = since or _before(end, _USUAL[resolution or Resolution.MINUTE])
    _check(start, end)
    if resolution is None:
        resolution = _finest(start, end, now, _ENOUGH)
    elif resolution.kept is not None:
        start = max(start, resolution.floor(now - resolution.kept) + resolution.span)
    until = _whole(end, resolution, now)
    found = Span(since=min(resolution.floor(start), until), until=until, resolution=resolution)
    count = _count(found.since, until, resolution)
    if count > MAX_POINTS:
        message = (
            f"{count:,} points: at most {MAX_POINTS:,} are told at once; ask for a shorter time or a coarser resolution"
        )
        raise InvalidRequest(message, code="too_many_points", problems=[Problem("/query/since", "too long ago")])
    return found


def grid(span: Span) -> list[datetime]:
    """The beginnings of its units, the last of which may not be over."""
    count = _count(span.since, span.until, span.resolution)
    return [span.since + place * span.resolution.span for place in range(count)]


def _before(end: datetime, length: timedelta) -> datetime:
    try:
        return end - length
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _whole(end: datetime, resolution: Resolution, now: datetime) -> datetime:
    """The end of the unit that `end` is in: rows tell of whole ones.  While that is not over it is read from finer rows."""
    unit: Resolution | None = resolution
    while unit is not None and (begin := unit.floor(end)) != end:
        if begin <= now - unit.span:
            return begin + unit.span
        unit = FINER.get(unit)
    return end


def _check(start: datetime, end: datetime) -> None:
    if start >= end:
        raise InvalidRequest("since is not before until", problems=[Problem("/query/since", "should be before until")])


def _finest(start: datetime, end: datetime, now: datetime, most: int) -> Resolution:
    for resolution in (Resolution.MINUTE, Resolution.HOUR):
        if _count(start, end, resolution) <= most and start >= now - (resolution.kept or timedelta.max):
            return resolution
    return Resolution.DAY


def _count(start: datetime, end: datetime, resolution: Resolution) -> int:
    return max(0, -((start - end) // resolution.span))
