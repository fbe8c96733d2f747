"""Workflows in Python: the same journal as for documents, and code that changed is found out."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StartCommand
from app.domain.document_code import document_of
from app.domain.errors import InvalidWorkflow
from app.domain.flow import StepFailed
from app.domain.runner import StepFailure
from app.runners.registration import workflow
from tests.unit.engine.house import QUICK, Failing, Gate, House, open_house

if TYPE_CHECKING:
    from collections.abc import Callable


async def begin(house: House, function: Callable[..., Any], given: Any = None) -> str:
    """Register it as `flow`, start it; the thread's id."""
    put(house, function)
    await house.control.register_code(document_of("flow", function))
    accepted = await house.control.start(StartCommand(workflow="flow", input=given, has_input=True))
    return accepted.thread.thread_id


def put(house: House, function: Callable[..., Any]) -> None:
    """This code stands for the workflow `flow` from now on."""
    house.functions.by_name.pop(("workflow", "flow"), None)
    house.functions.add(workflow("flow")(function))


async def done(house: House, function: Callable[..., Any], given: Any = None) -> str:
    return await house.end(await begin(house, function, given))


async def output(house: House, thread_id: str) -> Any:
    return json.loads((await house.execution(thread_id)).output or "null")


async def error(house: House, thread_id: str) -> dict[str, Any]:
    return json.loads((await house.execution(thread_id)).error or "{}")


async def three(ctx: Any, given: Any) -> Any:
    first = await ctx.step("first", python="echo", input={"n": given})
    second = await ctx.step("second", python="echo", input={"n": first["n"] + 1})
    return await ctx.step("third", python="echo", input={"n": second["n"] + 1})


async def test_each_step_leaves_a_version_and_the_function_gives_the_output(house: House) -> None:
    thread_id = await done(house, three, 1)
    assert await output(house, thread_id) == {"n": 3}
    assert [version.step_id for version in await house.versions(thread_id)] == [
        "START", "first", "second", "third", "END"
    ]  # fmt: skip
    assert [row.step_index for row in (await house.steps(thread_id)).values()] == [0, 1, 2]


async def test_values_with_braces_are_values(house: House) -> None:
    async def braces(ctx: Any, given: Any) -> Any:
        return await ctx.step("s", python="echo", input={"text": "{not.a.template} {{", "more": ["}"]})

    assert await output(house, await done(house, braces)) == {"text": "{not.a.template} {{", "more": ["}"]}


async def test_after_a_kill_completed_steps_answer_from_the_journal() -> None:
    async with open_house() as house:
        gate = Gate({"n": 7})
        house.on("gate", gate)

        async def flow(ctx: Any, given: Any) -> Any:
            first = await ctx.step("first", python="echo", input={"n": 1})
            second = await ctx.step("second", python="gate", input=first)
            return [first, second, await ctx.step("third", python="echo", input=second)]

        thread_id = await begin(house, flow)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id) == [{"n": 1}, {"n": 7}, {"n": 7}]
            assert len(heir.keys("second")) == 2
            assert len(set(heir.keys("second"))) == 1
            assert len(await heir.versions(thread_id)) == 5


async def test_steps_run_side_by_side_and_their_names_are_numbered(house: House) -> None:
    gates = [Gate(number) for number in range(3)]
    house.on("pick", lambda value, ctx: gates[value](value, ctx))

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.gather(*(ctx.step("pick", python="pick", input=n) for n in range(3)))

    thread_id = await begin(house, flow)
    await house.until(lambda: all(gate.entered for gate in gates))
    for gate in reversed(gates):
        gate.open()
    await house.end(thread_id)
    assert await output(house, thread_id) == [0, 1, 2]
    assert sorted(await house.steps(thread_id)) == ["pick", "pick_2", "pick_3"]


async def test_branches_keep_their_steps_apart_in_whatever_order_they_end() -> None:
    async with open_house() as house:
        gates = {"a": Gate("a"), "b": Gate("b")}
        last = Gate()
        house.on("slow", lambda value, ctx: gates[value](value, ctx))
        house.on("last", last)

        async def branch(ctx: Any, name: str) -> Any:
            found = await ctx.step("look", python="slow", input=name)
            return await ctx.step("note", python="echo", input=[found])

        async def flow(ctx: Any, given: Any) -> Any:
            found = await ctx.gather(branch(ctx, "a"), branch(ctx, "b"))
            await ctx.step("last", python="last")
            return found

        thread_id = await begin(house, flow)
        await house.until(lambda: all(gate.entered for gate in gates.values()))
        gates["b"].open()
        await house.until(lambda: any(e.step_id == "note_0_1" for e in house.tables.events[thread_id]))
        gates["a"].open()
        await house.until(lambda: last.entered)
        await house.die()
        async with open_house(house) as heir:
            last.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id) == [["a"], ["b"]]
            assert sorted(await heir.steps(thread_id)) == ["last", "look_0_0", "look_0_1", "note_0_0", "note_0_1"]


async def test_a_failure_can_be_caught_and_stays_caught_after_a_kill() -> None:
    async with open_house() as house:
        gate = Gate("helped")
        house.on("bad", Failing(StepFailure("no", kind="broken", retryable=False)))
        house.on("gate", gate)

        async def flow(ctx: Any, given: Any) -> Any:
            try:
                await ctx.step("bad", python="bad")
            except StepFailed as failed:
                return [failed.kind, failed.step_id, await ctx.step("help", python="gate")]

        thread_id = await begin(house, flow)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id) == ["broken", "bad", "helped"]
            assert heir.called("bad") == 1
            steps = [version.step_id for version in await heir.versions(thread_id)]
            assert steps == ["START", "bad", "help", "END"]


async def test_a_failure_that_nobody_catches_fails_the_thread_and_a_resume_tries_that_step_again(house: House) -> None:
    house.on("once", Failing(StepFailure("no", kind="broken", retryable=False), times=1, answer="well"))

    async def flow(ctx: Any, given: Any) -> Any:
        first = await ctx.step("first", python="echo", input=1)
        return [first, await ctx.step("once", python="once")]

    thread_id = await done(house, flow)
    assert await error(house, thread_id) == {"kind": "broken", "message": "no", "step_id": "once", "retryable": False}
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == [1, "well"]
    assert (house.called("first"), len(set(house.keys("once")))) == (1, 1)


async def test_an_exception_of_the_function_fails_the_thread(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        await ctx.step("first", python="echo")
        return given["missing"]

    thread_id = await done(house, flow, {})
    assert await error(house, thread_id) == {
        "kind": "exception", "message": "KeyError: 'missing'", "step_id": None, "retryable": False
    }  # fmt: skip


async def test_steps_are_tried_again_as_in_a_document(house: House) -> None:
    house.on("once", Failing(StepFailure("not yet"), times=1, answer="well"))

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.step("once", python="once", retry=QUICK)

    thread_id = await done(house, flow)
    assert await output(house, thread_id) == "well"
    assert len(await house.events(thread_id, "step_retry")) == 1


async def test_a_rollback_runs_on_from_the_version(house: House) -> None:
    thread_id = await done(house, three, 1)
    house.calls.clear()
    put(house, three)
    await house.rollback(thread_id, 3)
    await house.end(thread_id)
    versions = await house.versions(thread_id)
    assert [(version.version, version.parent_version, version.step_id) for version in versions[5:]] == [
        (6, 3, "third"), (7, 6, "END")
    ]  # fmt: skip
    assert await output(house, thread_id) == {"n": 3}


async def test_from_a_step_on_all_that_was_called_after_it_runs_again(house: House) -> None:
    thread_id = await done(house, three, 1)
    await house.resume(thread_id, from_step="second")
    await house.end(thread_id)
    assert [version.step_id for version in await house.versions(thread_id)][5:] == ["second", "third", "END"]


async def test_a_long_sleep_takes_no_slot_and_outlives_its_driver(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        await ctx.sleep("2h")
        return await ctx.step("after", python="echo", input="awake")

    thread_id = await begin(house, flow)
    await house.until_status(thread_id, "waiting")
    assert house.worker.find(thread_id) is None
    house.later(7201)
    await house.end(thread_id)
    assert await output(house, thread_id) == "awake"


async def test_a_sub_workflow_is_a_step(house: House) -> None:
    await house.control.register({"name": "child", "steps": [{"id": "c", "python": "echo", "input": "{input}"}]})

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.step("child", workflow="child", input=5)

    assert await output(house, await done(house, flow)) == {"c": 5}


async def test_it_pauses_between_steps_and_goes_on(house: House) -> None:
    gate = Gate({"n": 1})
    house.on("gate", gate)

    async def flow(ctx: Any, given: Any) -> Any:
        found = await ctx.step("first", python="gate")
        return await ctx.step("second", python="echo", input=found)

    thread_id = await begin(house, flow)
    await house.until(lambda: gate.entered)
    await house.control.pause(thread_id)
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "paused"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (house.called("first"), await output(house, thread_id)) == (1, {"n": 1})


def changed(what: str) -> Callable[..., Any]:
    """`three`, as somebody has changed it."""

    async def flow(ctx: Any, given: Any) -> Any:
        name = "other" if what == "another name" else "first"
        if what == "one more before":
            await ctx.step("zeroth", python="echo")
        given = 99 if what == "another input" else given
        first = await ctx.step(name, python="echo", input={"n": given})
        if what == "none at all":
            return first
        if what == "another order":
            await ctx.step("gate", python="gate")
        second = await ctx.step("second", python="echo", input={"n": 2})
        return await ctx.step("gate", python="gate", input=second)

    return flow


@pytest.mark.parametrize("what", ["another name", "one more before", "another input", "none at all", "another order"])
async def test_code_that_changed_under_a_running_thread_is_reported(what: str) -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("gate", gate)
        thread_id = await begin(house, changed("nothing"), 1)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            put(heir, changed(what))
            await heir.end(thread_id)
            told = await error(heir, thread_id)
            assert (told["kind"], "has changed since" in told["message"]) == ("code_changed", True)
            open_ = [row for row in (await heir.steps(thread_id)).values() if row.completed_at is None]
            assert open_ == [], "no step stays open under an ended thread"
            put(heir, changed("nothing"))
            gate.open()
            await heir.resume(thread_id)
            await heir.end(thread_id)
            assert (await heir.thread(thread_id)).status == "completed"


async def test_rolled_back_to_before_the_change_it_goes_on_with_the_new_code(house: House) -> None:
    thread_id = await done(house, three, 1)

    async def newer(ctx: Any, given: Any) -> Any:
        first = await ctx.step("first", python="echo", input={"n": given})
        return await ctx.step("other", python="echo", input={"n": first["n"] * 10})

    put(house, newer)
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    assert await output(house, thread_id) == {"n": 10}
    assert [version.step_id for version in await house.versions(thread_id)][5:] == ["other", "END"]


async def test_a_step_is_given_an_output_instead_of_running(house: House) -> None:
    house.on("once", Failing(StepFailure("no", retryable=False)))

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.step("once", python="once")

    thread_id = await done(house, flow)
    await house.resume(thread_id, skip={"once": "given"})
    await house.end(thread_id)
    assert await output(house, thread_id) == "given"


async def test_a_gate_has_its_form_and_what_stands_in_for_an_answer(house: House) -> None:
    form = {"type": "object", "required": ["approved"]}

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.wait_for("approve", title="Go on?", form=form, timeout="1h", on_timeout={"approved": False})

    thread_id = await begin(house, flow)
    await house.until_status(thread_id, "waiting")
    gate = await house.gates.find(thread_id, "approve")
    assert (gate.title, json.loads(gate.form_json or "")) == ("Go on?", form)
    house.later(3601)
    await house.end(thread_id)
    assert await output(house, thread_id) == {"approved": False}


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"limits": {"max_cost": 3}}, "/limits"),
        ({"limits": {"deadline": "soon"}}, "/limits/deadline"),
        ({"input_schema": {"type": 7}}, "/input/type"),
    ],
)
async def test_what_a_decorator_says_is_checked(house: House, parts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        await house.control.register_code(document_of("flow", three, **parts))
    assert pointer in [problem.pointer for problem in refused.value.problems]


async def test_a_function_that_is_not_there_fails_the_thread_with_a_word_on_modules(house: House) -> None:
    await house.control.register_code(document_of("flow", three))
    accepted = await house.control.start(StartCommand(workflow="flow", has_input=True))
    await house.end(accepted.thread.thread_id)
    told = await error(house, accepted.thread.thread_id)
    assert (told["kind"], "MODULES" in told["message"]) == ("configuration", True)


async def test_a_step_that_cannot_be_one_is_the_functions_error(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        await ctx.step("s", python="echo", wrong=1)

    assert "'wrong' has no meaning here" in (await error(house, await done(house, flow)))["message"]


async def test_a_step_that_is_not_awaited_runs_all_the_same(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        ctx.step("aside", python="echo", input=1)
        return "done"

    thread_id = await done(house, flow)
    assert (await house.steps(thread_id))["aside"].status == "completed"
    assert await output(house, thread_id) == "done"


async def test_chance_is_the_same_when_the_thread_is_taken_up_again(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        number = ctx.random.random()
        await ctx.sleep("2h")
        return await ctx.step("s", python="echo", input=number)

    thread_id = await begin(house, flow)
    await house.until_status(thread_id, "waiting")
    house.later(7201)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_other_things_may_be_awaited(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        await asyncio.sleep(0.01)
        return await ctx.step("s", python="echo", input=1)

    assert await output(house, await done(house, flow)) == 1


async def test_nobody_registers_code_over_the_api(house: House) -> None:
    with pytest.raises(InvalidWorkflow, match="MODULES"):
        await house.control.register(document_of("flow", three))


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_step_that_the_function_does_not_wait_for_any_more_holds_nothing_up(
    house: House, goes_on: bool
) -> None:
    gate, given_up = Gate(1), asyncio.Event()

    async def impatient(ctx: Any, given: Any) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ctx.step("slow", python="slow")
        given_up.set()
        return await ctx.step("quick", python="echo", input=2) if goes_on else 2

    house.on("slow", gate)
    thread_id = await begin(house, impatient)
    await given_up.wait()
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert await output(house, thread_id) == 2
    await house.until(lambda: not house.worker.running)
