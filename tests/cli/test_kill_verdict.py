"""What `verify --kill-points` takes for a fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.cli.kill_verdict import End, Measure, Seen, Told, differences, faults, is_under, plain, ran_again

T = "verify-1"
KEY = f"{T}:01a2:first"
RECORD = ("run-1", "completed", 1)


def told(seq: int, name: str, step: str | None = None) -> Told:
    return Told(seq=seq, name=name, step=step, text=f"{seq} {name}")


def seen(**given: Any) -> Seen:
    events = [told(1, "workflow_start"), told(2, "step_complete", "first"), told(3, "workflow_complete")]
    whole = {
        "versions": {T: [1, 2, 3]}, "events": {T: events}, "executions": {T: 1}, "ended": {KEY: RECORD},
        "parts": {f"{KEY}:0"},
    }  # fmt: skip
    return Seen(**{**whole, **given})


END = End(seen=seen(), document={"output": {"n": 1}})
MEASURE = Measure(end=END, others=[END])
CUT = seen(versions={T: [1, 2]}, events={T: seen().events[T][:2]})


def judged(end: End = END, *, attempts: tuple[str, ...] = (), measure: Measure = MEASURE) -> list[str]:
    return faults(measure, CUT, end, attempts)


def with_events(*events: Told) -> End:
    return End(seen=seen(events={T: list(events)}), document=END.document)


def test_a_run_that_came_to_the_same_end_has_no_fault() -> None:
    assert judged(attempts=(f"{T}:01a2:second", f"{KEY}x")) == []


RESUMED = [told(1, "workflow_start"), told(2, "step_complete", "first"), told(3, "workflow_resumed")]


def test_that_it_was_resumed_is_no_fault() -> None:
    assert judged(with_events(*RESUMED, told(4, "workflow_complete"))) == []


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (End(seen=seen(), document={"output": {"n": 2}}), "the end state differs at /output/n: 2 instead of 1"),
        (End(seen=seen(), document={"output": {"n": 1.0}}), "the end state differs at /output/n: 1.0 instead of 1"),
        (End(seen=seen(versions={T: [1, 2, 4]}), document=END.document), "without a gap: [1, 2, 4]"),
        (End(seen=seen(executions={T: 2}), document=END.document), "started more than once"),
        (End(seen=seen(ended={KEY: ("run-2",)}), document=END.document), "had been committed and is another now"),
        (End(seen=seen(parts=set()), document=END.document), "items that had been committed are lost"),
        (
            End(seen=seen(versions={T: [1]}), document=END.document),
            "versions of verify-1 that had been written are lost",
        ),
        (with_events(*RESUMED[:2], told(4, "workflow_complete")), "do not run 1, 2, 3"),
        (with_events(RESUMED[0], told(2, "step_start", "first"), RESUMED[2]), "had been written are lost or changed"),
        (with_events(*RESUMED), "0 events workflow_complete instead of 1"),
        (with_events(*RESUMED[:2], told(3, "step_complete", "first")), "2 events step_complete of first instead of 1"),
    ],
)
def test_a_fault_is_told(end: End, fault: str) -> None:
    assert any(fault in one for one in judged(end)), judged(end)


@pytest.mark.parametrize("key", [KEY, f"{KEY}:0", f"{KEY}:7"])
def test_a_step_that_was_committed_and_is_tried_again_is_a_fault(key: str) -> None:
    assert "had been committed and ran again" in judged(attempts=(key,))[0]


def test_an_item_of_a_step_that_goes_on_may_be_tried_and_one_that_ended_may_not() -> None:
    going = seen(ended={}, parts={f"{KEY}:0"})
    assert ran_again(going, [f"{KEY}:1", KEY]) == []
    assert len(ran_again(going, [f"{KEY}:0"])) == 1


def test_where_two_undisturbed_runs_differ_nothing_is_compared() -> None:
    other = replace(END, document={"output": {"n": 5}})
    assert judged(End(seen=seen(), document={"output": {"n": 9}}), measure=Measure(end=END, others=[END, other])) == []


def test_what_is_to_be_ignored_is_not_compared() -> None:
    measure = Measure(end=END, others=[END], skip=["/*/n"])
    assert judged(End(seen=seen(), document={"output": {"n": 9}}), measure=measure) == []


def test_ids_and_times_are_compared_as_such() -> None:
    one = {"key": f"{T}:01a200c9-e20f-7000-9f01-50bd400df097:first", "at": ["2026-11-22T01:06:00.217Z"], "n": 3}
    assert plain(one, T) == {"key": "{thread}:{uuid}:first", "at": ["{time}"], "n": 3}


def test_differences_are_pointers_to_the_smallest_parts() -> None:
    one: dict[str, Any] = {"a/b": [1, {"c": True}], "d": [1], "e": 1, "f": None}
    other: dict[str, Any] = {"a/b": [1, {"c": 1}], "d": [1, 2], "f": None}
    assert [path for path, _, _ in differences(one, other)] == ["/a~1b/1/c", "/d", "/e"]


def test_a_path_is_under_a_pointer_of_whole_parts() -> None:
    assert is_under("/steps/a/output", ["/steps/*"])
    assert not is_under("/stepsx", ["/steps"])
