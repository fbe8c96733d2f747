"""`workflow migrate` and `workflow state upgrade`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.contract import ANSWERS

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

MIGRATE = "/api/workflows/content-strategy/migrate"
UPGRADE = "/api/workflow/state/upgrade"


def test_migrate_tells_who_moved_and_why_another_did_not(cli: Cli, service: Service) -> None:
    result = cli("workflow", "migrate", "content-strategy", "--to", "2", "--from", "1", "--status", "waiting")
    assert result.exit_code == 1
    assert "step analyst has completed, and in version 2 it differs in input" in " ".join(result.stdout.split())
    assert "1 threads moved to content-strategy@2, 1 not" in result.stdout
    [(path, body)] = service.state.asked
    wanted = {"to_version": 2, "from_version": 1, "statuses": ["waiting"], "resume": False, "dry_run": False}
    assert (path, body) == (f"POST {MIGRATE}", wanted)


def test_migrate_says_that_a_dry_run_changes_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ANSWERS[MIGRATE] | {"dry_run": True, "refused": 0, "moved": 0, "threads": []}
    monkeypatch.setitem(ANSWERS, MIGRATE, found)
    result = cli("workflow", "migrate", "content-strategy", "--dry-run", "--thread-id", "a")
    assert (result.exit_code, "nothing has been changed" in result.stdout) == (0, True)


def test_migrate_as_json_is_one_document_of_all_pages(cli: Cli) -> None:
    found = json.loads(cli("workflow", "migrate", "content-strategy", "--json").stdout)
    assert (found["moved"], found["refused"], len(found["threads"])) == (1, 1, 2)


def test_upgrade_tells_the_formats_and_what_it_left(cli: Cli, service: Service) -> None:
    result = cli("workflow", "state", "upgrade", "--batch", "100")
    assert result.exit_code == 1
    assert "119 versions are now in format 2" in result.stdout
    assert "1 are damaged and stay as they are" in result.stdout
    assert [body for path, body in service.state.asked if path == f"POST {UPGRADE}"] == [
        {"dry_run": False, "limit": 100}
    ]


def test_upgrade_can_be_asked_what_it_would_do(cli: Cli) -> None:
    found = json.loads(cli("workflow", "state", "upgrade", "--dry-run", "--json").stdout)
    assert (found["upgraded"], found["before"][0]["format"], found["dry_run"]) == (119, 1, True)
