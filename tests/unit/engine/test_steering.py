"""Resume, cancel, pause, run again: in every status, also while the thread runs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StepOverride
from app.domain.errors import Conflict, InvalidRequest
from app.domain.runner import StepFailure
from app.engine.run import Run
from tests.unit.engine.house import Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House

THREE = (step("a", input={"n": 1}), step("b", python="b", input={"of": "{a.output}"}), step("c"))


def once(error: str = "not yet") -> Failing:
    return Failing(StepFailure(error, retryable=False), times=1, answer="done")


async def numbers(house: House, thread_id: str) -> list[tuple[int, int | None]]:
    return [(version.version, version.parent_version) for version in await house.versions(thread_id)]


async def waiting_in(house: House, *steps: dict[str, Any], **options: Any) -> str:
    return (await house.start(*steps, **options)).thread.thread_id


async def test_resuming_a_failed_thread_runs_only_what_had_not_completed(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE)
    first = await house.execution(thread_id)
    accepted = await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert [house.called(name) for name in "abc"] == [1, 2, 1]
    assert accepted.execution_id != first.id
    assert await numbers(house, thread_id) == [(1, None), (2, 1), (3, 2), (4, 3), (5, 4)]


async def test_resuming_keeps_the_idempotency_key_of_what_had_not_completed(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE)
    first = await house.execution(thread_id)
    await house.resume(thread_id)
    await house.end(thread_id)
    assert house.keys("b") == [f"{thread_id}:{first.id}:b"] * 2
    assert house.keys("c") == [f"{thread_id}:{(await house.execution(thread_id)).id}:c"]


async def test_from_step_runs_it_and_its_dependents_again_with_new_keys(house: House) -> None:
    house.on("b", Failing(ValueError(), times=0))
    thread_id = await house.run(*THREE)
    await house.resume(thread_id, from_step="b")
    await house.end(thread_id)
    assert [house.called(name) for name in "abc"] == [1, 2, 2]
    assert len(set(house.keys("b"))) == len(set(house.keys("c"))) == 2


async def test_from_step_gives_also_what_had_failed_behind_it_a_new_key(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE)
    await house.resume(thread_id, from_step="a")
    await house.end(thread_id)
    assert len(set(house.keys("b"))) == 2


async def test_from_step_gives_a_variable_back_what_it_was_before(house: House) -> None:
    refine = {"input": "{context.text + '!'}", "assign": "text"}
    thread_id = await house.run(
        step("one", **refine), step("two", **refine), step("three", **refine), context={"text": "hm"}
    )
    for name, expected in (("three", "hm!!!"), ("two", "hm!!!"), ("one", "hm!!!")):
        await house.resume(thread_id, from_step=name)
        await house.end(thread_id)
        assert json.loads((await house.execution(thread_id)).context or "") == {"text": expected}


async def test_from_step_undoes_a_skip_that_was_given_before(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE)
    await house.resume(thread_id, skip={"b": "given"})
    await house.end(thread_id)
    await house.resume(thread_id, from_step="b")
    await house.end(thread_id)
    assert (await house.steps(thread_id))["b"].status == "completed"


async def test_a_skipped_step_has_the_output_that_was_given(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE[:2], step("c", input="{b.output}"))
    await house.resume(thread_id, skip={"b": {"any": "output"}})
    await house.end(thread_id)
    assert json.loads((await house.execution(thread_id)).output or "") == {"c": {"any": "output"}}
    assert house.called("b") == 1


async def test_an_override_changes_the_agent_and_merges_into_the_input(house: House) -> None:
    seen: list[Any] = []

    async def second(value: Any, _: Any) -> str:
        seen.append(value)
        return "by the second"

    house.on("first", once(), agent=True)
    house.on("second", second, agent=True)
    thread_id = await house.run(step("s", agent="first", input={"a": 1, "b": 2}))
    await house.resume(thread_id, overrides={"s": StepOverride(agent="second", input={"b": 3})})
    await house.end(thread_id)
    assert seen == [{"a": 1, "b": 3}]
    assert (await house.steps(thread_id))["s"].agent == "second"


async def test_another_expected_version_is_a_conflict(house: House) -> None:
    house.on("b", once())
    thread_id = await house.run(*THREE)
    for wish in (house.resume(thread_id, expected_version=1), house.rollback(thread_id, 1, expected_version=1)):
        with pytest.raises(Conflict) as caught:
            await wish
        assert caught.value.code == "version_conflict"
    assert (await house.resume(thread_id, expected_version=2)).from_version == 2


async def test_resuming_a_completed_thread_does_nothing(house: House) -> None:
    thread_id = await house.run(step("a"))
    before = await house.thread(thread_id)
    accepted = await house.resume(thread_id)
    assert (accepted.nothing_to_do, accepted.from_version) == (True, 3)
    assert await house.thread(thread_id) == before
    assert house.worker.free == 10


async def test_what_names_a_step_that_is_not_there_is_refused_of_a_completed_thread_too(house: House) -> None:
    thread_id = await house.run(step("a"))
    with pytest.raises(InvalidRequest, match="nope"):
        await house.resume(thread_id, skip={"nope": 1})


async def test_resuming_a_running_thread_is_a_conflict_that_costs_no_slot(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    thread_id = await waiting_in(house, *THREE)
    with pytest.raises(Conflict) as caught:
        await house.resume(thread_id)
    assert caught.value.code == "thread_running"
    gate.open()
    await house.end(thread_id)
    await house.until(lambda: house.worker.free == 10)


@pytest.mark.parametrize("status", ["pending", "running", "waiting", "paused"])
async def test_cancelling_ends_it_whatever_it_does_and_twice_is_a_conflict(status: str) -> None:
    async with open_house(slots=1) as house:
        gate = Gate()
        house.on("gate", gate)
        if status == "pending":
            await waiting_in(house, step("a", python="gate"))
        wait = step("s", sleep="1h") if status == "waiting" else step("s", python="gate")
        thread_id = await waiting_in(house, wait)
        if status == "paused":
            await house.control.pause(thread_id)
            gate.open()
        await house.until_status(thread_id, status)
        assert (await house.control.cancel(thread_id, "enough")).status == "cancelled"
        with pytest.raises(Conflict) as caught:
            await house.control.cancel(thread_id)
        assert caught.value.code == "thread_ended"
        rows = await house.steps(thread_id)
        assert all(row.completed_at is not None for row in rows.values())
        gate.open()
        await house.until(lambda: house.worker.free == 1)
        assert (await house.names(thread_id))[-1] == "workflow_cancelled"


async def test_pausing_lets_what_runs_end_and_starts_nothing_more(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    thread_id = await waiting_in(house, *THREE)
    await house.until(lambda: gate.entered)
    await house.control.pause(thread_id)
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "paused"
    assert (await house.names(thread_id))[-2:] == ["step_complete", "workflow_paused"]
    assert house.called("c") == 0


async def test_a_paused_thread_goes_on_in_the_same_execution(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    thread_id = await waiting_in(house, *THREE)
    await house.until(lambda: gate.entered)
    before = await house.control.pause(thread_id)
    gate.open()
    await house.end(thread_id)
    await house.resume(thread_id)
    await house.end(thread_id)
    now = await house.thread(thread_id)
    assert (now.status, now.execution_id) == ("completed", before.execution_id)


async def test_a_thread_that_waits_is_paused_at_once_and_still_waits_when_resumed(house: House) -> None:
    thread_id = await waiting_in(house, step("s", sleep="1h"), step("t"))
    await house.until_status(thread_id, "waiting")
    assert (await house.control.pause(thread_id)).status == "paused"
    await house.resume(thread_id)
    await house.until_status(thread_id, "waiting")
    house.later(3601)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_pause_that_comes_while_the_thread_parks_is_not_lost(house: House) -> None:
    async def wish(transition: Any) -> None:
        if transition.status == "waiting":
            house.journal.before_commit = None
            await house.control._stores.journal.signal(transition.thread_id, "pause")

    house.journal.before_commit = wish
    thread_id = await waiting_in(house, step("s", sleep="1h"))
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "paused"


async def test_pausing_while_a_retry_waits_keeps_the_attempts_spent(house: House) -> None:
    house.on("flaky", Failing(ValueError("x"), times=1))
    slow = {"initial_interval": 0.9, "jitter": False}
    thread_id = await waiting_in(house, step("s", python="flaky", retry=slow))
    await house.until(lambda: any(e.name == "step_retry" for e in house.tables.events[thread_id]))
    await house.control.pause(thread_id)
    await house.end(thread_id)
    house.clock.advance(5)
    await house.resume(thread_id)
    await house.end(thread_id)
    assert [call[2] for call in house.calls] == [1, 2]
    assert len(set(house.keys("s"))) == 1


async def test_a_retry_that_is_due_while_another_step_holds_the_pause_up_does_not_turn_in_circles(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, turns, launch = Gate(), 0, Run._launch

    def counted(self: Run) -> None:
        nonlocal turns
        turns += 1
        launch(self)

    house.on("held", gate)
    house.on("flaky", Failing(ValueError("x"), times=1))
    soon = {"initial_interval": 0.9, "jitter": False}  # time for the pause to come first
    thread_id = await waiting_in(house, step("a", python="held"), step("b", python="flaky", needs=[], retry=soon))
    await house.until(lambda: gate.entered and any(e.name == "step_retry" for e in house.tables.events[thread_id]))
    await house.control.pause(thread_id)
    monkeypatch.setattr(Run, "_launch", counted)
    await asyncio.sleep(1.0)
    assert turns < 5
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "paused"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_an_ended_thread_with_new_input_begins_anew_and_keeps_its_context(house: House) -> None:
    steps = (step("a", input="{input.n}", assign="last"), step("b", input="{context.old}"))
    thread_id = await house.run(*steps, input={"n": 1}, thread_id="mine", context={"old": "kept"})
    first = await house.execution(thread_id)
    accepted = await house.start(*steps, input={"n": 2}, thread_id="mine")
    await house.end(thread_id)
    assert (accepted.created, accepted.from_version) == (False, 4)
    assert accepted.execution_id != first.id
    versions = await house.versions(thread_id)
    assert [(v.version, v.parent_version, v.step_id) for v in versions[4:6]] == [(5, 4, "START"), (6, 5, "a")]
    assert json.loads((await house.execution(thread_id)).context or "") == {"last": 2, "old": "kept"}
