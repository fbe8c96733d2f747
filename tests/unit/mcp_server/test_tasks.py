"""Threads as tasks: statuses, questions as forms that clients can show, and answers as gates want them."""

from __future__ import annotations

from typing import Any

import pytest

from app.mcp_server import tasks
from app.mcp_server.calling import Refused

FLAT = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}
DEEP = {"type": "object", "properties": {"tags": {"type": "array"}}}
NULLABLE = {"type": "object", "properties": {"note": {"type": ["string", "null"]}}}


def gate(form: Any = None, **more: Any) -> dict[str, Any]:
    return {"step_id": "ok", "item": None, "round": 0, "opened_at": "2026-11-21T10:00:00.000Z", "form": form, **more}


def status(state: str, thread: str = "0199d3f0-0000-7000-8000-000000000000") -> dict[str, Any]:
    return {
        "thread_id": thread, "workflow": "sewing", "status": state, "progress": 0.5,
        "started_at": "2026-11-21T10:00:00.000Z", "last_update": "2026-11-21T10:00:01.000Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "known"),
    [
        ("pending", "working"),
        ("running", "working"),
        ("waiting", "working"),
        ("paused", "working"),
        ("completed", "completed"),
        ("failed", "completed"),
        ("interrupted", "completed"),
        ("cancelled", "cancelled"),
    ],
)
def test_a_thread_that_failed_is_a_call_that_completed_with_an_error(state: str, known: str) -> None:
    assert tasks.seed(status(state))["status"] == known


def test_a_task_was_made_when_its_thread_was() -> None:
    made = tasks.seed(status("running"))
    assert made["createdAt"].startswith("2025-10-")
    assert made["ttlMs"] is None
    for chosen in ("mine", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        assert tasks.seed(status("running", chosen))["createdAt"] == "2026-11-21T10:00:00.000Z"


@pytest.mark.parametrize(
    ("form", "content", "answer"),
    [
        (FLAT, {"approved": True}, {"approved": True}),
        (DEEP, {"answer": '{"tags": ["a"]}'}, {"tags": ["a"]}),
        (NULLABLE, {"answer": '{"note": null}'}, {"note": None}),
        ({"type": ["integer", "null"]}, {"answer": "null"}, None),
        ({"type": "integer"}, {"answer": 3}, 3),
        ({"type": "string"}, {"answer": "3"}, "3"),
        (None, {"answer": "[1, 2]"}, [1, 2]),
        (None, {"answer": "go on"}, "go on"),
    ],
)
def test_what_a_user_fills_in_is_what_the_gate_wants(form: Any, content: Any, answer: Any) -> None:
    shown = tasks._form(form)
    assert shown["type"] == "object"
    assert set(content) <= set(shown["properties"])
    assert all(field["type"] in tasks._PLAIN for field in shown["properties"].values())
    assert tasks._answer(gate(form), content) == answer


def test_a_question_that_is_asked_anew_has_another_key() -> None:
    first, again = gate(), gate(opened_at="2026-11-21T11:00:00.000Z")
    assert len({tasks.key_of(one) for one in (first, again, gate(item=1), gate(round=1))}) == 4


@pytest.mark.parametrize(
    ("response", "content"),
    [
        ({"action": "accept", "content": {"approved": True}}, {"approved": True}),
        ({"action": "accept"}, {}),
        ({"action": "decline", "content": {"approved": True}}, None),
        ("accept", None),
        (None, None),
    ],
)
def test_only_what_a_user_has_accepted_is_an_answer(response: Any, content: Any) -> None:
    assert tasks._content(response) == content


def test_an_answer_that_is_no_form_is_refused() -> None:
    with pytest.raises(Refused, match="should be an object"):
        tasks._content({"action": "accept", "content": "yes"})
