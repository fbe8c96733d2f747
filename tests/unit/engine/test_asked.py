"""What executions were asked for, when stored state is damaged: it is done all the same, or the thread stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.errors import Corrupt
from app.domain.status import Status
from tests.unit.engine.house import Failing, Gate, House, open_house, step
from tests.unit.engine.test_corruption import completed, damage_output, damage_version, die, held, inspector, told

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord

STEPS = [step("a", input="{context.x}"), step("b", input="{a.output}"), step("hold", python="hold")]


async def error_of(house: House, thread_id: str) -> dict[str, Any]:
    execution: ExecutionRecord = await house.execution(thread_id)
    return jsontext.loads(execution.error or "{}")


async def test_variables_that_an_earlier_rollback_set_are_not_lost_with_its_versions() -> None:
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *STEPS, input={}, context={"x": "old"})
        await house.rollback(thread_id, 1, context={"x": "new"})  # writes the versions 4 and 5
        await house.until(lambda: gate.entered == 2)
        await house.control.cancel(thread_id)
        await house.resume(thread_id)  # an execution without a version of its own
        await house.until(lambda: gate.entered == 3)
        await die(house, gate)
        damage_version(house, thread_id, 4)
        after = await completed(house, thread_id)
        assert (await told(after, thread_id))["to_version"] == 1
        assert (await after.steps(thread_id))["a"].output == '"new"'


async def test_steps_that_an_earlier_resume_was_to_run_again_run_again_when_their_versions_are_lost() -> None:
    async with open_house() as house:
        gate = Gate("held")
        thread_id = await held(house, gate, *STEPS, input={}, context={"x": 1})
        await house.control.cancel(thread_id)
        await house.resume(thread_id, from_step="b")  # writes version 4
        await house.until(lambda: gate.entered == 2)
        await house.control.cancel(thread_id)
        await house.resume(thread_id)
        await house.until(lambda: gate.entered == 3)
        await die(house, gate)
        damage_version(house, thread_id, 4)
        after = await completed(house, thread_id)
        assert sorted(one[0] for one in after.calls) == ["b", "hold"]


@pytest.fixture
def steps() -> list[dict[str, Any]]:
    """The first sets a variable that had a value before."""
    return [step("a", input={"n": "{input.n}"}, assign="x"), step("b", input="{context.x}")]


async def with_a_lost_value(house: House, steps: list[dict[str, Any]]) -> str:
    """A thread that has run twice; what the first run left in the variable `x`, which the head does not use, is damaged."""
    thread_id = await house.run(*steps, input={"n": 1}, thread_id="again")
    await house.start(*steps, input={"n": 2}, thread_id=thread_id)
    await house.end(thread_id)
    damage_output(house, thread_id, "a")
    return thread_id


async def test_a_variable_that_would_get_back_a_damaged_value_stops_the_thread(
    house: House, steps: list[dict[str, Any]]
) -> None:
    thread_id = await with_a_lost_value(house, steps)
    await house.resume(thread_id, from_step="a")
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status is Status.INTERRUPTED
    assert (await error_of(house, thread_id))["kind"] == "corrupt"
    assert len(await house.reads.quarantined(thread_id)) == 1


async def test_a_rollback_that_sets_it_goes_on(house: House, steps: list[dict[str, Any]]) -> None:
    thread_id = await with_a_lost_value(house, steps)
    start = next(one.version for one in await house.versions(thread_id) if one.version > 1 and one.step_id == "START")
    await house.rollback(thread_id, start, context={"x": None})
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status is Status.COMPLETED


@pytest.mark.parametrize("damaged", ["[]", '"x"', '{"reset":5}', "{", '{"reset":[],"context":{},"skip":{}}'])
async def test_what_cannot_be_told_any_more_is_a_damage_like_others(house: House, damaged: str) -> None:
    house.on("fails", Failing(RuntimeError("no")))
    thread_id = await house.run(step("a"), step("bad", python="fails", retry={"max_attempts": 1}))
    await house.resume(thread_id)
    await house.end(thread_id)
    head = (await house.thread(thread_id)).head_version
    house.tables.executions[(await house.thread(thread_id)).execution_id].parameters = damaged
    report = await inspector(house).verify(thread_id)
    assert (report.fit, [one.kind for one in report.findings]) == (False, ["missing"])
    assert (await house.control.head_refs(await house.thread(thread_id))).steps.keys() == {"a"}
    with pytest.raises(Corrupt):
        await house.resume(thread_id)
    await house.rollback(thread_id, head)
    await house.end(thread_id)
    assert (await error_of(house, thread_id))["kind"] == "exception"
    assert (await inspector(house).verify(thread_id)).fit


@pytest.mark.parametrize("part", ["keys", "overrides", "skip", "context", "quiet"])
async def test_each_part_of_it_is_checked(part: str) -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("hold", gate)
        thread_id = (await house.start(step("a"), step("hold", python="hold"))).thread.thread_id
        await house.until(lambda: gate.entered == 1)
        await house.die()
        good: dict[str, Any] = {"reset": [], "context": {}, "skip": {}, "overrides": {}, "keys": {}, "quiet": []}
        row = house.tables.executions[(await house.thread(thread_id)).execution_id]
        row.parameters = jsontext.dumps(good | {part: 5})
        async with open_house(house) as after:
            await after.end(thread_id)
            assert (await error_of(after, thread_id))["kind"] == "corrupt"
