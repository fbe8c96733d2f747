"""`on_error`: threads that go on after a step has failed, and the steps that make its failure good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.domain.runner import StepFailure
from tests.unit.engine.house import Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def output(house: House, thread_id: str) -> Any:
    return json.loads((await house.execution(thread_id)).output or "null")


def broken(house: House, kind: str = "broken") -> None:
    house.on("broken", Failing(StepFailure("no", kind=kind, retryable=False)))


async def test_a_thread_goes_on_after_a_failure_that_was_foreseen(house: House) -> None:
    broken(house)
    after = step("after", input={"status": "{a.status}", "why": "{a.error.kind}", "output": "{a.output}"})
    thread_id = await house.run(step("a", python="broken", on_error="continue"), after)
    assert await output(house, thread_id) == {"after": {"status": "failed", "why": "broken", "output": None}}
    assert [version.step_id for version in await house.versions(thread_id)] == ["START", "a", "after", "END"]
    [failed] = await house.events(thread_id, "step_failed")
    assert json.loads(failed.data)["caught"] is True


async def test_a_failure_of_another_kind_fails_the_thread(house: House) -> None:
    broken(house)
    thread_id = await house.run(step("a", python="broken", on_error={"kinds": ["timeout"]}), step("after"))
    assert (await house.thread(thread_id)).status == "failed"


async def test_a_rescuer_runs_in_between_and_sees_the_error(house: House) -> None:
    broken(house)
    thread_id = await house.run(
        step("a", python="broken", on_error={"kinds": ["broken"], "run": "help"}),
        step("after", needs=["a"], input="{help.output}"),
        step("help", needs=[], input={"kind": "{error.kind}", "of": "{error.step_id}"}),
    )
    assert await output(house, thread_id) == {"after": {"kind": "broken", "of": "a"}}


async def test_a_rescuer_is_skipped_when_nothing_failed(house: House) -> None:
    thread_id = await house.run(step("a", on_error={"run": "help"}), step("help", input="{error}"), step("after"))
    assert (await house.thread(thread_id)).status == "completed"
    [skipped] = await house.events(thread_id, "step_skipped")
    assert (skipped.step_id, json.loads(skipped.data)["reason"]) == ("help", "nothing failed")


async def test_after_a_kill_the_thread_still_knows_what_was_caught() -> None:
    async with open_house() as house:
        broken(house)
        gate = Gate("helped")
        house.on("gate", gate)
        steps = [step("a", python="broken", on_error={"run": "help"}), step("help", python="gate")]
        thread_id = (await house.start(*steps, step("after", input="{a.error.message}"))).thread.thread_id
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id) == {"after": "no"}
            assert heir.called("a") == 1


async def test_an_item_that_fails_is_caught_like_any_step(house: House) -> None:
    broken(house)
    thread_id = await house.run(step("m", python="broken", for_each=[1], on_error="continue"), step("after"))
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_foreseen_failure_runs_again_when_a_resume_names_it(house: House) -> None:
    house.on("once", Failing(StepFailure("no", retryable=False), times=1, answer="well"))
    thread_id = await house.run(step("a", python="once", on_error="continue"), step("after", input="{a.output}"))
    await house.resume(thread_id, from_step="a")
    await house.end(thread_id)
    assert await output(house, thread_id) == {"after": "well"}
