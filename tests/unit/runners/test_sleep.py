"""The kind sleep."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.runner import Asleep, Completed, Failed
from app.runners.sleep import SleepRunner
from tests.unit.runners.attempts import attempt


@pytest.mark.parametrize(("target", "waited", "left"), [("1h", 0, 3600), ("1h", 600, 3000), (90, 0, 90)])
async def test_a_long_sleep_is_a_row(target: Any, waited: float, left: float) -> None:
    outcome = await SleepRunner().perform(attempt(target, waited=waited))
    assert isinstance(outcome, Asleep)
    assert (outcome.seconds, outcome.thread_id) == (left, None)


@pytest.mark.parametrize(("target", "waited"), [("1ms", 0), (0, 0), ("1h", 3600), ("1h", 9999)])
async def test_what_is_left_of_a_short_one_is_waited_for(target: Any, waited: float) -> None:
    outcome = await SleepRunner().perform(attempt(target, waited=waited))
    assert outcome == Completed(output=None)


@pytest.mark.parametrize("target", ["soon", None, -1, True, "99999d"])
async def test_what_is_no_duration_fails_for_good(target: Any) -> None:
    outcome = await SleepRunner().perform(attempt(target))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("validation", False)
