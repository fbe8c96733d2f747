"""Variants: drawn by weight, and always the same for a thread."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from app.domain.document import parse
from app.domain.errors import InvalidWorkflow
from app.domain.variants import Variant, draw

A, B = Variant(name="a", weight=1), Variant(name="b", weight=3)


def test_the_shares_are_those_of_the_weights() -> None:
    found = Counter(drawn.name for n in range(4_000) if (drawn := draw(f"thread-{n}", "s", (A, B))) is not None)
    assert 850 < found["a"] < 1_150
    assert found["a"] + found["b"] == 4_000


def test_a_thread_gets_the_same_every_time_and_each_step_a_lot_of_its_own() -> None:
    lots = [draw("thread", f"s{n}", (A, B)) for n in range(50)]
    assert lots == [draw("thread", f"s{n}", (A, B)) for n in range(50)]
    assert len({drawn.name for drawn in lots if drawn is not None}) == 2


def test_where_there_are_none_none_is_drawn() -> None:
    assert draw("thread", "s", ()) is None


def test_one_with_nearly_all_the_weight_is_nearly_always_drawn() -> None:
    much = Variant(name="much", weight=1_000_000)
    tiny = Variant(name="tiny", weight=1e-9)
    assert {draw(f"t{n}", "s", (tiny, much)) for n in range(1_000)} == {much}


def document(**step: Any) -> dict[str, Any]:
    return {"name": "w", "steps": [{"id": "z", "python": "f"}, {"id": "s", **step}]}


def test_a_document_gives_its_steps_variants_which_wait_for_what_they_refer_to() -> None:
    variants = [{"name": "a", "agent": "x", "input": {"q": "{z.output}"}}, {"name": "b", "weight": 2.5}]
    step = parse(document(agent="w", needs=[], variants=variants)).by_id["s"]
    assert [(one.name, one.weight, one.agent) for one in step.variants] == [("a", 1.0, "x"), ("b", 2.5, None)]
    assert step.needs == {"z"}


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"python": "f", "variants": [{"name": "a"}]}, "/steps/1"),
        ({"agent": "w", "variants": []}, "/steps/1/variants"),
        ({"agent": "w", "variants": [{"name": "a", "weight": 0}]}, "/steps/1/variants/0/weight"),
        ({"agent": "w", "variants": [{"name": "a", "weight": -1}]}, "/steps/1/variants/0/weight"),
        ({"agent": "w", "variants": [{"weight": 1}]}, "/steps/1/variants/0"),
        ({"agent": "w", "variants": [{"name": "a"}, {"name": "a"}]}, "/steps/1/variants/1/name"),
        ({"agent": "w", "variants": [{"name": "a", "agent": "../x"}]}, "/steps/1/variants/0/agent"),
        ({"agent": "w", "variants": [{"name": "a", "input": {"q": "{nix}"}}]}, "/steps/1/variants/0/input/q"),
        ({"agent": "w", "variants": [{"name": "a", "input": 5}]}, "/steps/1/variants/0/input"),
        ({"agent": "w", "variants": [{"name": "a", "x": 5}]}, "/steps/1/variants/0/x"),
    ],
)
def test_wrong_variants_are_refused_with_their_place(step: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        parse(document(**step))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
