"""What `publish` and the commands of `trigger` send, print and exit with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

CREATE = ("create", "check-large-orders", "--topic", "orders.*", "--workflow", "check")
PRINTING = [
    ("publish", "orders.created", '{"total": 5}'),
    ("messages", "--topic", "orders.>"),
    ("trigger", "list"),
    ("trigger", "show", "check-large-orders"),
    ("trigger", *CREATE),
    ("trigger", "enable", "check-large-orders"),
    ("trigger", "disable", "check-large-orders"),
    ("trigger", "change", "check-large-orders", "--description", "of the shop"),
    ("trigger", "test", "check-large-orders", '{"total": 5}'),
    ("trigger", "delete", "check-large-orders"),
    ("trigger", "firings", "check-large-orders", "--outcome", "failed"),
]


def asked(service: Service) -> tuple[str, Any]:
    return service.state.asked[-1]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_json_is_all_that_stdout_gets(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments, "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_people_get_text(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "orders" in result.stdout


@pytest.mark.parametrize(
    ("given", "sent"), [((), {}), (('{"n": 1}',), {"n": 1}), (("[1]",), [1]), (("-",), {"from": "stdin"})], ids=str
)
def test_publish_sends_the_data(cli: Cli, service: Service, given: tuple[str, ...], sent: Any) -> None:
    assert cli("publish", "orders.created", *given, stdin='{"from": "stdin"}').exit_code == 0
    assert asked(service) == ("POST /api/messages/orders.created", sent)


def test_null_is_published_too(cli: Cli, service: Service) -> None:
    assert cli("publish", "orders.created", "null", "--idempotency-key", "k").exit_code == 0
    assert asked(service) == ("POST /api/messages/orders.created", None)


def test_data_that_is_no_json_exits_with_2(cli: Cli, service: Service) -> None:
    assert cli("publish", "orders.created", "{").exit_code == 2
    assert not service.state.asked


def test_create_sends_what_is_given_and_no_more(cli: Cli, service: Service) -> None:
    cli("trigger", *CREATE)
    plain = {"name": "check-large-orders", "topic": "orders.*", "workflow": "check"}
    assert asked(service) == ("POST /api/triggers", plain)
    more = ("--condition", "true", "--input", '{"a": "{message.id}"}', "--key", "{message.id}", "--window", "1h")
    cli("trigger", *CREATE, *more, "--queue", "mail", "--priority", "3", "--delay", "5s", "--disabled")
    assert asked(service)[1] == plain | {
        "condition": "true",
        "input": {"a": "{message.id}"},
        "deduplicate": {"key": "{message.id}", "window": "1h"},
        "queue": "mail",
        "priority": 3,
        "delay": "5s",
        "enabled": False,
    }


def test_a_window_goes_with_a_key(cli: Cli, service: Service) -> None:
    assert cli("trigger", *CREATE, "--window", "1h").exit_code == 2
    assert not service.state.asked


def test_enabling_is_a_change(cli: Cli, service: Service) -> None:
    cli("trigger", "enable", "a/b")
    assert asked(service) == ("PATCH /api/triggers/a/b", {"enabled": True})


def test_changing_sends_what_is_given_and_no_more(cli: Cli, service: Service) -> None:
    cli("trigger", "change", "a/b", "--topic", "orders.eu", "--window", "2h", "--key", "{message.id}")
    changed = {"topic": "orders.eu", "deduplicate": {"key": "{message.id}", "window": "2h"}}
    assert asked(service) == ("PATCH /api/triggers/a/b", changed)


def test_changing_nothing_exits_with_2(cli: Cli, service: Service) -> None:
    assert cli("trigger", "change", "a/b").exit_code == 2
    assert not service.state.asked


def test_a_message_is_tried_on_the_topic_of_its_trigger(cli: Cli, service: Service) -> None:
    assert cli("trigger", "test", "check-large-orders", '{"total": 5}').exit_code == 0
    message = {"topic": "orders.created", "data": {"total": 5}}
    assert asked(service) == ("POST /api/triggers/check-large-orders/test", {"message": message})


def test_firings_tell_the_thread_or_why_there_is_none(cli: Cli) -> None:
    lines = cli("trigger", "firings", "check-large-orders").stdout
    assert "8b1f5a80-6c0e-8d3f-9a4b-0f6f2d1c7e55" in lines
    assert "there is no 'total'" in lines
