"""`workflow state verify` and `workflow state repair`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.contract import ANSWERS, FINDING, THREAD, problem

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

STATE = ("workflow", "state")


def test_verify_prints_the_damage_and_exits_with_1(cli: Cli) -> None:
    result = cli(*STATE, "verify", "--thread-id", THREAD)
    assert result.exit_code == 1
    assert "DAMAGED, 2 of 4 versions valid, its head is damaged" in result.stdout
    assert "SHA-256" in result.stdout


def test_verify_as_json_is_the_document(cli: Cli) -> None:
    result = cli(*STATE, "verify", "--thread-id", THREAD, "--json")
    assert (result.exit_code, json.loads(result.stdout)["head_valid"]) == (1, False)


def test_verify_all_asks_for_every_thread_once(cli: Cli, service: Service) -> None:
    result = cli(*STATE, "verify", "--all", "--json")
    assert [one["thread_id"] for one in json.loads(result.stdout)["threads"]] == [THREAD]
    assert [path for path, _ in service.state.asked] == [
        "GET /api/workflow/executions",
        f"GET /api/invoke/verify/{THREAD}",
    ]


@pytest.mark.parametrize("arguments", [(), ("--all", "--thread-id", THREAD)])
def test_verify_wants_one_thread_or_all(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*STATE, "verify", *arguments).exit_code == 2


def test_repair_tells_what_it_did(cli: Cli) -> None:
    result = cli(*STATE, "repair", "--thread-id", THREAD)
    assert result.exit_code == 0
    assert "the head moved from version 4 to 2" in result.stdout
    assert "steps that run again: marketer" in result.stdout


def test_repair_of_a_completed_thread_tells_how_to_run_the_lost_steps(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/invoke/repair/{THREAD}"
    monkeypatch.setitem(ANSWERS, path, ANSWERS[path] | {"status": "completed"})
    told = cli(*STATE, "repair", "--thread-id", THREAD).stdout
    assert "not run again, since it has completed: marketer" in told
    assert f"backstitch rollback {THREAD} --to 2" in told


@pytest.mark.parametrize(
    ("head_valid", "quarantined", "wanted"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_verify_says_how_to_repair_where_that_is_still_to_do(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, head_valid: bool, quarantined: bool, wanted: bool
) -> None:
    path = f"/api/invoke/verify/{THREAD}"
    found = {"head_valid": head_valid, "findings": [FINDING | {"quarantined": quarantined}]}
    monkeypatch.setitem(ANSWERS, path, ANSWERS[path] | found)
    told = cli(*STATE, "verify", "--thread-id", THREAD).stdout
    assert (f"workflow state repair --thread-id {THREAD}" in told) == wanted


def test_repair_of_a_running_thread_is_refused_in_one_line(cli: Cli, service: Service) -> None:
    service.state.refusal = problem(409, "thread_running", "Conflict", "thread t-1 is running")
    result = cli(*STATE, "repair", "--thread-id", THREAD)
    assert result.exit_code == 1
    assert "[thread_running]" in result.stderr
