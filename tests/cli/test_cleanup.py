"""`workflow state cleanup`: what it asks of the service, and what it tells of the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from app.api.examples_policies import RUN, RUNNING
from tests.cli.contract import ANSWERS

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

CLEANUP = ("workflow", "state", "cleanup")
DONE = RUN | {"dry_run": False, "rows": 31201, "definitions": 2}


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "/api/retention/run", RUN)
    monkeypatch.setitem(ANSWERS, "/api/retention", {"runs": [DONE]})


def test_a_dry_run_asks_for_what_its_options_say(cli: Cli, service: Service) -> None:
    options = ("--retention-days", "3", "--max-per-workflow", "10", "--workflow", "mail", "--status", "failed")
    result = cli(*CLEANUP, *options, "--dry-run")
    assert "1204 threads to be deleted, about 8.1 MB" in result.stdout
    assert "content-strategy" in result.stdout
    body = {"dry_run": True, "days": 3, "max_per_workflow": 10, "workflow": "mail", "status": "failed", "by": "cli"}
    assert service.state.asked == [("POST /api/retention/run", body)]


def test_a_run_is_waited_for(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "/api/retention/run", RUNNING)
    result = cli(*CLEANUP)
    assert result.exit_code == 0
    assert "1204 threads deleted, 31201 rows of all tables" in result.stdout
    assert "2 unused documents" in result.stdout
    assert [path for path, _ in service.state.asked] == ["POST /api/retention/run", "GET /api/retention"]


def test_a_run_that_broke_off_is_told_by_the_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "/api/retention/run", DONE | {"status": "failed", "error": "broke off: away"})
    result = cli(*CLEANUP)
    assert result.exit_code == 1
    assert "broke off: away" in result.stderr


def test_as_json_it_is_the_run(cli: Cli) -> None:
    assert json.loads(cli(*CLEANUP, "--dry-run", "--json").stdout) == RUN
