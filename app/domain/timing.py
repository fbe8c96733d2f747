"""When a schedule fires: cron expressions in a time zone, or a fixed interval; computed, never stored ahead.

Cron is what cronsim makes of it, which follows Debian's cron: five fields, or six with the seconds first, and @daily and the
like.  Where clocks change, a job at given hours runs once: in an hour that is skipped, at its end; in one that comes twice,
the first time.  What runs every hour or more often goes on by real time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
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
_BACK: Final = 5_000
"""Results of cronsim that may lie in the past, where an hour comes twice."""
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,3}")
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
        if self.start_at is not None and at < self.start_at:
            at = self.start_at - _TICK
        found = self._cron_after(at) if self.cron is not None else self._interval_after(at)
        last = LATEST if self.end_at is None else min(self.end_at, LATEST)
        return found if found is not None and found <= last else None

    def before(self, at: datetime) -> datetime | None:
        """The last time before `at`; None when there is none (of cron: within 50 years)."""
        found = self._cron_before(at) if self.cron is not None else self._interval_before(at)
        first = EPOCH if self.start_at is None else self.start_at
        return found if found is not None and found >= first else None

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Its times from `first` to `last`, both included."""
        at = self.after(first - _TICK)
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
        found = self._first_after(at)
        if found is None:
            return None
        # Where clocks change by half an hour, cronsim comes to an hour in its middle: look at that hour from its beginning.
        hour = found.astimezone(_zone(self.timezone)).replace(minute=0, second=0).astimezone(UTC) - _SECOND
        earlier = self._first_after(hour) if at < hour < found else None
        return found if earlier is None else min(earlier, found)

    def _first_after(self, at: datetime) -> datetime | None:
        assert self.cron is not None
        times = _times(self.cron, at.astimezone(_zone(self.timezone)), reverse=False)
        return next((found for found in times if found > at), None)

    def _cron_before(self, at: datetime) -> datetime | None:
        assert self.cron is not None
        times = _times(self.cron, at.astimezone(_zone(self.timezone)), reverse=True)
        found = next((one for one in times if one < at), None)
        while found is not None:  # where clocks change, going back may leave some out
            following = self._cron_after(found)
            if following is None or following >= at:
                break
            found = following
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


def check_cron(text: str) -> None:
    """Raises ValueError, with a message for its author, for what is no cron expression."""
    if len(text) > MAX_CRON:
        raise ValueError(f"more than {MAX_CRON} characters")
    try:
        _simulated(text, EPOCH, reverse=False)
    except Exception as error:  # noqa: BLE001 - the library trips over some of what is not well-formed
        known = str(error) if type(error).__name__ == "CronSimError" else "it cannot be read"
        told = "should be 5 fields (minute hour day month weekday), 6 with seconds first, or such as @daily"
        raise ValueError(f"{known.lower()}: {told}") from None


def check_zone(name: str) -> None:
    """Raises ValueError, with a message for its author, for what is no time zone of IANA's."""
    told = "no time zone of that name: write one of IANA's, such as Europe/Vienna or UTC"
    if _ZONE.fullmatch(name) is None:
        raise ValueError(told)
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(told) from None


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _times(cron: str, local: datetime, *, reverse: bool) -> Iterator[datetime]:
    """What cronsim gives, in UTC: some at first on the wrong side of where it begins, in an hour that comes twice."""
    simulated = _simulated(cron, local, reverse=reverse)
    for _ in range(_BACK):
        try:
            yield next(simulated).astimezone(UTC)
        except (StopIteration, OverflowError, ValueError):  # beyond the years that there are
            return


def _simulated(cron: str, at: datetime, *, reverse: bool) -> Any:
    from cronsim import CronSim  # noqa: PLC0415 - only who has schedules needs it

    text = cron.strip().upper()
    if text.startswith("@"):
        if text not in _SHORT:
            from cronsim import CronSimError  # noqa: PLC0415

            raise CronSimError(f"there is no {cron.strip()[:20]}")
        text = _SHORT[text]
    return CronSim(text, at, reverse=reverse)
