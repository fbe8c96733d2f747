"""Comparing two executions, without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonpatch
import pytest

from app.domain import jsontext
from app.domain.parameters import Origin
from app.domain.records import ExecutionRecord, StepRecord
from app.domain.runner import Usage
from app.domain.state import Refs, State
from app.domain.status import Status, StepStatus
from app.domain.views import compare as views
from app.domain.views.common import encode
from app.domain.views.compare import Side, compare, junction

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def run(step_id: str, output: Any, *, execution: str = "x", **fields: Any) -> StepRecord:
    """A step run as it is read without values."""
    return StepRecord(
        **{
            "id": f"{execution}-{step_id}",
            "thread_id": "t",
            "execution_id": execution,
            "key_execution_id": execution,
            "step_id": step_id,
            "step_index": 0,
            "status": StepStatus.COMPLETED,
            "agent": step_id,
            "output_sha256": jsontext.sha256(jsontext.dumps(output)),
            "duration_ms": 10,
        }
        | fields
    )


def side(outputs: dict[str, Any], *runs: StepRecord, took: int | None = 100, **fields: Any) -> Side:
    """An execution `x` whose steps gave these outputs; `runs` over what is made of them."""
    made = {step_id: run(step_id, value) for step_id, value in outputs.items()} | {one.step_id: one for one in runs}
    steps = {step_id: (one.id, one.status) for step_id, one in made.items()}
    scope = {step_id: {"output": value, "status": "completed"} for step_id, value in outputs.items()}
    context = fields.pop("context", {})
    execution = ExecutionRecord(
        id="x",
        thread_id="t",
        workflow_id=None,
        workflow_name="w",
        workflow_version=None,
        kind="fork",
        status=Status.COMPLETED,
        input=None,
        input_sha256=None,
        created_at=AT,
        started_at=AT,
        completed_at=None if took is None else AT + timedelta(milliseconds=took),
        output=jsontext.dumps(fields.pop("output", None)),
    )
    return Side(
        **{
            "execution": execution,
            "version": 3,
            "origin": Origin(thread_id="s", version=2, variant="a"),
            "steps": list(made),
            "runs": list(made.values()),
            "state": State(Refs(steps=steps), {"input": {"n": 1}, "context": context, **scope}),
        }
        | fields
    )


def step_of(found: dict[str, Any], step_id: str) -> dict[str, Any]:
    return next(one for one in found["steps"] if one["id"] == step_id)


def test_what_is_the_same_is_told_without_its_values() -> None:
    found = compare(side({"a": [1, 2]}), side({"a": [1, 2]}), ("s", 2))
    assert step_of(found, "a")["output"] == {"equal": True, "a": None, "b": None, "patch": [], "omitted": None}
    assert found["ancestor"] == {"thread_id": "s", "version": 2}
    assert (found["input"]["equal"], found["context"]["equal"], found["output"]["equal"]) == (True, True, True)


def test_the_patch_leads_from_one_output_to_the_other() -> None:
    before, after = {"plan": "short", "n": [1, 2, 3]}, {"plan": "long", "n": [1, 3], "\x00": 10**30}
    told = step_of(compare(side({"a": before}), side({"a": after}), None), "a")["output"]
    assert (told["equal"], told["a"], told["b"]) == (False, before, after)
    assert jsonpatch.apply_patch(before, told["patch"]) == after


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (None, {}), ("1", 1)])
def test_values_of_different_types_differ(before: Any, after: Any) -> None:
    told = step_of(compare(side({"a": before}), side({"a": after}), None), "a")["output"]
    assert (told["equal"], len(told["patch"])) == (False, 1)


def test_another_order_of_keys_is_no_difference() -> None:
    found = compare(side({"a": {"x": 1, "y": 2}}), side({"a": {"y": 2, "x": 1}}), None)
    assert step_of(found, "a")["output"]["equal"]


def test_a_value_that_is_too_large_is_told_apart_by_its_digest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAIR_LIMIT", 100)
    told = step_of(compare(side({"a": "x" * 60}), side({"a": "y" * 60}), None), "a")["output"]
    assert told == {"equal": False, "a": None, "b": None, "patch": None, "omitted": "too_large"}


def test_all_patches_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "TOTAL_LIMIT", 50)
    found = compare(side({"a": "x" * 20, "b": "x" * 20}), side({"a": "y" * 20, "b": "y" * 20}), None)
    assert [step_of(found, name)["output"]["omitted"] for name in "ab"] == [None, "too_large"]


def test_without_a_state_digests_tell_what_differs_and_the_reason_is_given() -> None:
    bare = replace(side({"a": 1, "b": 1}), state=None, without="damaged")
    found = compare(bare, side({"a": 1, "b": 2}), None)
    assert [step_of(found, name)["output"]["equal"] for name in "ab"] == [True, False]
    assert (found["context"]["equal"], found["context"]["omitted"]) == (None, "damaged")


def test_steps_of_only_one_workflow_are_null_on_the_other_side() -> None:
    found = compare(side({"a": 1}), side({"b": 1}), None)
    assert [one["id"] for one in found["steps"]] == ["a", "b"]
    assert (step_of(found, "a")["b"], step_of(found, "b")["a"]) == (None, None)
    assert step_of(found, "b")["output"]["patch"] == [{"op": "replace", "path": "", "value": 1}]


def test_a_step_that_has_not_run_is_pending() -> None:
    told = step_of(compare(side({"a": 1}), replace(side({"a": 1}), runs=[]), None), "a")
    assert (told["b"]["status"], told["b"]["attempt"], told["output"]["equal"]) == ("pending", 0, False)


def test_what_was_kept_from_before_is_neither_time_nor_money_of_this_execution() -> None:
    spent = Usage(input_tokens=10, output_tokens=2, cost_usd=0.5)
    kept = run("a", 1, execution="old", usage=spent, attempt=3)
    found = compare(side({"a": 1, "b": 2}, kept, run("b", 2, usage=spent)), side({"a": 1, "b": 2}), None)
    assert (found["a"]["steps_ms"], found["a"]["attempts"], found["a"]["usage"]) == (10, 1, spent.value())
    assert (found["a"]["steps"]["reused"], found["a"]["steps"]["completed"]) == (1, 2)
    assert (step_of(found, "a")["a"]["reused"], step_of(found, "b")["a"]["reused"]) == (True, False)


def test_the_difference_is_what_the_second_took_more() -> None:
    cheap, dear = (Usage(input_tokens=n, output_tokens=1, cost_usd=n / 10) for n in (1, 3))
    found = compare(
        side({"a": 1}, run("a", 1, usage=cheap)), side({"a": 1}, run("a", 1, usage=dear, attempt=2), took=350), None
    )
    assert found["difference"] == {
        "duration_ms": 250,
        "steps_ms": 0,
        "attempts": 1,
        "input_tokens": 2,
        "output_tokens": 0,
        "cost_usd": 0.2,
    }


def test_what_is_not_known_has_no_difference() -> None:
    found = compare(side({"a": 1}), side({"a": 1}, took=None), None)
    assert (found["b"]["duration_ms"], found["difference"]["duration_ms"]) == (None, None)
    assert (found["a"]["usage"], found["difference"]["cost_usd"]) == (None, None)


def test_a_run_of_the_execution_tells_of_a_step_before_one_that_was_kept() -> None:
    kept, own = run("a", 1, execution="zz"), run("a", 2, agent="new")
    found = compare(replace(side({"a": 2}), runs=[own, kept]), side({"a": 2}), None)
    assert step_of(found, "a")["a"]["agent"] == "new"


def test_variables_and_origins_are_told() -> None:
    found = compare(side({}, context={"x": 1}), side({}, context={"x": 2}, output={"plan": 1}), None)
    assert found["context"]["patch"] == [{"op": "replace", "path": "/x", "value": 2}]
    assert found["a"]["forked_from"] == {"thread_id": "s", "version": 2, "variant": "a"}
    assert (found["output"]["a"], found["output"]["b"]) == (None, {"plan": 1})
    assert encode(found)


def test_the_junction_is_the_newest_version_that_both_came_from() -> None:
    parents = {1: None, 2: 1, 3: 2, 4: 2, 5: 4}
    assert [junction(parents, *pair) for pair in ((3, 5), (5, 4), (3, 3), (1, 5))] == [2, 4, 3, 1]
    assert junction(parents, 9, 5) is None
