"""What is to go and why: by age, by number, by size, each workflow as it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.retention import EndedThread, RetentionPolicy, Sieve, WorkflowRetention
from app.domain.status import Status

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def thread(days: float, workflow: str = "a", status: Status = Status.COMPLETED, size: int = 10) -> EndedThread:
    return EndedThread(
        thread_id="t",
        workflow=workflow,
        status=status,
        ended_at=NOW - timedelta(days=days),
        epoch=1,
        rev=1,
        size=size,
    )


def reasons(policy: RetentionPolicy, *threads: EndedThread) -> list[str | None]:
    sieve = Sieve(policy, NOW)
    return [sieve.sift(each) for each in threads]


def told(**own: Any) -> dict[str, WorkflowRetention]:
    return {"a": WorkflowRetention(workflow="a", **own)}


def test_without_a_number_nothing_goes() -> None:
    assert reasons(RetentionPolicy(), thread(10_000)) == [None]
    assert (RetentionPolicy().least_days, RetentionPolicy().counts) == (None, False)


@pytest.mark.parametrize(
    ("policy", "days"),
    [
        (RetentionPolicy(days=3), 3),
        (RetentionPolicy(days=3, status_days={Status.COMPLETED: 5}), 5),
        (RetentionPolicy(status_days={Status.FAILED: 5}), None),
        (RetentionPolicy(days=3, workflows=told(days=9)), 9),
        (RetentionPolicy(days=3, status_days={Status.COMPLETED: 5}, workflows=told(days=9)), 9),
        (RetentionPolicy(days=3, workflows=told(days=9, status_days={Status.COMPLETED: 1})), 1),
        (RetentionPolicy(days=3, workflows=told(status_days={Status.FAILED: 1})), 3),
    ],
)
def test_the_nearest_word_says_how_long_a_thread_is_kept(policy: RetentionPolicy, days: float | None) -> None:
    assert policy.days_of("a", Status.COMPLETED) == days
    if days is not None:
        assert reasons(policy, thread(days - 0.1), thread(days + 0.1)) == [None, "age"]
        assert (policy.least_days or 0) <= days


def test_the_newest_of_each_workflow_are_kept_and_what_goes_for_its_age_does_not_count() -> None:
    policy = RetentionPolicy(max_per_workflow=2, status_days={Status.FAILED: 1})
    threads = [thread(1), thread(2, "b"), thread(2, status=Status.FAILED), thread(3), thread(4), thread(5, "b")]
    assert reasons(policy, *threads) == [None, None, "age", None, "count", None]


def test_over_the_size_all_that_is_older_goes_also_what_would_fit() -> None:
    policy = RetentionPolicy(max_bytes=30)
    assert reasons(policy, thread(1, size=20), thread(2, size=20), thread(3, size=1)) == [None, "size", "size"]


def test_what_is_to_be_kept_is_kept_but_takes_its_room() -> None:
    policy = RetentionPolicy(days=1, max_per_workflow=0, max_bytes=15, workflows=told(keep=True))
    assert reasons(policy, thread(9), thread(9), thread(0, "b")) == [None, None, "count"]


def test_a_run_may_be_confined() -> None:
    policy = RetentionPolicy(days=1, only_workflow="a", only_status=Status.FAILED)
    threads = [thread(9, status=Status.FAILED), thread(9), thread(9, "b", Status.FAILED)]
    assert reasons(policy, *threads) == ["age", None, None]


@pytest.mark.parametrize(
    "policy",
    [
        RetentionPolicy(max_per_workflow=0),
        RetentionPolicy(max_bytes=1),
        RetentionPolicy(workflows=told(max_threads=1)),
    ],
)
def test_number_and_size_need_the_newest_to_be_looked_at(policy: RetentionPolicy) -> None:
    assert policy.counts
