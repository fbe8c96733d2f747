"""Variants of a step in a thread: drawn once, told, kept over retries, crashes and resumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StepOverride
from app.domain.errors import InvalidWorkflow
from app.domain.runner import StepFailure
from app.domain.variants import Variant, draw
from tests.unit.engine.house import Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House

VARIANTS = [{"name": "a", "agent": "one", "input": {"tone": "dry"}}, {"name": "b", "agent": "two"}]
DRAWN = tuple(Variant(name=name) for name in "ab")
SPLIT = step("w", agent="one", input={"tone": "any", "n": 1}, variants=VARIANTS)


def named(variant: str) -> str:
    """A thread's id that draws this variant."""
    ids = (f"thread-{n}" for n in range(100))
    return next(one for one in ids if (drawn := draw(one, "w", DRAWN)) is not None and drawn.name == variant)


async def with_agents(house: House, *names: str) -> None:
    for name in names:

        async def call(value: Any, ctx: Any, name: str = name) -> Any:
            return {"by": name, **value}

        house.on(name, call, agent=True)


@pytest.mark.parametrize(
    ("variant", "output"),
    [("a", {"by": "one", "tone": "dry", "n": 1}), ("b", {"by": "two", "tone": "any", "n": 1})],
)
async def test_the_variant_that_is_drawn_does_the_step_and_is_told(house: House, variant: str, output: Any) -> None:
    await with_agents(house, "one", "two")
    thread_id = await house.run(SPLIT, thread_id=named(variant))
    row = (await house.steps(thread_id))["w"]
    assert (row.variant, row.agent, json.loads(row.output or "")) == (variant, output["by"], output)
    [started] = await house.events(thread_id, "step_start")
    assert (json.loads(started.data)["variant"], json.loads(started.data)["agent"]) == (variant, output["by"])


async def test_a_step_without_variants_tells_of_none(house: House) -> None:
    thread_id = await house.run(step("w"))
    assert "variant" not in json.loads((await house.events(thread_id, "step_start"))[0].data)


async def test_an_agent_of_an_override_leaves_no_room_for_a_variant(house: House) -> None:
    await with_agents(house, "one", "two", "three")
    thread_id = await house.run(SPLIT, thread_id=named("a"))
    await house.rollback(thread_id, 1, overrides={"w": StepOverride(agent="three")})
    await house.end(thread_id)
    row = (await house.steps(thread_id))["w"]
    assert (row.variant, json.loads(row.output or "")) == (None, {"by": "three", "tone": "any", "n": 1})


async def test_an_input_of_an_override_goes_over_the_variants(house: House) -> None:
    await with_agents(house, "one", "two")
    thread_id = await house.run(SPLIT, thread_id=named("a"))
    await house.rollback(thread_id, 1, overrides={"w": StepOverride(input={"n": 2, "tone": "wet"})})
    await house.end(thread_id)
    row = (await house.steps(thread_id))["w"]
    assert (row.variant, json.loads(row.output or "")) == ("a", {"by": "one", "tone": "wet", "n": 2})


async def test_a_retry_a_crash_and_a_resume_keep_the_variant() -> None:
    async with open_house() as house:
        await with_agents(house, "one")
        gate = Gate({"by": "two"})
        attempts: list[int] = []

        async def two(value: Any, ctx: Any) -> Any:
            attempts.append(ctx.attempt)
            if len(attempts) == 1:
                raise StepFailure("again")
            if len(attempts) == 3:
                raise StepFailure("no more", retryable=False)
            return await gate(value, ctx)

        house.on("two", two, agent=True)
        retry = {"max_attempts": 3, "initial_interval": 0}
        accepted = await house.start({**SPLIT, "retry": retry}, thread_id=named("b"))
        await house.until(lambda: gate.entered == 1)
        await house.die()
        async with open_house(house) as after:
            thread_id = await after.end(accepted.thread.thread_id)
            assert (await after.thread(thread_id)).status == "failed"
            gate.open()
            await after.resume(thread_id)
            await after.end(thread_id)
            assert (await after.execution(thread_id)).output == '{"w":{"by":"two"}}'
            assert (after.called("w"), (await after.steps(thread_id))["w"].variant) == (4, "b")


async def test_the_agent_of_every_variant_must_be_known(house: House) -> None:
    await with_agents(house, "one")
    with pytest.raises(InvalidWorkflow) as caught:
        await house.start(SPLIT)
    assert [problem.pointer for problem in caught.value.problems] == ["/steps/0/variants/1/agent"]
