"""The live view: what a watcher in a terminal sees."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from app.cli.progress import Progress
from app.client import Event
from tests.cli.contract import State, event, script


def seen(*bodies: dict[str, Any], snapshot_seq: int = 0) -> Progress:
    progress = Progress()
    document: dict[str, Any] = {**State().document(), "last_seq": snapshot_seq}
    if not snapshot_seq:
        for step in document["steps"]:
            step.update(status="pending", duration_ms=None)
    progress.apply(Event(name="snapshot", seq=None, body=document))
    for body in bodies:
        progress.apply(Event(name=body["event"], seq=body["seq"], body=body))
    return progress


def drawn(progress: Progress, height: int = 24) -> list[str]:
    out = StringIO()
    Console(file=out, width=100).print(progress.draw(height))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_each_step_is_one_line_with_mark_agent_duration_and_message() -> None:
    head, analyst, marketer = drawn(seen(*script()[:4]))
    assert head == "content-strategy  ▶ running"
    assert analyst.split() == ["✓", "analyst", "llm", "2.0", "s"]
    assert marketer.split() == ["·", "marketer", "llm"]


def test_a_retry_shows_its_attempt_and_why() -> None:
    retry = script()[5] | {"attempt": 2}
    line = drawn(seen(*script()[:5], retry))[2]
    assert "↻ marketer" in line
    assert "attempt 2" in line
    assert "too slow [timeout]" in line


def test_events_that_the_snapshot_covers_change_nothing() -> None:
    progress = seen(*script()[:2], snapshot_seq=8)
    assert {line.status for line in progress.steps.values()} == {"completed"}


def test_a_rollback_asks_for_a_fresh_status() -> None:
    progress = seen(*script(), event(9, "workflow_rolled_back"))
    assert progress.stale
    progress.take(State().document())
    assert not progress.stale


def test_an_outage_is_shown_below_the_steps() -> None:
    progress = seen(*script()[:2])
    progress.outage = "reconnecting (refused)"
    assert drawn(progress)[-1] == "reconnecting (refused)"


def test_finished_steps_give_way_on_a_low_terminal() -> None:
    events = [event(n, "step_complete", f"s{n}") for n in range(1, 30)]
    progress = seen(event(1, "step_complete", "analyst"), event(2, "step_complete", "marketer"), *events[2:])
    lines = drawn(progress, height=10)
    assert len(lines) == 9
    assert "22 finished steps above" in lines[1]


def test_unknown_events_are_ignored() -> None:
    assert drawn(seen(event(1, "moon_rise", "analyst"))) == drawn(seen())
