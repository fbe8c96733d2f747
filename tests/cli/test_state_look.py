"""The commands `workflow state list`, `workflow state show` and `workflow resume`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.api import examples_threads
from tests.cli import contract
from tests.cli.contract import AT, THREAD

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

STATE: dict[str, Any] = {
    "thread_id": THREAD, "version": 4, "current_step": "marketer", "created_at": AT.format(4), "size_bytes": 80,
    "on_timeline": True, "state": {"input": {}, "context": {"a": 1}, "steps": {}, "metadata": {}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    """All status documents are that of the script."""
    status = service.state.document() | {"completed_steps": ["analyst"], "last_update": AT.format(4)}
    monkeypatch.setitem(contract.ANSWERS, f"/api/invoke/history/{THREAD}/4", STATE)
    for thread in (THREAD, "sub:1"):
        monkeypatch.setitem(contract.ANSWERS, f"/api/invoke/status/{thread}", status | {"thread_id": thread})


def given(monkeypatch: pytest.MonkeyPatch, *threads: str, status: str) -> None:
    """What the service says of executions and of the thread now."""
    found = [
        contract.EXECUTION | {"thread_id": thread, "created_at": AT.format(0), "completed_at": AT.format(place)}
        for place, thread in enumerate(threads)
    ]
    page = {"executions": found, "total": len(found), "next_cursor": None}
    monkeypatch.setitem(contract.ANSWERS, "/api/workflow/executions", page)
    entries = [examples_threads.ENTRY | {"thread_id": thread} for thread in dict.fromkeys(threads)]
    monkeypatch.setitem(contract.ANSWERS, "/api/threads", {"threads": entries, "next_cursor": None})
    for thread in set(threads):
        path = f"/api/invoke/status/{thread}"
        monkeypatch.setitem(contract.ANSWERS, path, contract.ANSWERS[path] | {"status": status})


def test_each_thread_is_listed_once_with_the_state_that_it_is_in(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, THREAD, THREAD, "sub:1", status="completed")
    lines = cli("workflow", "state", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["thread", THREAD, "sub:1"]
    assert lines[1].split()[:6] == [THREAD, "content-strategy", "✓", "completed", "4", "analyst"]


def test_a_thread_that_is_not_in_that_status_any_more_is_left_out(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, THREAD, status="completed")
    found = json.loads(cli("workflow", "state", "list", "--status", "failed", "--json").stdout)
    assert found == {"states": []}


@pytest.mark.parametrize("arguments", [[], ["--version", "4"]])
def test_the_state_at_a_version_is_shown_the_head_by_itself(cli: Cli, arguments: list[str]) -> None:
    result = cli("workflow", "state", "show", THREAD, *arguments)
    assert result.exit_code == 0
    assert f"thread {THREAD}, version 4\nwritten by marketer at " in result.stdout
    assert '"a": 1' in result.stdout


def test_the_thread_that_broke_last_is_resumed_and_no_sub_workflow(
    cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, THREAD, "sub:1", status="failed")
    result = cli("workflow", "resume")
    assert result.exit_code == 0
    assert f"the latest that broke is {THREAD}" in result.stderr
    assert service.state.asked[-1] == (f"POST /api/invoke/resume/{THREAD}", {})


def test_one_that_has_gone_on_since_is_not_resumed(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, THREAD, status="running")
    result = cli("workflow", "resume")
    assert result.exit_code == 1
    assert "nothing to resume" in result.stderr
    assert not any(asked.startswith("POST") for asked, _ in service.state.asked)


def test_an_empty_id_resumes_no_other_thread(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, THREAD, status="failed")
    cli("workflow", "resume", "--workflow-id", "")
    assert f"POST /api/invoke/resume/{THREAD}" not in dict(service.state.asked)


def test_the_thread_that_is_named_is_resumed(cli: Cli, service: Service) -> None:
    assert cli("workflow", "resume", "--workflow-id", THREAD, "--from-step", "analyst", "--json").exit_code == 0
    assert service.state.asked == [(f"POST /api/invoke/resume/{THREAD}", {"from_step": "analyst"})]
