"""What becomes of steps: versions, order, skipping, variables, outputs, and every way of failing."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.runner import StepFailure
from tests.unit.engine.house import QUICK, Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def output(house: House, thread_id: str) -> Any:
    return json.loads((await house.execution(thread_id)).output or "null")


async def error(house: House, thread_id: str) -> dict[str, Any]:
    return json.loads((await house.execution(thread_id)).error or "{}")


async def test_n_steps_leave_n_plus_two_versions(house: House) -> None:
    thread_id = await house.run(*(step(f"s{i}", input={"n": i}) for i in range(5)))
    versions = await house.versions(thread_id)
    assert [version.version for version in versions] == [1, 2, 3, 4, 5, 6, 7]
    assert [version.step_id for version in versions] == ["START", "s0", "s1", "s2", "s3", "s4", "END"]
    assert [version.parent_version for version in versions] == [None, 1, 2, 3, 4, 5, 6]


async def test_parallel_steps_run_at_once_and_each_writes_a_version(house: House) -> None:
    gates = {name: Gate(name) for name in "ab"}
    for name, gate in gates.items():
        house.on(name, gate)
    started = await house.start(step("a", python="a", needs=[]), step("b", python="b", needs=[]))
    await house.until(lambda: all(gate.entered for gate in gates.values()))
    for gate in gates.values():
        gate.open()
    thread_id = await house.end(started.thread.thread_id)
    assert len(await house.versions(thread_id)) == 4
    assert await output(house, thread_id) == {"a": "a", "b": "b"}


async def test_a_failing_step_does_not_tear_down_its_sibling_whose_result_is_kept(house: House) -> None:
    gate = Gate("kept")
    house.on("slow", gate)
    house.on("bad", Failing(StepFailure("no", retryable=False)))
    started = await house.start(
        step("slow", python="slow", needs=[]), step("bad", python="bad", needs=[]), step("after", needs=["slow"])
    )
    thread_id = started.thread.thread_id
    await house.until(lambda: any(e.name == "step_failed" for e in house.tables.events[thread_id]))
    gate.open()
    await house.end(thread_id)
    rows = await house.steps(thread_id)
    assert {name: row.status for name, row in rows.items()} == {"slow": "completed", "bad": "failed"}
    assert rows["slow"].output == '"kept"'


async def test_once_a_thread_is_to_fail_nothing_is_tried_again(house: House) -> None:
    gate = Gate()

    async def late(value: Any, ctx: Any) -> None:
        await gate(value, ctx)
        raise ValueError("may get better")

    house.on("late", late)
    house.on("bad", Failing(StepFailure("no", retryable=False)))
    started = await house.start(step("late", python="late", needs=[], retry=QUICK), step("bad", python="bad", needs=[]))
    thread_id = started.thread.thread_id
    await house.until(lambda: any(e.name == "step_failed" for e in house.tables.events[thread_id]))
    gate.open()
    await house.end(thread_id)
    assert (await house.steps(thread_id))["late"].status == "failed"
    assert "step_retry" not in await house.names(thread_id)
    assert (await error(house, thread_id))["step_id"] == "bad"


async def test_a_failure_that_may_get_better_is_tried_again_in_the_same_step_run(house: House) -> None:
    house.on("flaky", Failing(ValueError("not yet"), times=2))
    thread_id = await house.run(step("s", python="flaky", retry=QUICK))
    row = (await house.steps(thread_id))["s"]
    assert (row.status, row.attempt, row.retry_count) == ("completed", 3, 2)
    assert [call[2] for call in house.calls] == [1, 2, 3]
    assert len(set(house.keys("s"))) == 1
    told = await house.events(thread_id, "step_retry")
    assert [event.attempt for event in told] == [2, 3]
    assert (await house.names(thread_id)).count("step_start") == 1


async def test_attempts_are_spent_only_up_to_the_limit(house: House) -> None:
    house.on("bad", Failing(ValueError("never")))
    thread_id = await house.run(step("s", python="bad", retry={**QUICK, "max_attempts": 2}))
    assert house.called("s") == 2
    assert await error(house, thread_id) == {
        "kind": "exception",
        "message": "ValueError: never",
        "step_id": "s",
        "retryable": True,
    }


async def test_a_final_failure_is_not_tried_again(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", kind="refused", retryable=False)))
    thread_id = await house.run(step("s", python="bad", retry=QUICK))
    assert house.called("s") == 1
    assert (await error(house, thread_id))["kind"] == "refused"


async def test_a_long_wait_for_a_retry_needs_no_slot_and_ends_on_time(house: House) -> None:
    house.on("flaky", Failing(ValueError("not yet"), times=1))
    started = await house.start(
        step("s", python="flaky", retry={"initial_interval": 60, "max_interval": 60, "jitter": False})
    )
    thread_id = started.thread.thread_id
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: house.worker.free == 10)
    house.later(61)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["s"].attempt == 2


async def test_a_timeout_ends_the_attempt_and_is_retryable(house: House) -> None:
    house.on("slow", Gate())
    thread_id = await house.run(step("s", python="slow", timeout=0.01, retry={**QUICK, "max_attempts": 2}))
    assert house.called("s") == 2
    assert (await error(house, thread_id))["kind"] == "timeout"


@pytest.mark.parametrize("raised", [ValueError("x"), SystemExit(3), asyncio.CancelledError()])
async def test_whatever_a_step_raises_is_a_failure_of_that_step_alone(house: House, raised: BaseException) -> None:
    house.on("bad", Failing(raised))
    thread_id = await house.run(step("s", python="bad", retry={"max_attempts": 1}))
    assert (await house.thread(thread_id)).status == "failed"
    assert (await error(house, thread_id))["kind"] == "exception"
    assert (await house.thread(await house.run(step("next")))).status == "completed"


class _Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this")


@pytest.mark.parametrize(
    "raised",
    [
        _Broken(),
        StepFailure("x", kind="\ud800\x00"),
        StepFailure("\ud800"),
        StepFailure("x", retry_after="soon"),  # pyright: ignore[reportArgumentType]
        StepFailure("x", kind=7),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_a_failure_that_is_itself_broken_is_still_told(house: House, raised: Exception) -> None:
    house.on("bad", Failing(raised))
    thread_id = await house.run(step("s", python="bad", retry={"max_attempts": 1}))
    assert (await house.thread(thread_id)).status == "failed"
    assert (await error(house, thread_id))["step_id"] == "s"


@pytest.mark.parametrize("value", [float("nan"), {"a": object()}, "\ud800", {1: 2}, {1, 2}])
async def test_an_output_that_json_cannot_carry_fails_the_step_for_good(house: House, value: Any) -> None:
    async def odd(_: Any, __: Any) -> Any:
        return value

    house.on("odd", odd)
    thread_id = await house.run(step("s", python="odd", retry=QUICK))
    assert (await error(house, thread_id))["kind"] == "invalid_output"
    assert house.called("s") == 1


async def test_an_output_over_the_limit_fails_the_step_for_good(house: House) -> None:
    async def long(_: Any, __: Any) -> str:
        return "x" * 20_000

    house.on("long", long)
    thread_id = await house.run(step("s", python="long", retry=QUICK))
    assert (await error(house, thread_id))["kind"] == "output_too_large"
    assert house.called("s") == 1


async def test_a_false_condition_skips_with_a_version_and_null(house: House) -> None:
    thread_id = await house.run(
        step("a", input=1), step("b", when="a.output > 5"), step("c", input={"b": "{b.output}"})
    )
    assert [version.step_id for version in await house.versions(thread_id)] == ["START", "a", "b", "c", "END"]
    assert await output(house, thread_id) == {"c": {"b": None}}
    assert (await house.steps(thread_id))["b"].status == "skipped"


async def test_a_variable_is_the_output_by_reference(house: House) -> None:
    thread_id = await house.run(
        step("a", input={"long": "x"}, assign="insight"), step("b", input={"it": "{context.insight.long}"})
    )
    assert await output(house, thread_id) == {"b": {"it": "x"}}
    run = (await house.steps(thread_id))["a"].id
    assert (await house.control.load_refs(thread_id, 2)).context == {"insight": ("run", run)}


async def test_without_an_output_it_is_what_the_leaves_gave(house: House) -> None:
    thread_id = await house.run(step("a", input=1), step("b", input=2, needs=["a"]), step("c", input=3, needs=["a"]))
    assert await output(house, thread_id) == {"b": 2, "c": 3}


async def test_an_output_that_cannot_be_made_fails_the_thread(house: House) -> None:
    thread_id = await house.run(step("a", input={}), doc_output={"x": "{a.output.missing}"})
    assert (await house.thread(thread_id)).status == "failed"
    assert (await error(house, thread_id))["kind"] == "expression"
    assert "END" not in [version.step_id for version in await house.versions(thread_id)]


async def test_an_input_that_cannot_be_made_fails_the_step_before_it_runs(house: House) -> None:
    thread_id = await house.run(step("a", input={}), step("b", input="{a.output.missing}"))
    assert (await error(house, thread_id))["kind"] == "expression"
    assert house.called("b") == 0
    assert (await house.steps(thread_id))["b"].status == "failed"


async def test_an_input_nested_too_deep_fails_the_step_not_the_engine(house: House) -> None:
    async def deep(_: Any, __: Any) -> Any:
        value: list[Any] = []
        for _level in range(190):
            value = [value]
        return value

    house.on("deep", deep)
    nested: Any = "{a.output}"
    for _ in range(80):
        nested = [nested]
    thread_id = await house.run(step("a", python="deep"), step("b", input=nested))
    assert (await house.thread(thread_id)).status == "failed"
    assert (await error(house, thread_id))["step_id"] == "b"


async def test_a_value_that_a_step_changes_is_changed_for_nobody_else(house: House) -> None:
    async def vandal(value: Any, _: Any) -> str:
        value["topic"] = "mine"
        return "done"

    house.on("vandal", vandal)
    thread_id = await house.run(
        step("a", python="vandal"), step("b", input="{input.topic}"), input={"topic": "ours"}, doc_output="{b.output}"
    )
    assert await output(house, thread_id) == "ours"


async def test_a_step_that_swallows_its_timeout_is_left_behind_after_the_grace() -> None:
    done = asyncio.Event()

    async def deaf(_: Any, __: Any) -> str:
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    async with open_house(grace=0.05) as house:
        house.on("deaf", deaf)
        thread_id = await house.run(step("s", python="deaf", timeout=0.01, retry={"max_attempts": 1}))
        assert (await error(house, thread_id))["kind"] == "timeout"
        await house.until(lambda: house.worker.free == 10)
        done.set()


async def test_a_big_output_is_written_and_read_off_the_loop(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    writers: set[int] = set()
    dumps = jsontext.dumps

    def noted(value: Any) -> str:
        writers.add(threading.get_ident())
        return dumps(value)

    monkeypatch.setattr("app.engine.step.jsontext.dumps", noted)
    await house.run(step("small", input="x" * 1_000))
    assert writers == {threading.get_ident()}
    monkeypatch.setattr("app.engine.step.BIG_JSON", 500)
    thread_id = await house.run(step("big", input="x" * 1_000))
    assert writers - {threading.get_ident()}
    assert await output(house, thread_id) == {"big": "x" * 1_000}
