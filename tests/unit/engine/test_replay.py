"""Replays: a recorded step is done again, with what it was given, in a thread of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import ForkCommand, Variant
from app.domain.errors import Conflict, InvalidRequest, NotFound
from app.domain.gates import Answer
from app.domain.parameters import ReplayOf, parse
from app.domain.replay import ReplayCommand
from app.engine.replay import Replays
from app.store.memory_travel import MemoryTravels
from tests.unit.engine.house import Failing, step
from tests.unit.engine.test_corruption import damage_version
from tests.unit.engine.test_flow import done, put
from tests.unit.engine.test_moving import A, begin, move, second

if TYPE_CHECKING:
    from app.domain.commands import Accepted
    from tests.unit.engine.house import House

LONG = "x" * 3_000


def replays(house: House) -> Replays:
    stores: Any = house.control._stores
    return Replays(stores, MemoryTravels(house.tables), house.catalog, house.control.starts, house.functions.workflow)


async def replay(house: House, thread_id: str, step_id: str, **more: Any) -> Accepted:
    return await replays(house).replay(ReplayCommand(thread_id=thread_id, step_id=step_id, **more))


async def replayed(house: House, thread_id: str, step_id: str, **more: Any) -> Any:
    """The output of a replay that has ended."""
    accepted = await replay(house, thread_id, step_id, **more)
    await house.end(accepted.thread.thread_id)
    execution = await house.execution(accepted.thread.thread_id)
    assert execution.status == "completed", execution.error
    return json.loads(execution.output or "null")


async def refused(house: House, thread_id: str, step_id: str, **more: Any) -> str:
    with pytest.raises((InvalidRequest, NotFound, Conflict)) as found:
        await replay(house, thread_id, step_id, **more)
    return found.value.code


async def test_a_step_is_done_again_on_its_recorded_input_and_the_thread_is_left_alone(house: House) -> None:
    thread_id = await house.run(step("a", input={"n": "{input.n}"}), step("b", input="{a.output}"), input={"n": 7})
    before = (await house.thread(thread_id), len(await house.events(thread_id)), await house.versions(thread_id))
    assert await replayed(house, thread_id, "b") == {"n": 7}
    assert (
        await house.thread(thread_id),
        len(await house.events(thread_id)),
        await house.versions(thread_id),
    ) == before
    assert [house.called(name) for name in "ab"] == [1, 2]
    assert len(set(house.keys("b"))) == 2


async def test_a_replay_says_what_it_does_again(house: House) -> None:
    thread_id = await house.run(step("a", input={"n": 1}))
    run = (await house.steps(thread_id))["a"]
    scratch = (await replay(house, thread_id, "a")).thread
    execution = await house.execution(scratch.thread_id)
    assert (execution.kind, execution.workflow_name, execution.workflow_id) == ("invoke", "replay", None)
    assert execution.triggered_by == f"replay of {thread_id}/a"
    assert parse(execution.parameters).replay_of == ReplayOf(
        thread_id=thread_id, execution_id=run.execution_id, run_id=run.id, step_id="a", version=1
    )


async def test_a_long_input_is_filled_in_from_the_state_that_the_step_saw(house: House) -> None:
    steps = (
        step("a", assign="x"),
        step("b", input={"long": "{a.output.long}", "x": "{context.x}", "m": "{context.m}"}),
    )
    thread_id = await house.run(*steps, step("c", assign="m"), input={"long": LONG}, context={"m": 1})
    assert await replayed(house, thread_id, "b") == {"long": LONG, "x": {"long": LONG}, "m": 1}


async def test_what_a_rollback_set_is_seen_where_the_step_saw_it(house: House) -> None:
    steps = (step("a"), step("b", input={"long": "{input}", "m": "{context.m}"}))
    thread_id = await house.run(*steps, input=LONG, context={"m": 1})
    await house.rollback(thread_id, 2, context={"m": 2})
    await house.end(thread_id)
    assert await replayed(house, thread_id, "b") == {"long": LONG, "m": 2}
    first = (await house.events(thread_id, "workflow_start"))[0].execution_id
    assert await replayed(house, thread_id, "b", execution_id=first) == {"long": LONG, "m": 1}


async def test_a_replay_may_have_another_agent_and_more_input(house: House) -> None:
    async def other(value: Any, ctx: Any) -> Any:
        return {"by": "other", **value}

    house.on("one", other, agent=True)
    house.on("two", other, agent=True)
    thread_id = await house.run(step("a", agent="one", input={"n": 1}))
    assert await replayed(house, thread_id, "a", agent="two", input={"m": 2}) == {"by": "other", "n": 1, "m": 2}
    assert await refused(house, thread_id, "a", agent="nobody") == "invalid_request"


async def test_a_step_of_before_a_move_is_done_again_as_its_execution_had_it(house: House) -> None:
    calls: list[Any] = []

    async def bad(value: Any, _: Any) -> Any:
        calls.append(value)
        return value if len(calls) > 1 else 1 / 0

    house.on("bad", bad)
    old = step("b", python="bad", input={"long": LONG}, retry={"max_attempts": 1})
    thread_id = await begin(house, A, old, step("d"))
    await house.until_status(thread_id, "failed")
    before = (await house.thread(thread_id)).execution_id
    await second(house, A, step("b", input={"n": 2}), step("c"))
    assert [one.execution_id is not None for one in await move(house, resume=True)] == [True]
    await house.end(thread_id)
    assert await replayed(house, thread_id, "b") == {"n": 2}
    assert await replayed(house, thread_id, "b", execution_id=before) == {"long": LONG}
    assert await refused(house, thread_id, "d") == "step_not_found"
    assert await refused(house, thread_id, "d", execution_id=before) == "run_not_found"


async def test_a_step_that_failed_is_done_again_as_it_was_overridden(house: House) -> None:
    house.on("bad", Failing(ValueError("no"), times=1))
    thread_id = await house.run(step("a", python="bad", input={"n": 1}, retry={"max_attempts": 1}))
    assert await replayed(house, thread_id, "a") == "done"


async def test_an_item_and_an_iteration_are_done_again_alone(house: House) -> None:
    each = step("each", for_each="{input.list}", input={"item": "{item}", "index": "{index}", "n": "{context.n}"})
    until = step("again", repeat={"until": "again.output.n >= 2", "max_iterations": 5}, input="{input}", python="more")
    seen: list[Any] = []

    async def more(value: Any, ctx: Any) -> Any:
        seen.append(value)
        return {"n": len(seen)}

    house.on("more", more)
    until["input"] = {"before": "{again.output}", "iteration": "{iteration}"}
    thread_id = await house.run(each, until, input={"list": ["p", "q"]}, context={"n": 9})
    assert await replayed(house, thread_id, "each", item=1) == {"item": "q", "index": 1, "n": 9}
    await replayed(house, thread_id, "again", item=1)
    assert seen[-1] == {"before": {"n": 1}, "iteration": 1} == seen[1]
    assert await refused(house, thread_id, "each") == "item_required"
    assert await refused(house, thread_id, "each", item=2) == "items_not_found"
    assert await refused(house, thread_id, "again", item=9) == "items_not_found"


async def test_a_sub_workflow_is_replayed_as_a_new_child(house: House) -> None:
    await house.control.register({"name": "child", "steps": [step("inner", input="{input.n}")]})
    thread_id = await house.run(step("a", workflow="child", input={"n": 3}))
    assert await replayed(house, thread_id, "a") == {"inner": 3}
    assert house.called("inner") == 2
    await house.control.register({"name": "child", "steps": [step("newer", input="{input.n}")]})
    assert await replayed(house, thread_id, "a") == {"inner": 3}


async def test_a_gate_asks_anew_in_the_scratch_thread(house: House) -> None:
    form = {"type": "integer"}
    thread_id = (
        await house.start(step("a", gate={"show": "{input}", "form": form}), input={"x": "{"})
    ).thread.thread_id
    await house.until_status(thread_id, "waiting")
    scratch = (await replay(house, thread_id, "a")).thread.thread_id
    await house.until_status(scratch, "waiting")
    [gate] = [one for one in house.tables.gates.values() if one.key.thread_id == scratch]
    assert (gate.show_json, gate.form_json) == ('{"x":"{"}', '{"type":"integer"}')
    await house.gates.answer(scratch, "a", Answer(answer_json="4"))
    await house.end(scratch)
    assert json.loads((await house.execution(scratch)).output or "") == 4
    assert (await house.thread(thread_id)).status == "waiting"


async def test_a_sleep_is_slept_again(house: House) -> None:
    thread_id = await house.run(step("a", sleep="{input.s}"), input={"s": "1ms"})
    assert await replayed(house, thread_id, "a") is None


async def test_a_step_of_a_workflow_in_python_is_asked_for_again(house: House) -> None:
    async def coded(ctx: Any, given: Any) -> Any:
        first = await ctx.step("a", python="echo", input={"n": given["n"]})
        await ctx.step("nap", sleep=0.001)
        return await ctx.step("b", python="echo", input={"of": first, "long": LONG})

    thread_id = await done(house, coded, {"n": 1})
    assert await replayed(house, thread_id, "b") == {"of": {"n": 1}, "long": LONG}
    assert await replayed(house, thread_id, "nap") is None
    assert [house.called(name) for name in ("a", "b")] == [1, 2]


async def test_code_that_asks_for_something_else_now_cannot_be_replayed(house: House) -> None:
    async def before(ctx: Any, given: Any) -> Any:
        await ctx.step("a", python="echo", input=1)
        return await ctx.step("b", python="echo", input=2)

    async def after(ctx: Any, given: Any) -> Any:
        return await ctx.step("other", python="echo", input=1)

    thread_id = await done(house, before)
    put(house, after)
    assert await refused(house, thread_id, "b") == "not_replayable"


async def test_what_may_change_something_outside_is_refused_unless_it_is_allowed(house: House) -> None:
    await house.control.register({"name": "child", "steps": [step("mail", effect="irreversible")]})
    await house.control.register({"name": "middle", "steps": [step("deep", workflow="child", input=1)]})
    thread_id = await house.run(step("a", effect="idempotent"), step("b", workflow="middle", input=1))
    assert await refused(house, thread_id, "a") == "has_effects"
    assert await refused(house, thread_id, "b") == "has_effects"
    assert house.called("a") == house.called("mail") == 1
    await replayed(house, thread_id, "a", allow_effects=True)
    await replayed(house, thread_id, "b", allow_effects=True)
    assert house.called("a") == house.called("mail") == 2


async def test_what_never_ran_or_is_not_there_cannot_be_replayed(house: House) -> None:
    thread_id = await house.run(step("a", when="false"), step("b", needs=[]))
    assert await refused(house, thread_id, "a") == "not_replayable"
    assert await refused(house, thread_id, "x") == "step_not_found"
    assert await refused(house, "nobody", "a") == "thread_not_found"
    assert await refused(house, thread_id, "b", run_id="x") == "run_not_found"
    assert await refused(house, thread_id, "b", item=0) == "items_not_found"
    assert await refused(house, thread_id, "b", new_thread_id=thread_id) == "thread_exists"


async def test_a_recorded_input_is_enough_where_the_state_is_damaged(house: House) -> None:
    thread_id = await house.run(step("a", input={"n": 1}), step("b", input={"n": 2}))
    damage_version(house, thread_id, 2)
    assert await replayed(house, thread_id, "b") == {"n": 2}


async def test_a_state_that_is_too_large_is_not_read(house: House) -> None:
    thread_id = await house.run(step("a", input="{input}"), input=LONG)
    first = house.tables.checkpoints[thread_id]
    first[0] = replace(first[0], size_bytes=10**9)
    assert await refused(house, thread_id, "a") == "state_too_large"


async def test_a_step_that_a_fork_took_over_is_replayed_there(house: House) -> None:
    thread_id = await house.run(step("a", input={"n": "{input.n}"}), step("b"), input={"n": 5})
    made = await house.control.fork(ForkCommand(thread_id=thread_id, version=2, variants=[Variant(name="a")]))
    accepted = made.forks[0].accepted
    assert accepted is not None
    copy = await house.end(accepted.thread.thread_id)
    assert await replayed(house, copy, "a") == {"n": 5}


async def test_a_replay_with_one_key_is_made_once(house: House) -> None:
    thread_id = await house.run(step("a"))
    first = await replay(house, thread_id, "a", idempotency_key="k", request_sha256=b"1")
    second = await replay(house, thread_id, "a", idempotency_key="k", request_sha256=b"1")
    assert (first.thread.thread_id, second.replayed) == (second.thread.thread_id, True)
    assert await refused(house, thread_id, "a", idempotency_key="k", request_sha256=b"2") == "idempotency_key_reused"
