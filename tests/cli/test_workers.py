"""The command `workers`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


def test_the_processes_are_listed_with_what_they_drive_and_who_is_silent(cli: Cli) -> None:
    result = cli("workers")
    assert result.exit_code == 0
    _, first, second, last = result.stdout.splitlines()
    assert "(answers)" in first
    assert "986 of 1000" in first
    assert first.endswith("default 11, mail 3")
    assert second.split()[1:4] == ["node-1", "4102", "silent"]
    assert last == "1 alive, 1 silent for more than 30.0 s"


def test_the_processes_are_printed_as_json(cli: Cli) -> None:
    assert json.loads(cli("--json", "workers").stdout)["lease_ms"] == 30000
