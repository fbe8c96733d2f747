"""Histograms of durations, and the tallies that they are part of."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.histogram import BUCKETS, Distribution, add, bucket, middle, percentile
from app.domain.metrics import Tally


@given(st.floats(min_value=0.001, max_value=86_400))
def test_a_duration_is_near_the_middle_of_its_bucket(seconds: float) -> None:
    assert middle(bucket(seconds)) / 1000 == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (0.0009, 0), (0.001, 1), (10**9, BUCKETS - 1)])
def test_what_is_shorter_or_longer_than_the_scale_is_counted_at_its_ends(seconds: float, place: int) -> None:
    assert bucket(seconds) == place


def test_percentiles_are_within_a_tenth_of_the_true_ones() -> None:
    chance = random.Random(1)
    times = sorted(chance.lognormvariate(0, 2) for _ in range(10_000))
    found = Tally()
    for time in times:
        found.time(time)
    for share in (0.5, 0.95, 0.99):
        true = times[int(share * len(times)) - 1] * 1000
        assert percentile(found.buckets, share) == pytest.approx(true, rel=0.1)


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None
    assert percentile([0, 0], 0.5) is None


def test_one_value_is_every_percentile() -> None:
    assert [percentile([0, 0, 1], share) for share in (0.5, 0.99, 1.0)] == [middle(2)] * 3


@given(st.lists(st.lists(st.integers(min_value=0, max_value=9), max_size=BUCKETS), max_size=5))
def test_sums_of_histograms_do_not_depend_on_the_order(parts: list[list[int]]) -> None:
    one: list[int] = []
    other: list[int] = []
    for part in parts:
        add(one, part)
    for part in reversed(parts):
        add(other, part)
    assert one == other
    assert sum(one) == sum(map(sum, parts))


def test_tallies_add_up() -> None:
    one, two = Tally(count=1), Tally(count=5, errors=5, rejected=3)
    one.time(0.001)
    two.time(100.0)
    one.include(two)
    assert (one.count, one.success_rate, sum(one.buckets)) == (6, 1 / 3, 2)
    assert Tally(count=1, errors=1, rejected=1).success_rate is None


def test_a_distribution_counts_between_its_bounds() -> None:
    found, more = Distribution((1.0, 10.0)), Distribution((1.0, 10.0))
    for value in (0.5, 1.0, 1.1, 11.0):
        found.note(value)
    more.note(10.0)
    found.include(more)
    assert (found.counts, found.total) == ([2, 2, 1], 23.6)
