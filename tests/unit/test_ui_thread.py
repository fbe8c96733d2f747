"""What the page of a thread makes of events and of its timeline (pure modules in app/ui/js/pages/thread), tried under node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

NODE: Final = shutil.which("node")
PAGE: Final = Path(__file__).parents[2] / "app/ui/js/pages/thread"
ASK: Final = """
const [module, work, given] = process.argv.slice(1);
const found = new Function("it", "given", `return ${work}`)(await import(module), JSON.parse(given));
console.log(JSON.stringify(found));
"""
STEP: Final = {"id": "a", "status": "pending", "attempt": 0, "retry_count": 0, "started_at": None, "error": None}
STATUS: Final = {"status": "pending", "version": 1, "last_seq": 1, "steps": [STEP], "error": None, "started_at": None}


def told(module: str, work: str, given: Any) -> Any:
    """What an expression over the module `it` and `given` gives."""
    if NODE is None:
        pytest.skip("needs node")
    source = "data:text/javascript," + quote((PAGE / module).read_text(encoding="utf-8"))
    command = [NODE, "--input-type=module", "-e", ASK, source, work, json.dumps(given)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def event(seq: int, name: str, step: str | None = None, **data: Any) -> dict[str, Any]:
    """One as a stream tells it."""
    at = f"2026-11-22T10:00:{seq:02}.000Z"
    return {"seq": seq, "event": name, "step_id": step, "attempt": 1, "version": 1, "at": at, "data": data}


def after(*events: dict[str, Any], **status: Any) -> dict[str, Any]:
    """The status document after the events."""
    return told("apply.js", "it.applied(given[0], given[1])", [STATUS | status, events])


def lane(*spans: tuple[int, int | None]) -> dict[str, Any]:
    """A step's lane that ran in those times."""
    return {"kind": "step", "spans": [{"state": "running", "from": begin, "to": end} for begin, end in spans]}


def test_a_step_that_begins_makes_its_thread_run_and_its_end_has_a_duration() -> None:
    found = after(event(2, "step_start", "a"), event(5, "step_complete", "a", progress=1))
    assert (found["status"], found["last_seq"], found["progress"]) == ("running", 5, 1)
    assert (found["steps"][0]["status"], found["steps"][0]["duration_ms"]) == ("completed", 3000)


def test_a_thread_waits_once_all_that_it_does_is_wait() -> None:
    begun = [event(2, "step_start", "a"), event(3, "step_start", "b")]
    both = [STEP, STEP | {"id": "b"}]
    assert after(*begun, event(4, "gate_waiting", "a"), steps=both)["status"] == "running"
    assert (
        after(*begun, event(4, "gate_waiting", "a"), event(5, "gate_waiting", "b"), steps=both)["status"] == "waiting"
    )


def test_a_step_of_a_workflow_in_python_is_known_when_it_begins_and_what_undoes_one_is_none() -> None:
    found = after(event(2, "step_start", "look_2"), event(3, "step_start", "a.undo", compensates="a"))
    assert [step["id"] for step in found["steps"]] == ["a", "look_2"]


def test_what_is_said_of_an_item_changes_no_step() -> None:
    found = after(event(2, "step_start", "a"), event(3, "step_retry", "a", index=4, delay_ms=10))
    assert (found["steps"][0]["status"], found["last_seq"]) == ("running", 3)


def test_waits_are_folded_that_are_long_in_themselves_and_beside_a_rest_that_fills_a_picture() -> None:
    work = "it.idle(given, 0, 100_000, 100_000)"
    assert told("timeline/fold.js", work, [lane((0, 30_000), (60_000, None))]) == []
    assert told("timeline/fold.js", work, [lane((0, 1000), (99_000, None))]) == [{"from": 1000, "to": 99_000}]
    assert told("timeline/fold.js", work, [lane()]) == []
    # Some ms of work are not drawn as if they were long, and a short wait stands in its own measure.
    assert told("timeline/fold.js", work, [lane((0, 36))]) == []
    assert told("timeline/fold.js", "it.idle(given, 0, 59_000, 59_000)", [lane((0, 2000))]) == []
    assert told("timeline/fold.js", work, [lane((2000, 2036))]) == [{"from": 2036, "to": 100_000}]


def test_a_fold_takes_its_share_and_time_beside_it_keeps_its_measure() -> None:
    laid = "(({ warp, folds }) => [warp(500), warp(99_500) - warp(99_100), warp(100_000), folds.length])"
    work = f"{laid}(it.folding(given, 100_000))"
    begun, kept, end, folds = told("timeline/fold.js", work, [{"from": 1000, "to": 99_000}])
    assert (begun, round(kept, 6), folds) == (500, 400, 1)
    assert 2000 < end < 2500


def test_ticks_keep_apart_and_tell_the_time_since_the_beginning() -> None:
    ticks = told("timeline/scale.js", "it.ticks([[given, given + 95_000]], 95_000, 800, given)", 1_700_000_000_123)
    assert [tick["label"] for tick in ticks][:6] == ["0", "10 s", "20 s", "30 s", "40 s", "50 s"]
    assert [tick["label"] for tick in ticks][6:8] == ["1:00", "1:10"]


@pytest.mark.parametrize(
    ("begin", "length"),
    [
        (0, 40),
        (2054, 40),
        (2054, 90),
        (59_990, 30),
        (3_599_000, 2000),
        (200_000_000, 400_000),
        (200_000_000, 9_000_000),
    ],
)
def test_no_two_ticks_say_the_same(begin: int, length: int) -> None:
    work = "it.ticks([given], given[1] - given[0], 840, 0).map((tick) => tick.label)"
    labels = told("timeline/scale.js", work, [begin, begin + length])
    assert len(labels) > 2
    assert len(set(labels)) == len(labels), labels


def test_what_came_before_a_wait_runs_no_more_and_a_lost_attempt_is_named() -> None:
    span = {"state": "running", "from": 0, "to": 36}
    looks = "given.map((span) => [it.lookOf(span), it.told(span)])"
    assert told("timeline/lanes.js", looks, [span, span | {"to": None}]) == [["completed", "ran"], ["running", "runs"]]
    attempt = {"state": "running", "attempt": 1, "started_at": "2026-11-22T10:00:01Z"}
    attempt |= {"ended_at": "2026-11-22T10:00:02Z", "outcome": "lost"}
    run = {"step_id": "a", "run_id": "r", "step_index": 0, "items": [], "spans": [attempt]}
    document = {"now": "2026-11-22T10:00:07Z", "executions": [], "steps": [run]}
    assert told("timeline/lanes.js", "it.lanesOf(given, [], new Set()).lost", document) is True


def test_runs_of_before_lie_in_their_step_s_lane_and_are_told_apart() -> None:
    span = {"state": "running", "attempt": 1, "outcome": "completed"}
    times = [("10:00:01", "10:00:02"), ("10:00:05", "10:00:06")]
    runs = [
        {"step_id": "a", "run_id": run, "step_index": 0, "items": [], "started_at": None}
        | {"spans": [span | {"started_at": f"2026-11-22T{begin}Z", "ended_at": f"2026-11-22T{end}Z"}]}
        for run, (begin, end) in zip(("r1", "r2"), times, strict=True)
    ]
    document = {"now": "2026-11-22T10:00:07Z", "executions": [], "steps": runs}
    steps = [{"id": "a", "started_at": "2026-11-22T10:00:05Z"}]
    work = "it.lanesOf(given[0], given[1], new Set()).lanes[1].spans.map((one) => [one.run, one.left])"
    assert told("timeline/lanes.js", work, [document, steps]) == [["r1", True], [None, False]]
    rolled_back = [{"id": "a", "started_at": None}]
    assert told("timeline/lanes.js", work, [document, rolled_back]) == [["r1", True], ["r2", True]]
