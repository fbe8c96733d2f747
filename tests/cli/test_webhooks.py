"""`backstitch webhook ...` against a small service that answers by the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from app.api.examples_webhooks import SECRET

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


def test_the_list_tells_where_each_leads_and_how_it_is(cli: Cli) -> None:
    said = cli("webhook", "list").stdout
    assert "https://hooks.example.com/backstitch" in said
    assert "enabled" in said


def test_one_that_is_registered_tells_its_secret_once(cli: Cli, service: Service) -> None:
    found = cli(
        "webhook", "create", "https://x.example", "--topic", "a.*", "--topic", "b", "--workflow", "w", "--header", "X-A=b=c"
    )  # fmt: skip
    assert found.exit_code == 0
    assert SECRET in found.stdout
    body = {"url": "https://x.example", "topics": ["a.*", "b"], "workflows": ["w"], "headers": {"X-A": "b=c"}}
    assert service.state.asked == [("POST /api/webhooks", body)]


def test_a_header_without_a_value_is_refused_before_anything_is_asked(cli: Cli, service: Service) -> None:
    assert cli("webhook", "create", "https://x.example", "--header", "X-A").exit_code == 2
    assert service.state.asked == []


@pytest.mark.parametrize(("command", "enabled"), [("enable", True), ("disable", False)])
def test_one_is_enabled_and_disabled(cli: Cli, service: Service, command: str, enabled: bool) -> None:
    assert "disabled: it is gone" in cli("webhook", command, "w-2").stdout
    assert service.state.asked == [("PATCH /api/webhooks/w-2", {"enabled": enabled})]


def test_one_that_fails_says_since_when(cli: Cli) -> None:
    assert "failing since" in cli("webhook", "show", "w-1").stdout
    assert "was deleted" in cli("webhook", "delete", "w-1").stdout


def test_a_test_says_what_came_back_and_fails_where_it_was_not_taken(cli: Cli) -> None:
    taken, refused = cli("webhook", "test", "w-1"), cli("webhook", "test", "w-2")
    assert (taken.exit_code, taken.stdout.split()[:3]) == (0, ["delivered:", "HTTP", "204"])
    assert (refused.exit_code, refused.stdout.split()[:3]) == (1, ["failed:", "HTTP", "500"])


def test_deliveries_are_listed_of_a_webhook_or_of_a_thread(cli: Cli, service: Service) -> None:
    said = cli("webhook", "deliveries", "w-1", "--status", "failed").stdout
    assert "HTTP 204" in said
    assert "pending" in said
    assert json.loads(cli("webhook", "deliveries", "--thread", "t-1", "--json").stdout)["deliveries"] == []
    assert [asked for asked, _ in service.state.asked] == [
        "GET /api/webhooks/w-1/deliveries",
        "GET /api/webhooks/deliveries",
    ]
    assert cli("webhook", "deliveries").exit_code == 2


def test_sending_again_one_or_all_since_a_time(cli: Cli, service: Service) -> None:
    assert "is sent again" in cli("webhook", "redeliver", "d-1").stdout
    assert "12 are sent again" in cli("webhook", "recover", "w-1", "--since", "2026-11-21T09:30:00Z").stdout
    assert service.state.asked[-1] == ("POST /api/webhooks/w-1/recover", {"since": "2026-11-21T09:30:00Z"})


def test_without_an_id_the_services_own_secret_is_changed(cli: Cli, service: Service) -> None:
    assert SECRET in cli("webhook", "rotate", "--overlap", "1h").stdout
    assert service.state.asked == [("POST /api/webhooks/default/rotate", {"overlap": "1h"})]
