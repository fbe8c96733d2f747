"""The commands about gates: what they send and print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.contract import AT, THREAD, event, problem

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

PATH = f"/api/invoke/gates/{THREAD}/approve"


def sent(service: Service) -> Any:
    return [body for asked, body in service.state.asked if asked == f"POST {PATH}"][-1]


def test_gates_shows_who_is_asked_what(cli: Cli) -> None:
    out = cli("gates").stdout
    assert all(part in out for part in (THREAD, "approve", "Publish?", "ana, bob", "open"))


def test_an_answer_is_put_together_of_its_fields(cli: Cli, service: Service) -> None:
    result = cli("answer", THREAD, "approve", "--set", "approved=true", "--set", "why=good text", "--by", "ana")
    assert result.exit_code == 0
    assert sent(service) == {"answer": {"approved": True, "why": "good text"}, "by": "ana", "via": "cli"}
    assert "watch it with" in result.stdout


@pytest.mark.parametrize(("given", "value"), [("null", None), ("[1]", [1]), ("-", {"a": 1})])
def test_an_answer_is_any_json(cli: Cli, service: Service, given: str, value: Any) -> None:
    cli("answer", THREAD, "approve", "--answer", given, "--round", "1", "--item", "2", stdin='{"a": 1}')
    assert sent(service) == {"answer": value, "via": "cli", "item": 2, "round": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ("answer", THREAD, "approve"),
        ("answer", THREAD, "approve", "--answer", "{"),
        ("gates", THREAD, "--assignee", "a"),
    ],
)
def test_what_cannot_be_sent_is_refused_here(cli: Cli, service: Service, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).exit_code == 2
    assert service.state.asked == []


def test_a_refusal_is_told_in_one_line(cli: Cli, service: Service) -> None:
    service.state.refusal = problem(409, "gate_answered", "Conflict", "ana was first", answer=1)
    result = cli("answer", THREAD, "approve", "--answer", "2")
    assert (result.exit_code, result.stderr) == (1, "error: Conflict: ana was first [gate_answered]\n")


def test_watch_tells_of_the_question_and_of_the_answer(cli: Cli, service: Service) -> None:
    service.state.events = [
        event(1, "workflow_start"),
        event(2, "gate_waiting", "approve", title="Publish?"),
        event(3, "gate_answered", "approve", by="ana", via="api"),
        event(4, "workflow_complete"),
    ]
    lines = cli("watch", THREAD).stdout
    assert "approve  Publish?" in lines
    assert "approve  answered by ana" in lines


def test_status_shows_the_question_of_a_step_that_waits(cli: Cli, service: Service) -> None:
    document = service.state.document()
    document["steps"][1] |= {"status": "waiting", "gate": {"title": "Publish?", "timeout_at": AT.format(1)}}
    service.state.document = lambda: document
    assert "Publish?" in cli("status", THREAD).stdout
