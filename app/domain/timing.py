"""When a schedule fires: cron expressions in a time zone, or a fixed interval; computed, never stored ahead.

Cron is what cronsim reads: five fields, or six with the seconds first, and @daily and the like.  It is asked for times by a
clock that never changes; where clocks do change it is here, as with Debian's cron: a job at given hours runs once, in an hour
that is skipped at its end, in one that comes twice the first time; what runs every hour or more often goes on by real time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CRON: Final = 200
"""Characters of a cron expression."""
LEAST_INTERVAL: Final = 1.0
"""Seconds."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""No time of a schedule lies beyond it."""
_TICK: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_WEEK: Final = timedelta(days=7)
"""No zone changes its clock and changes it back sooner."""
_FIVE: Final = 5
"""Fields of an expression without seconds."""
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,3}")
_NOT_IANAS: Final = frozenset({"localtime", "posix", "posixrules", "right"})
"""What lies beside the zones on many machines, and is another on each."""
_SHORT: Final = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of a schedule: of `cron` by the clock of `timezone`, or `every` so many seconds.

    An interval is counted from `start_at`, without one from 1970 in UTC: its times do not depend on when it was made.  None
    lies before `start_at` or after `end_at`.  `jitter`: a firing may be due up to so many seconds late.
    """

    cron: str | None = None
    every: float | None = None
    timezone: str = "UTC"
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float = 0.0

    def after(self, at: datetime) -> datetime | None:
        """The first time after `at`, in UTC; None when there is no more (of cron: within 50 years)."""
        at = max(at, (self.start_at or EPOCH) - _TICK)
        if at >= LATEST:
            return None
        found = self._cron_after(at) if self.cron is not None else self._interval_after(at)
        last = LATEST if self.end_at is None else min(self.end_at, LATEST)
        return found if found is not None and found <= last else None

    def before(self, at: datetime) -> datetime | None:
        """The last time before `at`; None when there is none (of cron: within 50 years)."""
        if at <= EPOCH:
            return None
        found = self._cron_before(at) if self.cron is not None else self._interval_before(at)
        first = EPOCH if self.start_at is None else self.start_at
        return found if found is not None and found >= first else None

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Its times from `first` to `last`, both included."""
        at = self.after(max(first, EPOCH) - _TICK)
        while at is not None and at <= last:
            yield at
            at = self.after(at)

    def due(self, schedule_id: str, fire_time: datetime) -> datetime:
        """When the firing of a time is due: that time and the jitter, which is the same for everybody who asks.

        It never reaches the next time, so that firings keep their order.
        """
        if self.jitter <= 0:
            return fire_time
        digest = hashlib.sha256(f"{schedule_id}\0{fire_time.isoformat()}".encode()).digest()
        share = int.from_bytes(digest[:8]) / 2**64
        following = self.after(fire_time)
        room = self.jitter if following is None else min(self.jitter, (following - fire_time).total_seconds())
        return fire_time + timedelta(seconds=room * share)

    def _cron_after(self, at: datetime) -> datetime | None:
        assert self.cron is not None
        fields, zone = _fields(self.cron), _zone(self.timezone)
        return _daily_after(fields, zone, at) if _is_daily(fields) else _flowing_after(fields, zone, at)

    def _cron_before(self, at: datetime) -> datetime | None:
        assert self.cron is not None
        zone = _zone(self.timezone)
        local = next(_simulated(_fields(self.cron), _wall(at, zone), reverse=True), None)
        if local is None:
            return None
        # Where clocks change this is a guess: what comes after some time before `at` decides.
        low, high = min(_utc(local, zone), at) - _TICK, at
        while (found := self._cron_after(low)) is None or found >= at:
            if low < EPOCH:
                return None
            low -= max(_SECOND, at - low)
        while (following := self._cron_after(found)) is not None and following < at:
            middle = found + (high - found) / 2
            later = self._cron_after(middle)
            if later is not None and later < at:
                found = later
            else:
                found, high = following, middle
        return found

    def _interval_after(self, at: datetime) -> datetime | None:
        anchor, step = self._interval()
        try:
            return anchor + ((at - anchor) // step + 1) * step
        except OverflowError:
            return None

    def _interval_before(self, at: datetime) -> datetime | None:
        anchor, step = self._interval()
        return anchor - (-(at - anchor) // step + 1) * step

    def _interval(self) -> tuple[datetime, timedelta]:
        assert self.every is not None
        return self.start_at or EPOCH, timedelta(seconds=self.every)


_ORDER: Final = "the order is minute hour day month weekday, 6 with seconds first"
_WANTED: Final = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31 or L, and in one of the months that are given",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or MON to SUN",
}


def check_cron(text: str) -> None:
    """Raises ValueError, with a message for its author, for what is no cron expression."""
    if len(text) > MAX_CRON:
        raise ValueError(f"more than {MAX_CRON} characters")
    try:
        _simulated(_fields(text), EPOCH.replace(tzinfo=None), reverse=False)
    except Exception as error:  # noqa: BLE001 - the library trips over some of what is not well-formed
        known = (str(error) if type(error).__name__ == "CronSimError" else "it cannot be read").lower()
        told = "should be 5 fields (minute hour day month weekday), 6 with seconds first, or such as @daily"
        wanted = _WANTED.get(known.removeprefix("bad "))
        raise ValueError(
            f"{known}: {told}" if wanted is None else f"{known}: should be of {wanted}; {_ORDER}"
        ) from None


def check_zone(name: str) -> None:
    """Raises ValueError, with a message for its author, for what is no time zone of IANA's."""
    told = "no time zone of that name: write one of IANA's, such as Europe/Vienna or UTC"
    if _ZONE.fullmatch(name) is None or name.partition("/")[0] in _NOT_IANAS:
        raise ValueError(told)
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(told) from None


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _wall(at: datetime, zone: tzinfo) -> datetime:
    """What the clock of a zone shows then."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _utc(local: datetime, zone: tzinfo, *, fold: int = 0) -> datetime:
    """When the clock of a zone shows that; the first time, or with `fold` the second, where it does so twice."""
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _ahead(zone: tzinfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _change(zone: tzinfo, after: datetime, until: datetime) -> datetime | None:
    """The first moment after `after`, and not later than `until`, from which on a zone's clock is ahead otherwise."""
    low, ahead = after.replace(microsecond=0), _ahead(zone, after)
    while low < until:
        high = min(low + _WEEK, until)
        if _ahead(zone, high) != ahead:
            while high - low > _SECOND:
                middle = low + (high - low) // (2 * _SECOND) * _SECOND
                low, high = (middle, high) if _ahead(zone, middle) == ahead else (low, middle)
            return high
        low = high
    return None


def _daily_after(fields: str, zone: tzinfo, at: datetime) -> datetime | None:
    """Of a job at given hours: what comes twice is made the first time, what is skipped at the end of what is skipped."""
    for local in _simulated(fields, _wall(at, zone), reverse=False):
        found = _utc(local, zone)
        if _wall(found, zone) != local:
            found = _change(zone, _utc(local, zone, fold=1), found) or found
        if found > at:
            return found
    return None


def _flowing_after(fields: str, zone: tzinfo, at: datetime) -> datetime | None:
    """Whenever the clock shows what fits: looked for from one change of the clock to the next."""
    wall, ahead = _wall(at, zone), _ahead(zone, at)
    while True:
        local = next(_simulated(fields, wall, reverse=False), None)
        if local is None:
            return None
        found = (local - ahead).replace(tzinfo=UTC)
        change = _change(zone, at, found)
        if change is None or change >= LATEST:
            return found
        at, wall, ahead = change, _wall(change, zone) - _TICK, _ahead(zone, change)


def _fields(cron: str) -> str:
    """The fields of an expression, those too that a short name stands for."""
    text = cron.strip().upper()
    if text.startswith("@") and text not in _SHORT:
        from cronsim import CronSimError  # noqa: PLC0415

        raise CronSimError(f"there is no {cron.strip()[:20]}")
    return _SHORT.get(text, text)


def _is_daily(fields: str) -> bool:
    """Whether a job runs at given hours, as Debian's cron tells it from one that runs each hour or more often."""
    told = fields.split()
    return len(told) == _FIVE and not told[0].startswith("*") and not told[1].startswith("*")


def _simulated(fields: str, local: datetime, *, reverse: bool) -> Iterator[datetime]:
    """What fits after, or before, a time of a clock that never changes, within 50 years.  Raises CronSimError."""
    from cronsim import CronSim  # noqa: PLC0415 - only who has schedules needs it

    return CronSim(fields, local, reverse=reverse)
