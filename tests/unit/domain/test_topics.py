"""Topics and their patterns."""

from __future__ import annotations

import re

import pytest

from app.domain import topics


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("orders.paid", "orders.paid", True),
        ("orders.*", "orders.paid", True),
        ("orders.*", "orders.paid.late", False),
        ("orders.*", "orders", False),
        ("orders.>", "orders.paid.late", True),
        ("orders.>", "orders", False),
        ("*.paid", "orders.paid", True),
        (">", "anything.at.all", True),
        ("orders.paid", "ordersXpaid", False),
        ("a+b", "aab", False),
    ],
)
def test_a_pattern_stands_for_its_topics_alike_in_python_and_as_an_expression(
    pattern: str, topic: str, fits: bool
) -> None:
    assert topics.matches(pattern, topic) is fits
    assert (re.fullmatch(topics.expression(pattern), topic) is not None) is fits


@pytest.mark.parametrize("topic", ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "ä", "a\n", "x" * 256])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match=r"more than|not "):
        topics.check_topic(topic)


@pytest.mark.parametrize("pattern", ["", "a.>.b", "a*", "*.", ">.a", "a\n"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not "):
        topics.check_pattern(pattern)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["orders.>"], frozenset()),
        (["workflow.step_complete.*", "a.b"], frozenset({"step_complete"})),
        (["*.step_failed.>"], frozenset({"step_failed"})),
        (["workflow.*.x"], None),
        ([">"], None),
        (["workflow.>"], None),
        (["workflow"], frozenset()),
    ],
)
def test_only_those_events_are_read_that_a_pattern_can_mean(patterns: list[str], names: frozenset[str] | None) -> None:
    assert topics.wants_events(patterns) == names


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("workflow", "are on workflow.EVENT.WORKFLOW: write workflow.*.>"),
        ("workflow.*", "are on workflow.EVENT.WORKFLOW: write workflow.*.>"),
        ("workflow.workflow_failed", "write workflow.workflow_failed.> for those of all"),
        ("workflow.failed.>", "there is no event 'failed'; known: attempt_discarded,"),
        ("workflow.step_chunk.w", "there is no event 'step_chunk'"),
    ],
)
def test_a_pattern_on_which_no_event_can_come_is_refused(pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        topics.check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["workflow.>", "workflow.*.order", "workflow.workflow_complete.a.b", "workflow.*.>", "workflows.failed"]
)
def test_a_pattern_on_which_events_can_come_holds(pattern: str) -> None:
    topics.check_pattern(pattern)
