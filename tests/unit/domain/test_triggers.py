"""Triggers as values: what a wrong one is told, and patterns as a store chooses by them."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import InvalidTrigger
from app.domain.message_book import exact_and_expression
from app.domain.times import utc_now
from app.domain.triggers import Compiled, Trigger


def trigger(**more: Any) -> Trigger:
    fields = {"topic": "orders.*", "workflow": "w", **more}
    return Trigger(id="i", name="t", created_at=utc_now(), updated_at=utc_now(), **fields)


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"topic": "a.>.b"}, "/topic"),
        ({"condition": "message.data. >"}, "/condition"),
        ({"condition": "input.x == 1"}, "/condition"),
        ({"input": {"a": ["{mesage.data}"]}}, "/input/a/0"),
        ({"input": {"a": "{message.data"}}, "/input/a"),
        ({"key": "{thread.x}"}, "/deduplicate/key"),
    ],
    ids=str,
)
def test_what_does_not_hold_is_told_with_its_place(more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidTrigger) as refused:
        Compiled(trigger(**more))
    assert [one.pointer for one in refused.value.problems] == [pointer]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidTrigger) as refused:
        Compiled(trigger(topic="..", condition="1 +", input="{x}"))
    assert [one.pointer for one in refused.value.problems] == ["/topic", "/condition", "/input"]


def test_a_store_chooses_by_topics_and_one_expression_and_by_nothing_where_there_are_too_many() -> None:
    assert exact_and_expression(["b", "a"]) == (["a", "b"], None)
    assert exact_and_expression(["a", "x.*"]) == (["a"], r"^(?:x\.[^.]+)$")
    assert exact_and_expression(["a", ">"]) == ([], ".*")
    assert exact_and_expression([f"t{n}.*" for n in range(101)]) == ([], ".*")
