"""The commands about waits and signals: what they send and print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.cli.remarks import Hints
from tests.cli.contract import THREAD, event, problem
from tests.cli.test_steps import taken

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

PATH = f"/api/invoke/signals/{THREAD}/go"


def sent(service: Service) -> Any:
    return [body for asked, body in service.state.asked if asked.startswith(f"POST {PATH}")][-1]


def test_waits_shows_what_is_waited_for(cli: Cli) -> None:
    out = cli("waits").stdout
    assert all(part in out for part in ("paid", "orders.42.paid", "message.data.amount >= input.amount", "open"))


@pytest.mark.parametrize(("given", "value"), [("7", 7), ('{"a": 1}', {"a": 1}), ("-", [2])])
def test_a_signal_is_any_json(cli: Cli, service: Service, given: str, value: Any) -> None:
    result = cli("signal", THREAD, "go", given, "--by", "ana", stdin="[2]")
    assert (result.exit_code, sent(service)) == (0, value)
    assert "signal go is taken" in result.stdout
    assert "watch it with" in result.stdout


def test_a_signal_may_have_no_value(cli: Cli, service: Service) -> None:
    assert cli("signal", THREAD, "go").exit_code == 0
    assert not sent(service)


def test_what_is_no_json_is_refused_here(cli: Cli, service: Service) -> None:
    assert cli("signal", THREAD, "go", "{").exit_code == 2
    assert service.state.asked == []


def test_a_refusal_is_told_in_one_line(cli: Cli, service: Service) -> None:
    service.state.refusal = problem(409, "thread_ended", "Conflict", "it is completed")
    result = cli("signal", THREAD, "go")
    assert (result.exit_code, result.stderr) == (1, "error: Conflict: it is completed [thread_ended]\n")


def test_signals_shows_what_was_sent_and_who_took_it(cli: Cli) -> None:
    out = cli("signals", THREAD, "--pending").stdout
    assert all(part in out for part in ("approved", "taken", "approval"))


def test_watch_tells_what_is_waited_for_and_what_came(cli: Cli, service: Service) -> None:
    service.state.events = [
        event(1, "workflow_start"),
        event(2, "message_waiting", "a", signal="go", item=None, round=0),
        event(3, "message_received", "a", signal="go", via="signal"),
        event(4, "message_waiting", "b", topic="orders.>", item=None, round=0),
        event(5, "message_received", "b", topic="orders.>", via="timeout"),
        event(6, "workflow_complete"),
    ]
    out = cli("watch", THREAD).stdout
    assert all(part in out for part in ("waits for signal go", "signal go: received", "a message on orders.>"))


def test_the_hints_say_how_to_send_a_signal_until_it_has_come() -> None:
    hints = Hints(THREAD, "http://there")
    [hint] = taken(hints, event(1, "message_waiting", "a", signal="go", item=None, round=0))
    assert hint.endswith(f"signal {THREAD} go JSON --url http://there")
    assert taken(hints, event(2, "message_waiting", "b", topic="t", item=None, round=0)) == []
    taken(hints, event(3, "message_received", "a", signal="go", via="signal"))
    assert hints.lines == []
