"""The command `threads`: the list, and what is done with all that it lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.api import examples_threads
from tests.cli import contract

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service


def test_a_line_tells_what_a_thread_is_about_and_at(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = examples_threads.ENTRY
    parked = {**entry["open"][0], "status": "waiting", "waits": "gate", "attempt": 2}
    other = {**entry, "steps_total": None, "usage": None, "open": [parked]}
    failed = {**entry, "error": {"kind": "timeout", "message": "too\nslow", "step_id": "draft"}}
    page = {"threads": [entry, {**other, "thread_id": "b"}, {**failed, "thread_id": "c"}], "next_cursor": None}
    monkeypatch.setitem(contract.ANSWERS, "/api/threads", page)
    _, first, second, third = cli("threads").stdout.splitlines()
    for part in (entry["thread_id"], "content-strategy", "AI in Education", "▶ running", "2/4", "marketer", "$0.01"):
        assert part in first
    assert "marketer waits for a gate (attempt 2)" in second
    assert "step draft: too slow [timeout]" in third


def test_the_list_is_printed_as_json(cli: Cli) -> None:
    assert json.loads(cli("threads", "--status", "failed,running", "--json").stdout) == {
        "threads": [examples_threads.ENTRY]
    }


def test_all_that_the_filters_leave_are_steered(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cli("threads", "--workflow", "orders", "--cancel", "--reason", "too late", "--limit", "5")
    assert service.state.asked == [
        (
            "POST /api/threads/cancel",
            {"where": {"workflow": "orders"}, "dry_run": False, "reason": "too late", "limit": 5},
        )
    ]
    assert "order-4711  order-4711 is running [thread_running]" in result.stdout.replace("thread order", "order")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "cancel: 1 threads, 1 refused")


def test_it_goes_on_until_nothing_is_left(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {**examples_threads.BULK, "refused": [], "more": True, "done": 0}
    monkeypatch.setitem(contract.ANSWERS, "/api/threads/resume", page)
    result = cli("threads", "--all", "--resume")
    assert len(service.state.asked) == 1
    assert result.stdout.splitlines() == ["resume: 0 threads, 0 refused", "there are more: ask again for them"]


def test_it_asks_on_behind_the_threads_before(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {**examples_threads.BULK, "refused": [], "more": True, "done": 1, "next_cursor": "there"}
    monkeypatch.setitem(contract.ANSWERS, "/api/threads/resume", page)
    result = cli("threads", "--all", "--resume")
    sent = {"where": {}, "dry_run": False}
    route = "POST /api/threads/resume"
    assert service.state.asked == [(route, sent), (route, {**sent, "cursor": "there"})]
    assert result.stdout.splitlines() == ["resume: 2 threads, 0 refused", "there are more: ask again for them"]


def test_a_dry_run_names_the_threads(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {**examples_threads.BULK, "refused": [], "dry_run": True, "done": 0, "thread_ids": ["a", "b"]}
    monkeypatch.setitem(contract.ANSWERS, "/api/threads/pause", page)
    result = cli("threads", "--text", "x", "--children", "--pause", "--dry-run")
    sent = {"where": {"text": "x", "children": True}, "dry_run": True}
    assert service.state.asked == [("POST /api/threads/pause", sent)]
    told = "pause: 2 threads, and 0 would refuse; nothing has been changed"
    assert (result.exit_code, result.stdout.splitlines()) == (0, ["a", "b", told])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "--cancel", "--all"], "say one of --resume and --cancel"),
        (["--cancel"], "--all would cancel every thread"),
        (["--dry-run"], "go with --resume"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, service: Service, arguments: list[str], said: Any) -> None:
    result = cli("threads", *arguments)
    assert (result.exit_code, service.state.asked) == (2, [])
    assert said in " ".join(result.stderr.replace("│", " ").split())
