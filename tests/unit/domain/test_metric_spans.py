"""Over which time series are read: whole units, so that an answer does not change when they are rolled up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.metric_spans import grid, series, window
from app.domain.metrics import Resolution

NOW = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("2026-11-01", "2026-11-10T06:00", "2026-11-11T00:00"),
        ("2026-11-01", "2026-11-10T00:00", "2026-11-10T00:00"),
        ("2026-11-19", "2026-11-20T10:30", "2026-11-20T11:00"),
        ("2026-11-21T09:00", "2026-11-21T09:10:30", "2026-11-21T09:11"),
        ("2026-11-01", "2026-11-21T05:30", "2026-11-21T06:00"),  # a day that is not over is read from its hours
        ("2026-11-01", "2026-11-21T09:10:30", "2026-11-21T09:11"),  # and an hour that is not from its minutes
        ("2026-11-01", "2026-11-21T09:30:15", "2026-11-21T09:30:15"),
        ("2026-11-01", "2027-01-01T06:00", "2027-01-01T06:00"),
    ],
)
def test_a_span_ends_where_the_last_of_its_units_does(since: str, until: str, told: str) -> None:
    found = window(at(since), at(until), NOW)
    assert found.until == at(told)
    assert series(found.resolution, at(since), at(until), NOW).until == at(told)


def test_what_is_dropped_in_part_is_left_out() -> None:
    span = series(Resolution.MINUTE, NOW - timedelta(hours=49), NOW - timedelta(hours=47), NOW)
    assert (span.since, len(grid(span))) == (at("2026-11-19T09:31"), 60)


def test_a_time_of_which_nothing_is_kept_has_no_points() -> None:
    span = series(Resolution.MINUTE, at("2026-11-10T00:00"), at("2026-11-10T00:05:30"), NOW)
    assert grid(span) == []
