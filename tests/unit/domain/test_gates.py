"""Gates of a document, their keys, and why one cannot be answered."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain import wishes
from app.domain.document import parse
from app.domain.errors import InvalidWorkflow
from app.domain.gates import NO_ITEM, GateKey, GateRecord, key_of, mark, refusal
from app.domain.times import utc_now
from tests.unit.runners.attempts import attempt

KEY = GateKey(thread_id="t:1", key_execution_id="e", step_id="approve")
FORM = {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[a-z]{3}$"}}}


def document(gate: Any, **parts: Any) -> dict[str, Any]:
    return {"name": "asking", "steps": [{"id": "write", "python": "w"}, {"id": "approve", "gate": gate, **parts}]}


def problems(gate: Any, **parts: Any) -> dict[str, str]:
    with pytest.raises(InvalidWorkflow) as refused:
        parse(document(gate, **parts))
    return {problem.pointer: problem.message for problem in refused.value.problems}


def test_a_form_holds_no_templates_and_all_else_may() -> None:
    step = parse(
        document({"title": "{input.a}?", "show": "{write.output}", "form": FORM, "assignees": ["{context.who}"]})
    ).steps[1]
    assert (step.kind, step.form) == ("gate", FORM)
    assert step.target.references == {"input", "write", "context"}
    assert step.target.render({"input": {"a": 1}, "write": {"output": 2}, "context": {"who": "ana"}}) == {
        "title": "1?",
        "show": 2,
        "assignees": ["ana"],
    }


def test_a_gate_takes_no_timeout_of_the_defaults() -> None:
    assert parse({**document({}), "defaults": {"timeout": 5}}).steps[1].timeout is None
    assert parse(document({}, timeout="5m")).steps[1].timeout == 300


@pytest.mark.parametrize(
    ("gate", "pointer"),
    [
        ({"form": {"type": "nothing"}}, "/form/type"),
        ({"form": {"$ref": "https://elsewhere.example/form"}}, "/form"),
        ({"timeout": "5 minutes"}, "/timeout"),
        ({"timeout": "99999d"}, "/timeout"),
        ({"assignees": "ana"}, "/assignees"),
        ({"assignees": [""]}, "/assignees/0"),
        ({"title": 3}, "/title"),
        ({"question": "?"}, "/question"),
        ({"show": "{nothing.output}"}, "/show"),
        ({"form": FORM, "timeout": 1, "on_timeout": {"code": "abcd"}}, "/on_timeout/code"),
        (None, ""),
    ],
)
def test_what_is_wrong_with_a_gate_is_told_with_its_place(gate: Any, pointer: str) -> None:
    assert "/steps/1/gate" + pointer in problems(gate)


@pytest.mark.parametrize("part", [{"input": 1}, {"max_silence": 5}])
def test_what_has_no_meaning_for_a_gate_is_refused(part: dict[str, Any]) -> None:
    assert problems({}, **part) == {
        f"/steps/1/{next(iter(part))}": f"{next(iter(part))!r} has no meaning for this kind of step"
    }


def test_a_value_for_the_timeout_with_templates_is_checked_later() -> None:
    parse(document({"form": FORM, "timeout": 1, "on_timeout": {"code": "{input}"}}))


@pytest.mark.parametrize(("key", "item"), [("t:1:e:approve", NO_ITEM), ("t:1:e:approve:7", 7)])
def test_the_key_of_a_gate_is_that_of_the_step_run(key: str, item: int) -> None:
    trying = attempt({})
    trying.context.thread_id, trying.context.idempotency_key = "t:1", key
    assert key_of(trying, 2) == GateKey(thread_id="t:1", key_execution_id="e", step_id="approve", item=item, round=2)


def test_an_event_names_the_item_only_if_there_is_one() -> None:
    assert mark(KEY) == {"round": 0, "item": None}
    assert mark(GateKey(thread_id="t", key_execution_id="e", step_id="s", item=3, round=1)) == {"round": 1, "item": 3}


def test_a_refusal_tells_why() -> None:
    now = utc_now()
    found = {
        "there": refusal(KEY, None),
        "open": refusal(KEY, GateRecord(key=KEY, run_id="r", opened_at=now)),
        "over": refusal(KEY, GateRecord(key=KEY, run_id="r", opened_at=now, answered_at=now, via="timeout")),
        "first": refusal(
            KEY, GateRecord(key=KEY, run_id="r", opened_at=now, answered_at=now, answer_json="1", via="api")
        ),
    }
    assert {name: error.code for name, error in found.items()} == {
        "there": "gate_not_found",
        "open": "gate_closed",
        "over": "gate_closed",
        "first": "gate_answered",
    }
    assert (found["first"].details["answer"], "somebody was first" in found["first"].message) == (1, True)
    assert "its time is over" in found["over"].message


def test_a_wish_to_look_is_neither_to_pause_nor_to_cancel() -> None:
    wish = wishes.look("token")
    assert (wishes.is_look(wish), wishes.is_cancel(wish), wish == wishes.PAUSE) == (True, False, False)
    assert not any(map(wishes.is_look, (None, wishes.PAUSE, wishes.cancel("look:"))))
