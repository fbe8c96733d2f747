"""`verify --kill-points` on real processes: it proves a workflow that is durable, and finds one that is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from app.cli import kill_borrow
from app.cli.kill_verdict import Hopeless
from app.cli.root import app
from app.client import ApiError, Backstitch
from tests.acceptance.service import run_cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.contract import Service

DURABLE: dict[str, Any] = {
    "name": "durable",
    "steps": [
        {"id": "many", "for_each": [1, 2], "python": "kill_square", "input": {"n": "{item}"}},
        {"id": "ask", "gate": {"title": "Go?"}},
        {"id": "last", "python": "kill_square", "input": {"n": "{ask.output.n}"}},
    ],
}
FORGETFUL: dict[str, Any] = {
    "name": "forgetful",
    "steps": [
        {"id": "first", "python": "kill_note", "input": {"word": "a"}},
        {"id": "second", "python": "kill_note", "input": {"word": "b"}},
        {"id": "third", "python": "kill_recall", "input": {}},
    ],
}


def verified(folder: Path, document: dict[str, Any], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of a run on a document."""
    file = folder / "workflow.json"
    file.write_text(json.dumps(document))
    settings = {"MODULES": "tests.cli.kill_functions", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/not-this-one"}
    done = run_cli("verify", "--kill-points", str(file), "--json", *arguments, cwd=folder, **settings)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_durable_workflow_with_items_and_a_gate_is_proven(tmp_path: Path) -> None:
    code, report = verified(tmp_path, DURABLE, "--answer", 'ask={"n": 3}', "--only", "4", "--only", "5")
    assert (code, report["proven"], report["varying"]) == (0, True, [])
    assert [point["commit"] for point in report["points"]] == ["version 2 (many)", "version 3 (ask)"]
    assert [(point["moment"], point["survived"]) for point in report["points"]] == [("after", True), ("before", True)]
    assert all(point["reached"] and point["ran_again"] == 0 and point["committed"] == 1 for point in report["points"])


def test_a_workflow_that_keeps_its_state_in_the_process_is_found_out(tmp_path: Path) -> None:
    code, report = verified(tmp_path, FORGETFUL, "--only", "4")
    assert (code, report["proven"]) == (1, False)
    [point] = report["points"]
    assert point["faults"][-1] == "the end state differs at /steps/third/output: ['b'] instead of ['a', 'b']"
    assert point["reached"]
    assert not point["survived"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["flow"], "say what to verify"),
        (["flow", "--kill-points", "--data-dir", "."], "is no empty folder"),
        (["flow", "--kill-points", "--answer", "ask"], "--answer takes NAME=VALUE"),
        (["flow", "--kill-points", "--timeout", "soon"], "--timeout"),
        (["flow", "--kill-points", "--at", "steps"], "--at"),
        (["flow", "--kill-points", "--input", "{}", "--ignore", "banana"], "'banana' is no JSON pointer"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_started(arguments: list[str], fault: str) -> None:
    result = CliRunner().invoke(app, ["verify", *arguments])
    assert result.exit_code == 2
    assert fault in " ".join(result.stderr.replace("│", " ").split())


async def test_what_only_the_users_service_knows_is_borrowed(service: Service) -> None:
    missing = ApiError(404, {"code": "workflow_not_found"})
    async with Backstitch(service.url) as to:
        found = await kill_borrow.borrow(missing, service.url, to, "mail")
    assert found == {"name": "mail", "steps": []}
    lent = {asked: body for asked, body in service.state.asked if asked.startswith("POST")}
    assert lent["POST /api/agents"]["name"] == "analyst"
    assert lent["POST /api/workflows"] == {"name": "content-strategy", "steps": []}


async def test_a_workflow_that_nobody_knows_is_told_with_where_it_has_to_be() -> None:
    missing = ApiError(404, {"code": "workflow_not_found"})
    async with Backstitch("http://127.0.0.1:1", retry_for=0) as nobody:
        with pytest.raises(Hopeless, match="--workflows-dir"):
            await kill_borrow.borrow(missing, "http://127.0.0.1:1", nobody, "mail")
