"""When schedules fire: cron where clocks change, intervals, jitter, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from app.domain.timing import Timing, check_cron, check_zone


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def times(timing: Timing, after: str, count: int) -> list[str]:
    """The next times by the clock of New York, where clocks go on at 2:00 on March 8 and back on November 1 in 2026."""
    zone = ZoneInfo(timing.timezone)
    found = islice(timing.between(at(after) + timedelta(microseconds=1), at("2100-01-01T00:00Z")), count)
    return [one.astimezone(zone).isoformat(timespec="minutes") for one in found]


def new_york(cron: str) -> Timing:
    return Timing(cron=cron, timezone="America/New_York")


def test_the_hour_of_a_cron_expression_is_that_of_its_zone() -> None:
    found = times(Timing(cron="0 9 * * MON-FRI", timezone="Europe/Vienna"), "2026-03-26T12:00Z", 3)
    assert found == ["2026-03-27T09:00+01:00", "2026-03-30T09:00+02:00", "2026-03-31T09:00+02:00"]


def test_a_job_in_an_hour_that_is_skipped_runs_once_at_its_end() -> None:
    found = times(new_york("15,45 2 * * *"), "2026-03-07T12:00Z", 3)
    assert found == ["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00", "2026-03-09T02:45-04:00"]


def test_a_job_in_an_hour_that_comes_twice_runs_the_first_time() -> None:
    found = times(new_york("30 1 * * *"), "2026-10-31T12:00Z", 2)
    assert found == ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]


def test_who_looks_in_the_second_of_two_like_hours_finds_no_time_in_the_first() -> None:
    assert times(new_york("0-59 1 * * *"), "2026-11-01T06:10Z", 1) == ["2026-11-02T01:00-05:00"]


def test_what_runs_each_hour_goes_on_by_real_time() -> None:
    assert times(new_york("0 * * * *"), "2026-03-08T05:30Z", 3) == [
        "2026-03-08T01:00-05:00",
        "2026-03-08T03:00-04:00",
        "2026-03-08T04:00-04:00",
    ]
    assert times(new_york("0 * * * *"), "2026-11-01T04:30Z", 3) == [
        "2026-11-01T01:00-04:00",
        "2026-11-01T01:00-05:00",
        "2026-11-01T02:00-05:00",
    ]


def test_clocks_that_change_by_half_an_hour_leave_nothing_out() -> None:
    found = times(Timing(cron="*/23 22 * * *", timezone="Australia/Lord_Howe"), "2026-04-04T11:46Z", 1)
    assert found == ["2026-04-05T22:00+10:30"]


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Australia/Lord_Howe", "2026-10-03T15:30Z"),  # on by half an hour
        ("Australia/Lord_Howe", "2026-04-04T15:00Z"),  # back by as much
        ("Antarctica/Troll", "2026-10-25T01:00Z"),  # back by two hours
        ("Pacific/Apia", "2011-12-30T10:00Z"),  # on by a day
    ],
)
@pytest.mark.parametrize(("minutes", "hours"), [({0}, {23}), ({0, 30}, {0, 2}), ({15}, set(range(24)))])
def test_a_time_is_whenever_the_clock_shows_what_fits(
    zone: str, around: str, minutes: set[int], hours: set[int]
) -> None:
    first = at(around) - timedelta(hours=30)
    clock = ((one, one.astimezone(ZoneInfo(zone))) for one in (first + timedelta(minutes=n) for n in range(3600)))
    fits = [moment for moment, local in clock if local.minute in minutes and local.hour in hours]
    timing = Timing(
        cron=f"0 {','.join(map(str, minutes))} {','.join(map(str, hours))} * * *",
        timezone=zone,
    )
    assert list(timing.between(first, first + timedelta(minutes=3599))) == fits
    assert [timing.before(one) for one in fits[1:]] == fits[:-1]


def test_a_day_that_a_zone_has_left_out_holds_up_nobody() -> None:
    timing = Timing(cron="*/30 */1 * * MON-FRI", timezone="Pacific/Apia")  # Friday, the 30th, was none there
    assert timing.before(at("2011-12-31T00:00Z")) == at("2011-12-30T09:30Z")
    assert timing.after(at("2011-12-30T09:30Z")) == at("2012-01-01T10:00Z")


@pytest.mark.parametrize("timing", [Timing(cron="@daily", timezone="Pacific/Kiritimati"), Timing(every=60)])
def test_at_the_ends_of_the_calendar_there_are_no_times(timing: Timing) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert timing.before(first) is None
    assert timing.after(last) is None
    found = timing.after(first)
    assert found is not None
    assert found.year == 1970
    assert next(timing.between(first, last)) == found


def test_seconds_come_first_and_days_have_names_of_their_own() -> None:
    assert Timing(cron="*/20 * * * * *").after(at("2026-01-01T00:00:25Z")) == at("2026-01-01T00:00:40Z")
    assert Timing(cron="0 0 L * *").after(at("2026-02-05T00:00Z")) == at("2026-02-28T00:00Z")
    assert Timing(cron="0 0 * * MON#2").after(at("2026-02-05T00:00Z")) == at("2026-02-09T00:00Z")
    assert Timing(cron="@Weekly").after(at("2026-02-05T00:00Z")) == at("2026-02-08T00:00Z")


@pytest.mark.parametrize("cron", ["*/7 3-9 * * 1-5", "0 0 29 2 *", "30 1 * * *", "@hourly", "5 4 3 * * *"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_the_time_before_a_time_is_the_one_that_it_comes_after(cron: str, zone: str) -> None:
    timing, now = Timing(cron=cron, timezone=zone), at("2026-02-27T00:00Z")
    for _ in range(40):
        following = timing.after(now)
        assert following is not None
        assert following > now
        assert timing.after(timing.before(following) or now) == following
        now = following


def test_an_interval_is_counted_from_its_start_or_from_1970() -> None:
    now = at("2026-02-05T10:00:01Z")
    assert Timing(every=90).after(now) == at("2026-02-05T10:01:30Z")
    started = Timing(every=90, start_at=at("2026-02-05T09:59:59Z"))
    assert started.after(now) == at("2026-02-05T10:01:29Z")
    assert started.before(now) == at("2026-02-05T09:59:59Z")
    assert started.after(at("2020-01-01T00:00Z")) == at("2026-02-05T09:59:59Z")


def test_no_time_lies_before_the_start_or_after_the_end() -> None:
    timing = Timing(cron="@daily", start_at=at("2026-02-05T00:00Z"), end_at=at("2026-02-06T00:00Z"))
    found = list(timing.between(at("2020-01-01T00:00Z"), at("2030-01-01T00:00Z")))
    assert found == [at("2026-02-05T00:00Z"), at("2026-02-06T00:00Z")]
    assert timing.before(found[0]) is None
    assert timing.after(found[1]) is None


def test_jitter_is_the_same_for_everybody_and_never_reaches_the_next_time() -> None:
    timing, now = Timing(every=2, jitter=60), at("2026-02-05T10:00Z")
    due = [timing.due("a", now + timedelta(seconds=2 * number)) for number in range(50)]
    late = [(one - now).total_seconds() - 2 * number for number, one in enumerate(due)]
    assert due == [timing.due("a", now + timedelta(seconds=2 * number)) for number in range(50)]
    assert timing.due("b", now) != due[0]
    assert min(late) >= 0
    assert 1 < max(late) < 2


def test_a_time_that_never_comes_is_none() -> None:
    assert Timing(cron="* * */20 * 1L").after(at("2026-02-05T00:00Z")) is None
    assert Timing(every=3.1e11).after(at("2026-02-05T00:00Z")) is None


@pytest.mark.parametrize("cron", ["", "* * * *", "61 * * * *", "@never", "* * 31 2 *", "a b c d e", "*/0 * * * *"])
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r": should be (5 fields|of ..*; the order is)"):
        check_cron(cron)


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "Mars/Phobos", "../../etc/passwd", "/etc/localtime", "x" * 5000, "a\0b", "localtime", "right/UTC"],
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone of that name"):
        check_zone(name)


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("61 8 * * *", "bad minute: should be of 0 to 59; the order is"),
        ("0 8 * * FRY", "bad day-of-week: should be of 0 to 7 or MON to SUN"),
        ("0 0 30 2 *", "bad day-of-month: should be of 1 to 31 or L, and in one of the months"),
        ("0 8 * *", "wrong number of fields: should be 5 fields"),
    ],
)
def test_a_wrong_field_is_told_with_what_it_may_be(cron: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_cron(cron)
