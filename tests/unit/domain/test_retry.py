"""Retry decisions."""

import pytest

from app.domain.records import ErrorInfo
from app.domain.retry import MAX_RETRY_AFTER, RetryPolicy, decide, interval

STEADY = RetryPolicy(max_attempts=10, jitter=False)


def error(kind: str = "timeout", *, retryable: bool = True) -> ErrorInfo:
    return ErrorInfo(kind=kind, message="m", retryable=retryable)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 30), (9, 30)])
def test_the_wait_doubles_up_to_its_limit(attempt: int, seconds: float) -> None:
    assert decide(STEADY, error(), attempt, random=0.5) == seconds


def test_the_last_attempt_is_not_followed_by_another() -> None:
    assert decide(RetryPolicy(), error(), 2, random=0) is not None
    assert decide(RetryPolicy(), error(), 3, random=0) is None


def test_what_cannot_get_better_is_never_retried() -> None:
    policy = RetryPolicy(on=("validation",))
    assert decide(policy, error("validation", retryable=False), 1, random=0) is None


def test_jitter_keeps_half_of_the_wait() -> None:
    policy = RetryPolicy(initial_interval=8)
    assert decide(policy, error(), 1, random=0.0) == 4
    assert decide(policy, error(), 1, random=0.5) == 6


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(None, 1), (0.1, 1), (60, 60), (1e9, MAX_RETRY_AFTER), (float("nan"), 1)]
)
def test_retry_after_is_a_floor_up_to_an_hour(retry_after: float | None, seconds: float) -> None:
    assert decide(STEADY, error(), 1, random=0, retry_after=retry_after) == seconds


@pytest.mark.parametrize(
    ("on", "kind", "retried"),
    [
        (("timeout",), "timeout", True),
        (("timeout",), "network", False),
        (("http.5xx",), "http.503", True),
        (("http.5xx",), "http.429", False),
        (("http.429",), "http.429", True),
        (("http",), "http.500", True),
        (("http",), "https", False),
        (("exception",), "exception.ValueError", True),
        ((), "timeout", False),
    ],
)
def test_on_names_the_kinds_to_retry(on: tuple[str, ...], kind: str, retried: bool) -> None:
    assert (decide(RetryPolicy(on=on), error(kind), 1, random=0) is not None) is retried


def test_a_great_many_attempts_do_not_overflow() -> None:
    assert interval(RetryPolicy(max_attempts=10**6, backoff_factor=100), 10**5) == 30
