"""The commands `queue ...`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.contract import problem

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


@pytest.mark.parametrize("arguments", [["queue"], ["queue", "list"]])
def test_the_queues_are_listed_with_what_waits_and_runs(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["mail", "12", "1", "3", "3", "4.2", "s", "100", "10", "in", "1", "min", "0", "s"]
    assert lines[2] == "12 waiting, 1 delayed, 3 running in all"


@pytest.mark.parametrize("arguments", [["queue", "--json"], ["queue", "--json", "list"], ["--json", "queue"]])
def test_the_queues_are_printed_as_json(cli: Cli, arguments: list[str]) -> None:
    assert json.loads(cli(*arguments).stdout)["queues"][0]["name"] == "mail"


def test_one_queue_is_shown(cli: Cli, service: Service) -> None:
    result = cli("queue", "show", "mail")
    assert result.stdout.splitlines()[1].startswith("mail")
    assert service.state.asked == [("GET /api/queue/mail", None)]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["--max-running", "7"], {"limit": 7, "max_depth": 100, "rate_limit": {"count": 10, "per": "60000ms"}}),
        (["--rate", "5/1s"], {"limit": 3, "max_depth": 100, "rate_limit": {"count": 5, "per": "1s"}}),
        (
            ["--max-running", "usual", "--max-depth", "usual", "--rate", "usual"],
            {"limit": None, "max_depth": None, "rate_limit": None},
        ),
    ],
)
def test_what_is_not_given_stays_as_it_is(
    cli: Cli, service: Service, arguments: list[str], sent: dict[str, Any]
) -> None:
    assert cli("queue", "set", "mail", *arguments).exit_code == 0
    assert service.state.asked[-1] == ("PUT /api/queue/mail", sent)


@pytest.mark.parametrize("arguments", [[], ["--max-running", "-1"], ["--rate", "10"], ["--max-depth", "many"]])
def test_what_cannot_be_set_is_refused_here(cli: Cli, service: Service, arguments: list[str]) -> None:
    assert cli("queue", "set", "mail", *arguments).exit_code == 2
    assert all(asked.startswith("GET") for asked, _ in service.state.asked)


def test_a_queue_that_nobody_knows_is_told(cli: Cli, service: Service) -> None:
    service.state.refusal = problem(404, "queue_not_found", "Not Found", "no queue 'nope'")
    result = cli("queue", "show", "nope")
    assert result.exit_code == 1
    assert "[queue_not_found]" in result.stderr
