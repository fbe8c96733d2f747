"""What `workflow register` and `workflow validate` send, print and exit with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


def test_registering_sends_the_file_and_tells_the_version(cli: Cli, service: Service, tmp_path: Path) -> None:
    (tmp_path / "mail.json").write_text('{"name": "mail"}')
    found = cli("workflow", "register", str(tmp_path / "mail.json"))
    assert (found.exit_code, found.stderr) == (0, "")
    assert "workflow mail is registered in version 2" in found.stdout
    assert service.state.asked[-1] == ("POST /api/workflows", {"name": "mail"})


def test_registering_prints_json_for_programs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mail.json").write_text("{}")
    assert json.loads(cli("workflow", "register", str(tmp_path / "mail.json"), "--json").stdout)["version"] == 2


def test_a_document_that_does_not_hold_exits_with_1_and_its_problems(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mail.json").write_text("{}")
    found = cli("workflow", "validate", str(tmp_path / "mail.json"))
    assert found.exit_code == 1
    assert found.stdout.startswith("line 4, /steps/0/agent: no agent is registered")


def test_a_file_that_is_not_there_exits_with_2(cli: Cli, service: Service) -> None:
    assert cli("workflow", "register", "nowhere.yaml").exit_code == 2
    assert not service.state.asked
