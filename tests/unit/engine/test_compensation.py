"""Rollbacks that undo what they leave behind: what is told before, what runs, in which order, and what a crash repeats."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from app.domain.commands import RollbackCommand
from app.domain.runner import StepFailure
from app.domain.status import StepStatus
from tests.unit.engine.house import Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


def undoing(step_id: str, **parts: Any) -> dict[str, Any]:
    """A step whose work `undo` takes back; that gets the step's output."""
    return step(step_id, input={"made": step_id}, effect="irreversible", compensate={"python": "undo"}, **parts)


class Undo:
    """Notes what it is told to undo."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def __call__(self, value: Any, ctx: Any) -> str:
        self.given.append(value["made"])
        return "undone"


async def done(house: House, *steps: dict[str, Any]) -> tuple[str, Undo]:
    undo = Undo()
    house.on("undo", undo)
    return await house.run(*steps), undo


async def test_a_preview_tells_what_would_be_undone_the_latest_first(house: House) -> None:
    thread_id, undo = await done(house, step("a"), undoing("b"), step("c", effect="none"))
    before = await house.thread(thread_id)
    undone = (await house.control.ahead.rollback(RollbackCommand(thread_id=thread_id, to_version=2))).undone
    assert [(each.step_id, each.effect, each.compensate) for each in undone] == [
        ("c", "none", False), ("b", "irreversible", True)
    ]  # fmt: skip
    assert await house.thread(thread_id) == before
    assert undo.given == []


async def test_compensations_run_the_latest_first_and_before_anything_else(house: House) -> None:
    thread_id, undo = await done(house, step("a"), undoing("b"), undoing("c"))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert undo.given == ["c", "b"]
    order = [event.step_id for event in await house.events(thread_id, "step_complete")]
    assert order == ["a", "b", "c", "c.undo", "b.undo", "b", "c"]
    assert [version.step_id for version in await house.versions(thread_id)][5:] == ["b", "c", "END"]


async def test_without_being_asked_nothing_is_undone(house: House) -> None:
    thread_id, undo = await done(house, step("a"), undoing("b"))
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    assert undo.given == []


async def test_a_kept_step_is_not_undone(house: House) -> None:
    thread_id, undo = await done(house, undoing("a"), undoing("b"))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert undo.given == ["b"]


async def test_after_a_kill_what_has_been_undone_is_not_undone_again() -> None:
    async with open_house() as house:
        gate, undone = Gate(), []

        async def undo(value: Any, ctx: Any) -> None:
            undone.append((value["made"], ctx.idempotency_key))
            if value["made"] == "b":
                await gate(value, ctx)

        house.on("undo", undo)
        thread_id = await house.run(step("a"), undoing("b"), undoing("c"))
        await house.rollback(thread_id, 2, compensate=True)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert [made for made, _ in undone] == ["c", "b", "b"]
            assert undone[1][1] == undone[2][1]
            assert undone[1][1].endswith(":b.undo")
            assert (await heir.thread(thread_id)).status == "completed"


async def test_one_that_fails_stops_the_thread_and_a_resume_goes_on_with_it(house: House) -> None:
    house.on("undo", Failing(StepFailure("not now", retryable=False), times=1, answer="undone"))
    thread_id = await house.run(step("a"), undoing("b"))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    execution = await house.execution(thread_id)
    assert (execution.status, json.loads(execution.error or "{}")["step_id"]) == ("failed", "b.undo")
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert (house.called("b.undo"), len(set(house.keys("b.undo")))) == (2, 1)
    assert house.called("b") == 2


async def test_a_resume_does_not_undo_again_what_an_earlier_execution_has_undone(house: House) -> None:
    fails = [True]

    async def undo(value: Any, ctx: Any) -> None:
        if value["made"] == "b" and fails:
            fails.clear()
            raise StepFailure("not now", retryable=False)

    house.on("undo", undo)
    thread_id = await house.run(step("a"), undoing("b"), undoing("c"))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (house.called("c.undo"), house.called("b.undo")) == (1, 2)


async def test_one_that_fails_for_a_while_is_tried_again(house: House) -> None:
    retry = {"initial_interval": 0.001, "jitter": False}
    house.on("undo", Failing(StepFailure("not yet"), times=2, answer="undone"))
    undo = {"python": "undo", "retry": retry}
    thread_id = await house.run(step("a"), step("b", compensate=undo))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert house.called("b.undo") == 3
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_rollback_that_stays_paused_undoes_first_and_pauses_once(house: House) -> None:
    thread_id, undo = await done(house, step("a"), undoing("b"))
    await house.rollback(thread_id, 2, compensate=True, resume=False)
    await house.end(thread_id)
    assert (undo.given, (await house.thread(thread_id)).status) == (["b"], "paused")
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (undo.given, (await house.thread(thread_id)).status) == (["b"], "completed")


async def test_a_running_step_is_told_of_and_not_compensated(house: House) -> None:
    gate, undo = Gate({"made": "b"}), Undo()
    house.on("gate", gate)
    house.on("undo", undo)
    running = step("b", python="gate", compensate={"python": "undo"})
    thread_id = (await house.start(step("a"), running)).thread.thread_id
    await house.until(lambda: gate.entered)
    undone = (await house.control.ahead.rollback(RollbackCommand(thread_id=thread_id, to_version=2))).undone
    assert [(each.step_id, each.status) for each in undone] == [("b", StepStatus.RUNNING)]
    gate.open()
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert undo.given == []


async def test_what_undoes_sees_the_workflows_input_and_the_steps_output(house: House) -> None:
    undo = Undo()
    house.on("undo", undo)
    both = {"python": "undo", "input": {"made": ["{input.who}", "{output.made}"]}}
    thread_id = await house.run(step("a", input={"made": 7}, compensate=both), input={"who": "me"})
    await house.rollback(thread_id, 1, compensate=True)
    await house.end(thread_id)
    assert undo.given == [["me", 7]]


async def test_a_goodbye_during_the_last_compensation_keeps_the_thread_paused() -> None:
    async with open_house() as house:
        gate = Gate("undone")
        house.on("undo", gate)
        thread_id = await house.run(step("a"), undoing("b"))
        await house.rollback(thread_id, 2, compensate=True, resume=False)
        await house.until(lambda: gate.entered)
        asyncio.get_running_loop().call_later(0.01, gate.open)
    async with open_house(house) as heir:
        await heir.end(thread_id)
        assert ((await heir.thread(thread_id)).status, heir.called("b")) == ("paused", 1)


async def test_what_one_rollback_has_not_undone_the_next_one_does(house: House) -> None:
    undone: list[Any] = []
    fails = [True]

    async def undo(value: Any, ctx: Any) -> None:
        if value["made"] == "c" and fails:
            fails.clear()
            raise StepFailure("not now", retryable=False)
        undone.append(value["made"])

    house.on("undo", undo)
    thread_id = await house.run(step("a"), undoing("b"), undoing("c"))
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert undone == []
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    assert undone == ["c", "b"]


async def test_a_damaged_output_is_handed_to_no_compensation(house: House) -> None:
    thread_id, undo = await done(house, step("a"), undoing("b"))
    run = (await house.steps(thread_id))["b"]
    house.tables.runs[thread_id][run.id].output = '{"made":"something else"}'
    await house.rollback(thread_id, 2, compensate=True)
    await house.end(thread_id)
    assert json.loads((await house.execution(thread_id)).error or "{}")["kind"] == "state_corrupt"
    assert undo.given == []
