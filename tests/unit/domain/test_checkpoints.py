"""Which versions a policy shows, and what a document may say of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.checkpoints import CheckpointPolicy, Frequency
from app.domain.document import parse
from app.domain.errors import InvalidWorkflow

BORN = datetime(2026, 11, 21, tzinfo=UTC)


def shown(policy: CheckpointPolicy, *seconds: float, kinds: str = "") -> list[int]:
    """The places, from 1, of the steps whose versions are shown, when they end so many seconds after the birth."""
    found: list[int] = []
    before = BORN
    for ended, second in enumerate(seconds, start=1):
        at = BORN + timedelta(seconds=second)
        kind = "gate" if str(ended) in kinds else "agent"
        if policy.shows(kind, ended, BORN, before, at):
            found.append(ended)
        before = at
    return found


@pytest.mark.parametrize(
    ("policy", "places"),
    [
        (CheckpointPolicy(), [1, 2, 3, 4, 5, 6]),
        (CheckpointPolicy(Frequency.EVERY_N_STEPS, 2), [2, 4, 6]),
        (CheckpointPolicy(Frequency.EVERY_N_STEPS, 10), []),
        (CheckpointPolicy(Frequency.ON_GATES), [3]),
        (CheckpointPolicy(Frequency.TIME_BASED, 10), [4, 6]),
        (CheckpointPolicy(Frequency.MANUAL), []),
    ],
)
def test_a_policy_shows_what_it_says(policy: CheckpointPolicy, places: list[int]) -> None:
    assert shown(policy, 1, 2, 9, 11, 12, 40, kinds="3") == places


def test_a_document_says_its_policy_and_which_step_is_always_shown() -> None:
    checkpoint = {"frequency": "time_based", "interval": "5m"}
    spec = parse({"name": "x", "checkpoint": checkpoint, "steps": [{"id": "a", "sleep": 0, "checkpoint": True}]})
    assert spec.checkpoint == CheckpointPolicy(Frequency.TIME_BASED, 300)
    assert spec.steps[0].checkpoint


@pytest.mark.parametrize(
    ("checkpoint", "pointer"),
    [
        ({}, "/checkpoint"),
        ({"frequency": "sometimes"}, "/checkpoint/frequency"),
        ({"frequency": "every_n_steps"}, "/checkpoint/interval"),
        ({"frequency": "every_n_steps", "interval": "5m"}, "/checkpoint/interval"),
        ({"frequency": "every_n_steps", "interval": 0}, "/checkpoint/interval"),
        ({"frequency": "time_based", "interval": 0}, "/checkpoint/interval"),
        ({"frequency": "time_based", "interval": "90000d"}, "/checkpoint/interval"),
        ({"frequency": "manual", "interval": 3}, "/checkpoint/interval"),
        ({"frequency": "manual", "keep": True}, "/checkpoint/keep"),
    ],
)
def test_a_policy_that_does_not_hold_is_refused_with_its_place(checkpoint: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        parse({"name": "x", "checkpoint": checkpoint, "steps": [{"id": "a", "sleep": 0}]})
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
