"""Items, usage, limits and dry runs on the command line; what a watcher is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.cli.remarks import Hints
from app.client import Event
from tests.cli.contract import AT, THREAD, event
from tests.cli.test_progress import drawn, seen

if TYPE_CHECKING:
    from tests.cli.conftest import Cli
    from tests.cli.contract import Service

OVER = {"reason": "max_cost_usd", "limit": 2.0, "spent": 2.5}


def sent(service: Service, path: str) -> Any:
    return [body for asked, body in service.state.asked if asked == f"POST {path}"][-1]


def test_a_resume_raises_limits(cli: Cli, service: Service) -> None:
    cli("resume", THREAD, "--max-cost-usd", "5", "--max-tokens", "1000", "--deadline", "2h")
    body = sent(service, f"/api/invoke/resume/{THREAD}")
    assert body == {"limits": {"max_cost_usd": 5.0, "max_tokens": 1000, "deadline": "2h"}}


def test_a_dry_run_says_in_numbers_what_cannot_be_undone(cli: Cli, service: Service) -> None:
    out = cli("rollback", THREAD, "--to", "2", "--dry-run").stdout
    assert sent(service, f"/api/invoke/rollback/{THREAD}") == {"to_version": 2, "resume": True, "dry_run": True}
    assert "2 of its step runs are undone" in out
    assert "1 cannot be undone, 1 can be with --compensate" in out
    lines = {line.split()[0]: line for line in out.splitlines()[3:5]}
    assert "cannot be undone" in lines["publish"]
    assert "has a compensation" in lines["reserve"]


def test_a_dry_run_asks_for_what_is_meant_and_tells_what_is_undone_first(cli: Cli, service: Service) -> None:
    meant = ("--compensate", "--no-resume", "--set", "mood=bad", "--override", 'b={"agent":"x"}')
    out = cli("rollback", THREAD, "--to", "2", "--dry-run", *meant).stdout
    body = sent(service, f"/api/invoke/rollback/{THREAD}")
    how = {"to_version": 2, "resume": False, "dry_run": True, "compensate": True}
    assert body == how | {"context": {"mood": "bad"}, "overrides": {"b": {"agent": "x"}}}
    assert "runs first: reserve.undo" in out
    assert "runs once it is resumed: reserve, publish" in out


def test_a_rollback_is_told_to_compensate(cli: Cli, service: Service) -> None:
    cli("rollback", THREAD, "--to", "2", "--compensate")
    assert sent(service, f"/api/invoke/rollback/{THREAD}") == {"to_version": 2, "resume": True, "compensate": True}


def test_items_are_a_table_below_their_counts(cli: Cli) -> None:
    out = cli("items", THREAD, "read").stdout
    assert "7 of 40 completed, 0 failed, 1 waiting" in out
    assert "--cursor 1" in out


def test_usage_ends_with_the_total(cli: Cli) -> None:
    lines = cli("usage", "--by", "agent,day").stdout.splitlines()
    assert lines[1].split() == ["2026-11-21", "writer", "12", "9,120", "2,400", "0.0231"]
    assert lines[-1].split() == ["total", "12", "9,120", "2,400", "0.0231"]


def test_watch_tells_of_items_void_text_and_why_it_pauses(cli: Cli, service: Service) -> None:
    refused = {"kind": "refused", "message": "no"}
    service.state.events = [
        event(1, "workflow_start"),
        event(2, "step_progress", "analyst", progress=0.5, message="5 of 10 items"),
        event(3, "item_failed", "analyst", index=3, error=refused),
        event(4, "attempt_discarded", "marketer"),
        event(5, "step_failed", "marketer", error=refused, caught=True),
        event(6, "workflow_paused", **OVER),
        event(7, "workflow_complete"),
    ]
    result = cli("watch", THREAD)
    for told in (
        "50% 5 of 10 items",
        "analyst (llm)  item 3: no [refused]",
        "the text shown so far is void",
        "no [refused] (the workflow goes on)",
        "reached its limit: 2.5 US dollars of 2 US dollars",
    ):
        assert told in result.stdout
    assert result.stderr == ""


def test_a_retry_of_an_item_is_no_retry_of_its_step() -> None:
    retry = event(3, "step_retry", "analyst", index=4, error={"kind": "timeout", "message": "slow"}) | {"attempt": 2}
    progress = seen(event(1, "workflow_start"), event(2, "step_start", "analyst"), retry)
    assert (progress.steps["analyst"].status, progress.steps["analyst"].attempt) == ("running", 1)
    assert "item 4: slow [timeout]" in drawn(progress)[1]


def test_a_pause_over_a_limit_stands_below_the_steps() -> None:
    progress = seen(event(1, "workflow_start"), event(2, "workflow_paused", **OVER))
    assert drawn(progress)[-1] == "reached its limit: 2.5 US dollars of 2 US dollars"


def taken(hints: Hints, body: dict[str, Any]) -> list[str]:
    return hints.take(Event(name=body["event"], seq=body["seq"], body=body))


def test_a_gate_brings_the_command_that_answers_until_it_is_answered() -> None:
    hints, form = Hints(THREAD, None), {"type": "object", "required": ["approved"]}
    [hint] = taken(hints, event(1, "gate_waiting", "approve", form=form, item=2, round=0))
    assert hint.endswith(f"answer {THREAD} approve --item 2 --set approved=...")
    assert hints.lines == [hint]
    assert taken(hints, event(2, "gate_answered", "approve", by="ana")) == []
    assert hints.lines == []


@pytest.mark.parametrize(
    ("form", "how"),
    [(None, "--answer JSON"), ({"properties": {"a": {}, "b": {}}}, "--set a=... --set b=..."), (True, "--answer JSON")],
)
def test_how_an_answer_is_given_depends_on_the_form(form: Any, how: str) -> None:
    [hint] = taken(Hints(THREAD, "http://there"), event(1, "gate_waiting", "approve", form=form, round=1))
    assert hint.endswith(f"answer {THREAD} approve --round 1 {how} --url http://there")


def test_a_pause_over_a_limit_brings_the_command_that_goes_on() -> None:
    hints = Hints(THREAD, None)
    [hint] = taken(hints, event(1, "workflow_paused", **OVER))
    assert hint.endswith(f"resume {THREAD} --max-cost-usd ...")
    taken(hints, event(2, "workflow_resumed"))
    assert hints.lines == []


def test_a_gate_that_was_open_before_is_told_once(cli: Cli, service: Service) -> None:
    document = service.state.document()
    document["steps"][1] |= {"status": "waiting", "gate": {"title": "Publish?", "round": 0, "form": None}}
    document["last_seq"] = 2
    service.state.document = lambda: document
    service.state.events = [
        event(1, "workflow_start"),
        event(2, "gate_waiting", "marketer", title="Publish?", round=0, item=None),
        event(3, "workflow_complete"),
    ]
    assert cli("watch", THREAD).stderr.count(f"answer {THREAD} marketer") == 1


def test_status_shows_the_thread_of_a_sub_workflow(cli: Cli, service: Service) -> None:
    document = service.state.document()
    document["steps"][1] |= {"status": "waiting", "session_id": "sub:1f", "started_at": AT.format(1)}
    service.state.document = lambda: document
    assert "thread sub:1f" in cli("status", THREAD).stdout
