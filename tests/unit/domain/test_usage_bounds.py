"""What is reported as spent: whoever tells it may be wrong, and the sum stays a number that never shrinks."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.records import NO_USAGE, Usage


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (Usage(input_tokens=-5, cost_usd=-15.0), NO_USAGE),
        (Usage(output_tokens=10**30), Usage(output_tokens=10**9)),
        (Usage(cost_usd=float("inf")), NO_USAGE),
        (Usage(cost_usd=float("nan")), NO_USAGE),
        (Usage(input_tokens=7, output_tokens=1, cost_usd=0.5), Usage(input_tokens=7, output_tokens=1, cost_usd=0.5)),
    ],
)
def test_a_report_is_bounded(told: Usage, counted: Usage) -> None:
    assert told.bounded() == counted


def test_tokens_that_are_no_numbers_count_for_nothing() -> None:
    odd: Any = "many"
    assert Usage(input_tokens=odd).bounded() == NO_USAGE
