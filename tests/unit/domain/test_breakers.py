"""The circuit breaker as a pure state machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.breakers import (
    BreakerPolicy,
    BreakerRecord,
    BreakerState,
    force_close,
    force_open,
    release_probe,
    renew_probe,
    settle_probe,
    take_probe,
    told,
    trip,
)
from app.domain.records import ErrorInfo
from app.domain.times import utc_now

if TYPE_CHECKING:
    from app.domain.breakers import Move

POLICY = BreakerPolicy()
NOW = utc_now()
CLOSED = BreakerRecord(agent="analyst")
MOVES: list[Move] = [
    trip(POLICY, "too many"),
    force_open("by hand", None),
    force_open(None, 60),
    force_close(),
    *(take_probe(POLICY, token) for token in "ab"),
    *(renew_probe(POLICY, token) for token in "ab"),
    *(settle_probe(POLICY, token, failure) for token in "ab" for failure in (None, "again")),
    *(release_probe(token) for token in "ab"),
]


def later(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def moved(record: BreakerRecord, move: Move, after: float = 0) -> BreakerRecord:
    found = move(record, NOW + later(after))
    assert found is not None
    return found


def half_open() -> BreakerRecord:
    return moved(moved(CLOSED, trip(POLICY, "too many")), take_probe(POLICY, "a"), 30)


def test_a_closed_breaker_opens_for_the_first_span() -> None:
    opened = moved(CLOSED, trip(POLICY, "5 failures in a row"))
    assert (opened.state, opened.trips, opened.reason) == (BreakerState.OPEN, 1, "5 failures in a row")
    assert (opened.opened_at, opened.probe_at) == (NOW, NOW + later(30))
    assert trip(POLICY, "more")(opened, NOW) is None


def test_nobody_may_probe_before_its_time() -> None:
    opened = moved(CLOSED, trip(POLICY, "too many"))
    assert take_probe(POLICY, "a")(opened, NOW + later(29.9)) is None
    assert moved(opened, take_probe(POLICY, "a"), 30).probe_by == "a"


def test_a_probe_that_is_taken_is_nobody_elses_until_it_is_given_up() -> None:
    assert take_probe(POLICY, "b")(half_open(), NOW + later(30 + 14)) is None
    assert moved(half_open(), take_probe(POLICY, "b"), 30 + 15).probe_by == "b"


def test_a_probe_that_is_renewed_is_not_given_up() -> None:
    renewed = moved(half_open(), renew_probe(POLICY, "a"), 30 + 10)
    assert take_probe(POLICY, "b")(renewed, NOW + later(30 + 20)) is None


def test_a_probe_that_succeeds_closes() -> None:
    closed = moved(half_open(), settle_probe(POLICY, "a", None), 31)
    assert (closed.state, closed.trips, closed.reason, closed.closed_at) == ("closed", 0, None, NOW + later(31))


def test_a_probe_that_was_given_up_decides_nothing() -> None:
    other = moved(half_open(), take_probe(POLICY, "b"), 60)
    for failure in (None, "no"):
        assert settle_probe(POLICY, "a", failure)(other, NOW + later(61)) is None
    assert release_probe("a")(other, NOW + later(61)) is None


def test_each_probe_that_fails_doubles_the_span_up_to_ten_times_the_first() -> None:
    record, spans = moved(CLOSED, trip(POLICY, "too many")), []
    for _ in range(6):
        assert record.probe_at is not None
        assert record.opened_at is not None
        spans.append((record.probe_at - record.opened_at).total_seconds())
        after = (record.probe_at - NOW).total_seconds()
        record = moved(moved(record, take_probe(POLICY, "a"), after), settle_probe(POLICY, "a", "no"), after)
    assert spans == [30, 60, 120, 240, 300, 300]


def test_a_probe_that_is_released_may_be_taken_at_once() -> None:
    released = moved(half_open(), release_probe("a"), 31)
    assert (released.state, released.trips) == ("open", 1)
    assert moved(released, take_probe(POLICY, "b"), 31).probe_by == "b"


def test_opened_by_hand_without_an_end_it_is_never_probed() -> None:
    opened = moved(half_open(), force_open("maintenance", None), 31)
    assert (opened.state, opened.forced, opened.reason, opened.probe_by) == ("open", True, "maintenance", None)
    assert take_probe(POLICY, "a")(opened, NOW + timedelta(days=365)) is None
    assert settle_probe(POLICY, "a", None)(opened, NOW) is None


def test_opened_by_hand_for_a_while_it_is_probed_then() -> None:
    opened = moved(CLOSED, force_open(None, 60))
    assert take_probe(POLICY, "a")(opened, NOW + later(59)) is None
    assert not moved(opened, take_probe(POLICY, "a"), 60).forced


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.floats(0, 400)), max_size=40))
def test_whatever_happens_a_breaker_stays_whole(happenings: list[tuple[Move, float]]) -> None:
    record, now = CLOSED, NOW
    for move, pause in happenings:
        now += later(pause)
        found = move(record, now)
        if found is None:
            continue
        assert found.rev == record.rev + 1
        if found.probe_by != record.probe_by and found.probe_by is not None:
            assert record.may_be_probed(now)
        record = found
        assert (record.probe_by is not None) == (record.state is BreakerState.HALF_OPEN)
        assert (record.probe_at is None) == (record.closed or (record.forced and record.probe_at is None))
        assert record.closed == (record.opened_at is None)
        assert not (record.closed and (record.trips or record.forced or record.reason))


@given(st.sampled_from([CLOSED, moved(CLOSED, trip(POLICY, "")), half_open()]), st.floats(0, 1e6), st.floats(0, 0.99))
def test_whoever_is_sent_away_asks_again_in_a_while(record: BreakerRecord, pause: float, random: float) -> None:
    wait = record.look_again(POLICY, NOW + later(pause), random)
    assert 0.25 <= wait <= POLICY.open_seconds * 1.25


@given(st.floats(0, 20), st.floats(0, 20))
def test_the_ramp_lets_in_more_and_more(one: float, other: float) -> None:
    early, late = (POLICY.ramp(elapsed) or 10_000 for elapsed in sorted((one, other)))
    assert 1 <= early <= late


@pytest.mark.parametrize(("elapsed", "room"), [(0, 1), (1, 2), (5, 32), (9.99, 1016), (10, None)])
def test_the_ramp_doubles_with_every_tenth(elapsed: float, room: int | None) -> None:
    assert POLICY.ramp(elapsed) == room


def test_without_a_ramp_all_go_in_at_once() -> None:
    assert replace(POLICY, ramp_seconds=0.0).ramp(0) is None


def test_the_reason_is_text_that_any_database_takes() -> None:
    reason = told(5, ErrorInfo(kind="exception", message="a\0b\ud800" + "x" * 1_000, retryable=True))
    assert reason.startswith("5 failures in a row: exception: a\N{REPLACEMENT CHARACTER}b?")
    assert len(reason) == 500


def failing(record: BreakerRecord, policy: BreakerPolicy, probes: int) -> BreakerRecord:
    """After so many probes that fail, each as soon as it may."""
    for _ in range(probes):
        assert record.probe_at is not None
        now = record.probe_at
        taken = take_probe(policy, "a")(record, now)
        assert taken is not None
        settled = settle_probe(policy, "a", "again")(taken, now)
        assert settled is not None
        record = settled
    return record


def test_after_so_many_failed_probes_in_a_row_it_stays_open() -> None:
    policy = BreakerPolicy(disable_after=3)
    opened = moved(CLOSED, trip(policy, "too many"))
    assert not failing(opened, policy, 2).disabled
    record = failing(opened, policy, 3)
    assert (record.disabled, record.forced, record.probe_at) == (True, False, None)
    assert record.reason == "disabled: 3 probes in a row failed, the last so: again"
    assert not record.may_be_probed(NOW + later(10**6))
    assert moved(record, force_close()).trips == 0


def test_a_probe_that_succeeds_begins_the_count_anew() -> None:
    policy = BreakerPolicy(disable_after=3)
    record = failing(moved(CLOSED, trip(policy, "too many")), policy, 2)
    assert record.probe_at is not None
    taken = take_probe(policy, "a")(record, record.probe_at)
    assert taken is not None
    closed = moved(taken, settle_probe(policy, "a", None))
    assert not failing(moved(closed, trip(policy, "too many")), policy, 2).disabled


def test_without_a_limit_it_is_probed_for_ever() -> None:
    assert not failing(moved(CLOSED, trip(POLICY, "too many")), POLICY, 100).disabled


def test_one_that_is_opened_by_hand_for_good_is_disabled_and_for_a_while_is_not() -> None:
    assert moved(CLOSED, force_open("mine", None)).disabled
    assert not moved(CLOSED, force_open("mine", 60)).disabled
    assert not CLOSED.disabled
