"""Times and durations as the contract writes them: RFC 3339 UTC with milliseconds; seconds or "500ms" "30s" "5m" "24h"."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_DURATION: Final = 3660 * 86400.0
"""Ten years, in seconds: longer ones are taken for mistakes."""


def rfc3339(at: datetime) -> str:
    """`2026-11-21T09:30:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def utc_now() -> datetime:
    """The wall clock of this process; leases never depend on it."""
    return datetime.now(UTC)


def seconds(value: float | str) -> float:
    """A duration in seconds.  Raises ValueError for what is none, is negative or longer than MAX_DURATION."""
    if isinstance(value, str):
        match = _DURATION.match(value.strip())
        if match is None:
            raise ValueError(f'{value!r} is not a duration: write seconds, or "500ms", "30s", "5m", "24h"')
        result = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a duration")
    else:
        result = float(value)
    if not 0 <= result <= MAX_DURATION:
        raise ValueError(f"{value!r} is negative or longer than ten years")
    return result


def duration_ms(start: datetime, end: datetime) -> int:
    """Whole milliseconds between two times, never negative."""
    return max(0, round((end - start).total_seconds() * 1000))
