"""The commands `schedule ...`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.api import examples_schedules as examples
from app.cli.rendering import duration

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

NAME = "morning-briefing"
PATH = f"/api/schedules/{NAME}"


def test_the_schedules_are_listed_with_what_is_next(cli: Cli) -> None:
    lines = cli("schedule", "list").stdout.splitlines()
    assert lines[0].split() == ["schedule", "state", "fires", "workflow", "next", "last", "fired"]
    assert lines[1].startswith("morning-briefing  active  0 9 * * MON-FRI Europe/Vienna  content-strategy")
    assert lines[1].split()[-2:] == ["started", "14"]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["show", NAME], (f"GET {PATH}", None)),
        (["pause", NAME, "--reason", "away"], (f"POST {PATH}/pause", {"reason": "away"})),
        (["resume", NAME], (f"POST {PATH}/resume", None)),
        (["change", NAME, "--every", "5m"], (f"PATCH {PATH}", {"every": "5m"})),
        (["delete", NAME], (f"DELETE {PATH}", None)),
        (["run", NAME], (f"POST {PATH}/run", None)),
        (["firings", NAME], (f"GET {PATH}/firings", None)),
        (
            ["backfill", NAME, "--from", "a", "--to", "b", "--overlap", "allow", "--dry-run"],
            (f"POST {PATH}/backfill", {"from": "a", "to": "b", "dry_run": True, "overlap": "allow"}),
        ),
        (["preview", "--cron", "@daily"], ("POST /api/schedules/preview", {"cron": "@daily", "count": 10})),
    ],
)
def test_each_command_asks_its_route_and_tells_what_came(
    cli: Cli, service: Service, arguments: list[str], asked: tuple[str, Any]
) -> None:
    result = cli("schedule", *arguments)
    assert result.exit_code == 0, result.stderr
    assert service.state.asked == [asked]
    assert result.stdout
    json.loads(cli("schedule", *arguments, "--json").stdout)


def test_a_schedule_is_made_of_options(cli: Cli, service: Service) -> None:
    options = ["--cron", "0 9 * * *", "--workflow", "w", "--input", '{"a": 1}', "--max-firings", "3", "--paused"]
    assert cli("schedule", "create", "daily", *options).exit_code == 0
    sent = {"name": "daily", "cron": "0 9 * * *", "workflow": "w", "input": {"a": 1}, "max_firings": 3, "paused": True}
    assert service.state.asked == [("POST /api/schedules", sent)]


def test_a_schedule_is_made_of_a_file_and_options_go_before_it(cli: Cli, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "daily.yaml"
    file.write_text("name: daily\nworkflow: w\ncron: '@daily'\n", encoding="utf-8")
    assert cli("schedule", "create", str(file), "--workflow", "other").exit_code == 0
    assert service.state.asked[-1][1] == {"name": "daily", "workflow": "other", "cron": "@daily"}


def test_a_change_of_nothing_is_refused_here(cli: Cli, service: Service) -> None:
    assert cli("schedule", "change", "daily").exit_code == 2
    assert service.state.asked == []


def test_a_run_that_failed_is_told_by_the_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.cli import contract  # noqa: PLC0415

    failed = {**examples.MANUAL, "outcome": "failed", "thread_id": None, "error": {"code": "x", "message": "no"}}
    monkeypatch.setitem(contract.ANSWERS, f"{PATH}/run", failed)
    result = cli("schedule", "run", NAME)
    assert (result.exit_code, result.stdout.strip()) == (1, "failed no [x]")


def test_a_schedule_is_shown_with_what_it_starts_and_how(cli: Cli) -> None:
    assert "overlap buffer_one, up to 6 h 0 min late, with {" in cli("schedule", "show", NAME).stdout


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, ""),
        (999, "999 ms"),
        (59_900, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_661_000, "1 h 1 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(ms: int | None, said: str) -> None:
    assert duration(ms) == said
