"""Limits: over one of them a thread pauses, loses nothing, and goes on when it may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.domain.runner import Usage
from app.domain.spec import Limits
from tests.unit.engine.house import step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def costly(value: Any, ctx: Any) -> str:
    ctx.spend(Usage(input_tokens=100, output_tokens=50, cost_usd=1.0))
    return "done"


async def paused(house: House, thread_id: str) -> dict[str, Any]:
    assert (await house.thread(thread_id)).status == "paused"
    return json.loads((await house.events(thread_id, "workflow_paused"))[-1].data)


async def test_over_its_budget_a_thread_pauses(house: House) -> None:
    house.on("costly", costly)
    steps = [step(name, python="costly") for name in "abc"]
    thread_id = await house.run(*steps, doc_limits={"max_cost_usd": 2})
    told = await paused(house, thread_id)
    assert (told["reason"], told["limit"], told["spent"]) == ("max_cost_usd", 2, 2.0)
    assert len(house.calls) == 2


async def test_tokens_in_and_out_count_together(house: House) -> None:
    house.on("costly", costly)
    thread_id = await house.run(step("a", python="costly"), step("b"), doc_limits={"max_tokens": 150})
    assert (await paused(house, thread_id))["reason"] == "max_tokens"


async def test_a_bare_resume_pauses_again_and_a_raised_limit_goes_on(house: House) -> None:
    house.on("costly", costly)
    thread_id = await house.run(step("a", python="costly"), step("b"), doc_limits={"max_cost_usd": 1})
    await house.resume(thread_id)
    await house.end(thread_id)
    await paused(house, thread_id)
    await house.resume(thread_id, limits=Limits(max_cost_usd=5))
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert house.called("a") == 1


async def test_a_thread_that_is_done_does_not_pause(house: House) -> None:
    house.on("costly", costly)
    thread_id = await house.run(step("a", python="costly"), doc_limits={"max_cost_usd": 0.5})
    assert (await house.thread(thread_id)).status == "completed"


async def test_an_attempt_in_turns_stops_at_the_turn_that_goes_over_and_goes_on_from_there(house: House) -> None:
    turns: list[int] = []

    async def agent(value: Any, ctx: Any) -> int:
        for turn in range(len(await ctx.remembered()), 4):
            turns.append(turn)
            ctx.spend(Usage(cost_usd=1.0))
            await ctx.remember(str(turn), turn)
        return len(turns)

    house.on("agent", agent)
    thread_id = await house.run(step("a", python="agent"), doc_limits={"max_cost_usd": 2})
    await paused(house, thread_id)
    assert turns == [0, 1]
    await house.resume(thread_id, limits=Limits(max_cost_usd=9))
    await house.end(thread_id)
    assert turns == [0, 1, 2, 3]
    assert (await house.steps(thread_id))["a"].attempt == 1


async def test_after_its_deadline_a_thread_pauses_also_while_it_waits(house: House) -> None:
    thread_id = (await house.start(step("a", sleep="2h"), doc_limits={"deadline": "1h"})).thread.thread_id
    await house.until_status(thread_id, "waiting")
    house.later(3601)
    await house.end(thread_id)
    assert (await paused(house, thread_id))["reason"] == "deadline"
