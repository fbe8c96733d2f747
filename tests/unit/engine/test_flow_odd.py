"""Workflows in Python that do the unforeseen: calls that end in any order, failures raised again, clean-up, tasks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.flow import StepFailed
from app.domain.runner import StepFailure
from app.domain.spec import Limits
from tests.unit.engine.house import Failing, Gate, House, open_house
from tests.unit.engine.test_flow import begin, done, error, output, put

if TYPE_CHECKING:
    from collections.abc import Callable


async def side_by_side(ctx: Any, given: Any) -> Any:
    return await ctx.gather(ctx.step("a", python="slow"), ctx.step("b", python="echo", input=1))


async def with_b_ended(house: House) -> tuple[str, Gate]:
    """A thread whose second call has ended and whose first runs."""
    gate = Gate("late")
    house.on("slow", gate)
    thread_id = await begin(house, side_by_side)
    await house.until(lambda: any(e.name == "step_complete" for e in house.tables.events[thread_id]))
    return thread_id, gate


async def cancelled_and_resumed(house: House, thread_id: str) -> None:
    await house.control.cancel(thread_id)
    await house.resume(thread_id)


async def rolled_back(house: House, thread_id: str) -> None:
    await house.rollback(thread_id, 2)


async def paused_and_resumed_with_limits(house: House, thread_id: str) -> None:
    await house.control.cancel(thread_id)
    await house.resume(thread_id, limits=Limits(max_tokens=5))


@pytest.mark.parametrize("steer", [cancelled_and_resumed, rolled_back, paused_and_resumed_with_limits])
async def test_calls_that_end_out_of_order_are_no_changed_code(house: House, steer: Callable[..., Any]) -> None:
    thread_id, gate = await with_b_ended(house)
    gate.open()
    await steer(house, thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == ["late", 1]


async def test_a_failure_in_a_gather_is_tried_again_by_a_resume(house: House) -> None:
    gate = Gate(1)
    house.on("slow", Failing(StepFailure("no", retryable=False), times=1, answer="well"))
    house.on("gate", gate)

    async def flow(ctx: Any, given: Any) -> Any:
        return await ctx.gather(ctx.step("a", python="slow"), ctx.step("b", python="gate"))

    thread_id = await begin(house, flow)
    await house.until(lambda: any(e.name == "step_failed" for e in house.tables.events[thread_id]))
    gate.open()
    await house.end(thread_id)
    assert (await error(house, thread_id))["step_id"] == "a"
    assert [version.step_id for version in await house.versions(thread_id)] == ["START", "b"]
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == ["well", 1]


async def test_a_failure_that_is_raised_again_after_cleaning_up_is_tried_again_by_a_resume(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", retryable=False), times=1, answer="well"))

    async def flow(ctx: Any, given: Any) -> Any:
        try:
            return await ctx.step("a", python="bad")
        except StepFailed:
            await ctx.step("tell", python="echo", input="failed")
            raise

    thread_id = await done(house, flow)
    assert (await error(house, thread_id))["step_id"] == "a"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == "well"


async def test_clean_up_in_the_function_holds_nothing_when_the_thread_is_let_go(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        try:
            await ctx.sleep("1h")
        finally:
            await ctx.step("cleanup", python="echo", input=1)

    before = len(asyncio.all_tasks())
    thread_id = await begin(house, flow)
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: len(asyncio.all_tasks()) <= before)
    house.later(3601)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["cleanup"].status == "completed"


async def test_tasks_of_asyncio_around_steps_are_refused_with_a_word_on_gather(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        return await asyncio.gather(ctx.step("a", python="echo", input=1), ctx.step("b", python="echo", input=2))

    assert "ctx.gather" in (await error(house, await done(house, flow)))["message"]


async def test_a_function_that_cancels_itself_fails_the_thread(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        raise asyncio.CancelledError

    async def line() -> None:
        raise asyncio.CancelledError

    async def gathering(ctx: Any, given: Any) -> Any:
        await ctx.gather(line())

    for function in (flow, gathering):
        assert (await error(house, await done(house, function)))["kind"] == "exception"


async def test_a_function_that_swallows_everything_does_not_hide_that_it_has_changed() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("gate", gate)

        def code(name: str) -> Callable[..., Any]:
            async def flow(ctx: Any, given: Any) -> Any:
                with contextlib.suppress(BaseException):
                    await ctx.step(name, python="gate")
                return "done"

            return flow

        thread_id = await begin(house, code("one"))
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            put(heir, code("other"))
            await heir.end(thread_id)
            assert (await error(heir, thread_id))["kind"] == "code_changed"
            assert [row for row in (await heir.steps(thread_id)).values() if row.completed_at is None] == []


async def test_a_step_that_has_moved_is_changed_code(house: House) -> None:
    async def broken(ctx: Any, given: Any) -> Any:
        await ctx.step("first", python="echo", input=1)
        raise RuntimeError

    async def mended(ctx: Any, given: Any) -> Any:
        await ctx.gather()
        return await ctx.step("first", python="echo", input=1)

    thread_id = await done(house, broken)
    put(house, mended)
    await house.resume(thread_id)
    await house.end(thread_id)
    told = await error(house, thread_id)
    assert (told["kind"], "has it at 0" in told["message"]) == ("code_changed", True)


async def test_many_calls_of_one_name_are_numbered_and_replayed_in_turns(house: House) -> None:
    async def flow(ctx: Any, given: Any) -> Any:
        for number in range(600):
            await ctx.step("s", python="echo", input=number)
        await ctx.sleep("1h")
        return "done"

    thread_id = await begin(house, flow)
    await house.until_status(thread_id, "waiting")
    house.later(3601)
    await house.end(thread_id)
    assert "s_600" in await house.steps(thread_id)
