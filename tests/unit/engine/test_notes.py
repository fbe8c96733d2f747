"""What attempts remember, keep and spend, and what a later attempt finds of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.runner import StepFailure, Usage
from tests.unit.engine.house import QUICK, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


class Turns:
    """Does three turns, each once, as long as it may remember them; fails before the turns that it is told of."""

    def __init__(self, *fails: int) -> None:
        self.fails = list(fails)
        self.done: list[int] = []

    async def __call__(self, value: Any, ctx: Any) -> Any:
        known = await ctx.remembered()
        for turn in range(3):
            if f"turn:{turn}" in known:
                continue
            if turn in self.fails:
                self.fails.remove(turn)
                raise StepFailure("cut")
            self.done.append(turn)
            ctx.spend(Usage(output_tokens=10))
            await ctx.remember(f"turn:{turn}", {"n": turn})
        return list((await ctx.remembered()).items())


async def test_a_retry_finds_what_was_remembered(house: House) -> None:
    turns = Turns(1, 2)
    house.on("turns", turns)
    thread_id = await house.run(step("s", python="turns", retry=QUICK))
    row = (await house.steps(thread_id))["s"]
    assert turns.done == [0, 1, 2]
    assert json.loads(row.output or "") == [[f"turn:{n}", {"n": n}] for n in range(3)]
    assert row.usage == Usage(output_tokens=30)


async def test_a_resume_finds_what_was_remembered(house: House) -> None:
    turns = Turns(1)
    house.on("turns", turns)
    thread_id = await house.run(step("s", python="turns", retry={"max_attempts": 1}))
    await house.resume(thread_id)
    await house.end(thread_id)
    assert turns.done == [0, 1, 2]


async def test_a_rollback_begins_anew(house: House) -> None:
    turns = Turns()
    house.on("turns", turns)
    thread_id = await house.run(step("s", python="turns"))
    await house.rollback(thread_id, 1)
    await house.end(thread_id)
    assert turns.done == [0, 1, 2] * 2


async def test_after_a_kill_the_next_process_finds_it() -> None:
    async with open_house() as house:
        gate = Gate()

        async def turns(value: Any, ctx: Any) -> Any:
            known = dict(await ctx.remembered())
            if not known:
                await ctx.remember("first", 1)
                await gate(value, ctx)
            return known

        house.on("turns", turns)
        thread_id = (await house.start(step("s", python="turns"))).thread.thread_id
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            await heir.end(thread_id)
            assert json.loads((await heir.steps(thread_id))["s"].output or "") == {"first": 1}


async def test_a_damaged_note_takes_those_after_it_along() -> None:
    async with open_house() as house:
        gate = Gate()

        async def turns(value: Any, ctx: Any) -> Any:
            known = dict(await ctx.remembered())
            if not known:
                for name in "abc":
                    await ctx.remember(name, name)
                await gate(value, ctx)
            await ctx.remember("b", "anew")
            return dict(await ctx.remembered())

        house.on("turns", turns)
        thread_id = (await house.start(step("s", python="turns"))).thread.thread_id
        await house.until(lambda: gate.entered)
        await house.die()
        notes = house.tables.notes[thread_id]
        [second] = [key for key, note in notes.items() if note.name == "b"]
        notes[second] = replace(notes[second], value='"nonsense"')
        async with open_house(house) as heir:
            await heir.end(thread_id)
            assert json.loads((await heir.steps(thread_id))["s"].output or "") == {"a": "a", "b": "anew"}
        assert [note.value for _, note in sorted(notes.items())] == ['"a"', '"anew"', '"c"']


async def test_a_name_is_remembered_once(house: House) -> None:
    async def twice(value: Any, ctx: Any) -> None:
        await ctx.remember("name", 1)
        with pytest.raises(ValueError, match="remembered already"):
            await ctx.remember("name", 2)

    house.on("twice", twice)
    thread_id = await house.run(step("s", python="twice"))
    assert (await house.thread(thread_id)).status == "completed"


async def test_of_two_at_once_under_one_name_one_is_kept(house: House) -> None:
    async def twice(value: Any, ctx: Any) -> Any:
        told = await asyncio.gather(ctx.remember("x", 1), ctx.remember("x", 2), return_exceptions=True)
        await ctx.remember("y", 3)
        return [str(type(one).__name__) for one in told]

    house.on("twice", twice)
    thread_id = await house.run(step("s", python="twice"))
    assert json.loads((await house.steps(thread_id))["s"].output or "") == ["NoneType", "ValueError"]
    notes = house.tables.notes[thread_id]
    assert [note.name for _, note in sorted(notes.items())] == ["x", "y"]


async def test_items_remember_apart_from_each_other(house: House) -> None:
    async def each(value: Any, ctx: Any) -> Any:
        await ctx.remember("mine", value)
        return dict(await ctx.remembered())

    house.on("each", each)
    thread_id = await house.run(step("m", python="each", for_each=[1, 2], input="{item}"))
    assert json.loads((await house.steps(thread_id))["m"].output or "") == [{"mine": 1}, {"mine": 2}]


async def test_a_session_is_handed_to_the_next_attempt_and_stands_in_the_row(house: House) -> None:
    seen: list[str | None] = []

    async def talks(value: Any, ctx: Any) -> str:
        seen.append(ctx.session_id)
        ctx.keep_session("session-1")
        if len(seen) == 1:
            raise StepFailure("cut")
        return "done"

    house.on("talks", talks)
    thread_id = await house.run(step("s", python="talks", retry=QUICK))
    assert seen == [None, "session-1"]
    assert (await house.steps(thread_id))["s"].session_id == "session-1"


async def test_a_resumed_step_goes_on_with_its_session(house: House) -> None:
    seen: list[str | None] = []

    async def talks(value: Any, ctx: Any) -> str:
        seen.append(ctx.session_id)
        ctx.keep_session("session-1")
        if len(seen) == 1:
            raise StepFailure("cut", retryable=False)
        return "done"

    house.on("talks", talks)
    thread_id = await house.run(step("s", python="talks"))
    await house.resume(thread_id)
    await house.end(thread_id)
    assert seen == [None, "session-1"]


async def test_what_a_failed_attempt_spent_is_counted(house: House) -> None:
    async def spends(value: Any, ctx: Any) -> None:
        ctx.spend(Usage(cost_usd=0.25))
        raise StepFailure("no", retryable=False)

    house.on("spends", spends)
    thread_id = await house.run(step("s", python="spends"))
    assert (await house.steps(thread_id))["s"].usage == Usage(cost_usd=0.25)


async def test_a_retry_makes_shown_text_void(house: House) -> None:
    tries = 0

    async def speaks(value: Any, ctx: Any) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            if tries == 1:
                ctx.chunk("half a sen")
            raise StepFailure("cut")
        return "done"

    house.on("speaks", speaks)
    thread_id = await house.run(step("s", python="speaks", retry=QUICK))
    [discarded] = await house.events(thread_id, "attempt_discarded")
    assert discarded.attempt == 1
