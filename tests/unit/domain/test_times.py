"""Times and durations."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain import times


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (2.5, 2.5), ("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("24h", 86400), ("7d", 604800), (" 1s ", 1)],
)
def test_a_duration_is_seconds_or_a_text(value: float | str, expected: object) -> None:
    assert times.seconds(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", [-1, "-1s", "5", "5x", "", "1h30m", True, float("nan"), float("inf"), "99999d", 1e12, "1" * 400 + "s"]
)
def test_what_is_no_sensible_duration_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        times.seconds(value)


def test_times_are_utc_with_milliseconds() -> None:
    at = datetime(2026, 11, 21, 10, 30, 0, 123999, tzinfo=timezone(timedelta(hours=1)))
    assert times.rfc3339(at) == "2026-11-21T09:30:00.123Z"
    assert times.utc_now().tzinfo is UTC


def test_a_duration_between_two_times_is_never_negative() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert times.duration_ms(start, start + timedelta(milliseconds=12.6)) == 13
    assert times.duration_ms(start, start - timedelta(seconds=1)) == 0
