"""Steps that are done in parts: `for_each` and `repeat`, their order, their failures, and what a crash repeats of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Unavailable
from app.domain.runner import StepFailure, Usage
from app.domain.status import StepStatus
from app.engine import gather
from app.store.memory_reads import MemoryReads
from tests.unit.engine.house import QUICK, Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def output(house: House, thread_id: str, step_id: str = "m") -> Any:
    return json.loads((await house.steps(thread_id))[step_id].output or "null")


async def double(value: Any, ctx: Any) -> Any:
    return value * 2


def mapped(items: Any = "{input}", **parts: Any) -> dict[str, Any]:
    return step("m", for_each=items, input="{item}", **parts)


class Breaking:
    """Doubles; fails for good at items that it is told of."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)

    async def __call__(self, value: int, ctx: Any) -> int:
        if value in self.bad:
            raise StepFailure(f"not {value}", kind="broken", retryable=False)
        return value * 2


async def test_each_item_has_its_place_in_the_output(house: House) -> None:
    house.on("double", double)
    thread_id = await house.run(mapped(python="double", concurrency=3), input=list(range(20)))
    assert await output(house, thread_id) == [n * 2 for n in range(20)]
    assert [version.step_id for version in await house.versions(thread_id)] == ["START", "m", "END"]


async def test_an_item_sees_itself_and_its_place(house: House) -> None:
    thread_id = await house.run(step("m", for_each=["a", "b"], input={"what": "{item}", "at": "{index}"}))
    assert await output(house, thread_id) == [{"what": "a", "at": 0}, {"what": "b", "at": 1}]


async def test_no_items_give_an_empty_list(house: House) -> None:
    thread_id = await house.run(mapped(), input=[])
    assert await output(house, thread_id) == []


async def test_what_is_no_list_fails_the_step(house: House) -> None:
    thread_id = await house.run(mapped(), input={"not": "a list"})
    error = json.loads((await house.execution(thread_id)).error or "{}")
    assert error["kind"] == "expression"
    assert "gives no list" in error["message"]


async def test_never_more_items_run_than_may(house: House) -> None:
    running, most = 0, 0

    async def watched(value: Any, ctx: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    house.on("watched", watched)
    await house.run(mapped(python="watched", concurrency=4), input=list(range(30)))
    assert most == 4


async def test_each_item_has_a_key_of_its_own(house: House) -> None:
    house.on("double", double)
    thread_id = await house.run(mapped(python="double"), input=[1, 2, 3])
    execution_id = (await house.thread(thread_id)).execution_id
    assert sorted(house.keys("m")) == [f"{thread_id}:{execution_id}:m:{place}" for place in range(3)]


async def test_an_item_is_tried_again_by_itself(house: House) -> None:
    house.on("once", Failing(StepFailure("not yet"), times=1, answer="done"))
    thread_id = await house.run(mapped(python="once", concurrency=1, retry=QUICK), input=[1, 2])
    assert await output(house, thread_id) == ["done", "done"]
    assert Counter(house.keys("m")) == {f"{house.keys('m')[0]}": 2, house.keys("m")[-1]: 1}
    [retried] = await house.events(thread_id, "step_retry")
    assert json.loads(retried.data)["index"] == 0


async def test_one_that_fails_lets_the_running_ones_end_and_begins_no_more(house: House) -> None:
    gate, breaking = Gate("late"), Breaking(1)
    house.on("mixed", lambda value, ctx: gate(value, ctx) if value == 2 else breaking(value, ctx))
    thread_id = (await house.start(mapped(python="mixed", concurrency=2), input=[1, 2, 3, 4])).thread.thread_id
    await house.until(lambda: any(event.name == "item_failed" for event in house.tables.events[thread_id]))
    gate.open()
    await house.end(thread_id)
    execution = await house.execution(thread_id)
    error = {"kind": "broken", "message": "not 1", "step_id": "m", "retryable": False}
    assert (execution.status, json.loads(execution.error or "{}")) == ("failed", error)
    assert (house.called("m"), gate.left) == (2, 1)


async def test_collect_puts_the_errors_into_the_list(house: House) -> None:
    house.on("breaking", Breaking(2))
    thread_id = await house.run(mapped(python="breaking", on_item_error="collect"), input=[1, 2, 3])
    first, second, third = await output(house, thread_id)
    assert (first, third) == (2, 6)
    assert second["error"]["kind"] == "broken"
    assert len(await house.events(thread_id, "item_failed")) == 1


async def test_a_resume_does_only_the_items_again_that_had_not_completed(house: House) -> None:
    breaking = Breaking(3)
    house.on("breaking", breaking)
    thread_id = await house.run(mapped(python="breaking", concurrency=2), input=[1, 2, 3, 4, 5])
    breaking.bad.clear()
    before = Counter(house.keys("m"))
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == [2, 4, 6, 8, 10]
    again = {key: count for key, count in (Counter(house.keys("m")) - before).items() if before[key]}
    assert len(again) == 1, "the one that had failed, under its old key"
    assert all(count == 1 for count in again.values())


async def test_after_a_kill_only_items_that_had_not_ended_run_again() -> None:
    async with open_house() as house:
        gate = Gate(0)

        async def half(value: int, ctx: Any) -> int:
            return await gate(value, ctx) if value >= 5 else value

        house.on("half", half)
        thread_id = (await house.start(mapped(python="half", concurrency=5), input=list(range(10)))).thread.thread_id
        await house.until(lambda: gate.entered == 5 and _ended(house, thread_id) == (0, 5))
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id) == [0, 1, 2, 3, 4, 0, 0, 0, 0, 0]
            assert sorted(Counter(heir.keys("m")).values()) == [1] * 5 + [2] * 5


@pytest.mark.parametrize(("on_error", "status", "calls"), [("fail", "failed", 2), ("collect", "completed", 4)])
async def test_after_a_kill_a_failed_item_still_counts(on_error: str, status: str, calls: int) -> None:
    async with open_house() as house:
        gate, breaking = Gate("late"), Breaking(1)
        house.on("mixed", lambda value, ctx: gate(value, ctx) if value == 2 else breaking(value, ctx))
        parts = mapped(python="mixed", concurrency=2, on_item_error=on_error)
        thread_id = (await house.start(parts, input=[1, 2] if on_error == "fail" else [1, 2, 3])).thread.thread_id
        done = 1 if on_error == "collect" else 0
        await house.until(lambda: gate.entered and _ended(house, thread_id) == (1, done))
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert (await heir.thread(thread_id)).status == status
            assert heir.called("m") == calls


@pytest.mark.parametrize(
    "parts", [{"for_each": [0, 1]}, {"repeat": {"until": "m.output == 'ok'", "max_iterations": 5}}]
)
async def test_a_kill_after_a_resume_does_not_bring_the_old_failure_back(parts: dict[str, Any]) -> None:
    async with open_house() as house:
        breaking, gate = Breaking(1), Gate("ok")
        house.on("work", lambda value, ctx: breaking(ctx.index, ctx) if breaking.bad or not ctx.index else gate(0, ctx))
        thread_id = await house.run(step("m", python="work", input=0, **parts))
        assert (await house.thread(thread_id)).status == "failed"
        breaking.bad.clear()
        await house.resume(thread_id)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert (await heir.thread(thread_id)).status == "completed"


async def test_a_resume_over_another_list_begins_its_items_anew(house: House) -> None:
    breaking, gate = Breaking(2), Gate([7, 8])
    slow = Gate(None)

    async def last(value: int, ctx: Any) -> int:
        if value == 2:
            await slow(value, ctx)
        return await breaking(value, ctx)

    house.on("last", last)
    house.on("gate", gate)
    steps = (
        step("a", input=[1, 2], assign="list"),
        step("m", for_each="{context.list}", python="last", input="{item}", needs=["a"]),
        step("b", python="gate", needs=["a"], assign="list"),
    )
    thread_id = (await house.start(*steps)).thread.thread_id
    await house.until(lambda: slow.entered and gate.entered)
    gate.open()
    await house.until(lambda: sum(event.name == "step_complete" for event in house.tables.events[thread_id]) == 2)
    slow.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "failed"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert await output(house, thread_id) == [14, 16]


def _ended(house: House, thread_id: str) -> tuple[int, int]:
    """How many items have failed, and how many have completed."""
    found = [item.status for item in house.tables.items.get(thread_id, {}).values()]
    return found.count(StepStatus.FAILED), found.count(StepStatus.COMPLETED)


async def test_a_damaged_item_is_done_again(house: House) -> None:
    damaged = False

    async def last(value: int, ctx: Any) -> int:
        nonlocal damaged
        if value == 2 and not damaged:
            damaged = True
            for key, item in house.tables.items[ctx.thread_id].items():
                house.tables.items[ctx.thread_id][key] = replace(item, output='"nonsense"')
        return value

    house.on("last", last)
    thread_id = await house.run(mapped(python="last", concurrency=1), input=[1, 2])
    assert await output(house, thread_id) == [1, 2]
    assert house.called("m") == 3


async def test_items_that_are_workflows_wait_without_a_slot_and_all_end(house: House) -> None:
    await house.control.register({"name": "child", "steps": [step("c", input="{input}")]})
    thread_id = await house.run(step("m", for_each="{input}", workflow="child", input="{item}"), input=[1, 2, 3])
    assert await output(house, thread_id) == [{"c": 1}, {"c": 2}, {"c": 3}]
    assert len(await house.reads.children(thread_id)) == 3


async def test_items_that_sleep_give_the_slot_up_and_keep_their_time(house: House) -> None:
    thread_id = (await house.start({"id": "m", "for_each": [1, 2], "sleep": "1h"})).thread.thread_id
    await house.until_status(thread_id, "waiting")
    house.later(3601)
    await house.end(thread_id)
    assert await output(house, thread_id) == [None, None]


async def test_outputs_that_are_too_large_together_fail_the_step(house: House) -> None:
    async def large(value: Any, ctx: Any) -> str:
        return "x" * 3_000

    house.on("large", large)
    thread_id = await house.run(mapped(python="large"), input=[1, 2, 3, 4])
    assert json.loads((await house.execution(thread_id)).error or "{}")["kind"] == "output_too_large"


async def test_progress_tells_how_many_have_ended(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    thread_id = (await house.start(mapped(python="gate", concurrency=1), input=[1, 2])).thread.thread_id
    await house.until(lambda: gate.entered)
    gate.open()
    await house.end(thread_id)
    told = [json.loads(event.data) for event in await house.events(thread_id, "step_progress")]
    assert all(each["message"].endswith("of 2 items") for each in told)


async def test_a_repeat_goes_on_until_its_condition_holds_over_its_own_output(house: House) -> None:
    async def more(value: Any, ctx: Any) -> Any:
        return {"n": (value["n"] if value else 0) + 1}

    house.on("more", more)
    laps = {"until": "r.output.n >= 4", "max_iterations": 10}
    thread_id = await house.run(step("r", python="more", input="{r.output}", repeat=laps))
    assert await output(house, thread_id, "r") == {"n": 4}
    assert house.called("r") == 4
    assert [key.rsplit(":", 1)[1] for key in house.keys("r")] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("then", "status"), [("fail", "failed"), ("continue", "completed")])
async def test_a_repeat_is_bounded(house: House, then: str, status: str) -> None:
    laps = {"until": "false", "max_iterations": 3, "on_exhausted": then}
    thread_id = await house.run(step("r", repeat=laps, input="{iteration}"))
    assert (await house.thread(thread_id)).status == status
    assert len(house.tables.items[thread_id]) == 3
    if then == "fail":
        assert json.loads((await house.execution(thread_id)).error or "{}")["kind"] == "repeat_exhausted"
    else:
        assert await output(house, thread_id, "r") == 2


async def test_after_a_kill_a_repeat_goes_on_with_its_iteration() -> None:
    async with open_house() as house:
        gate = Gate(3)

        async def lap(value: int, ctx: Any) -> int:
            return await gate(value, ctx) if ctx.index == 2 else ctx.index

        house.on("lap", lap)
        laps = {"until": "r.output == 3", "max_iterations": 9}
        thread_id = (await house.start(step("r", python="lap", input=0, repeat=laps))).thread.thread_id
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert [key.rsplit(":", 1)[1] for key in heir.keys("r")] == ["0", "1", "2", "2"]
            assert await output(heir, thread_id, "r") == 3


async def test_a_repeat_that_was_resumed_keeps_its_new_iterations_over_a_kill() -> None:
    async with open_house() as house:
        gate = Gate(0)

        async def lap(value: int, ctx: Any) -> int:
            return await gate(value, ctx) if ctx.index == 4 else ctx.index

        house.on("lap", lap)
        laps = {"until": "r.output == 5", "max_iterations": 3}
        thread_id = await house.run(step("r", python="lap", input=0, repeat=laps))
        assert json.loads((await house.execution(thread_id)).error or "{}")["kind"] == "repeat_exhausted"
        await house.resume(thread_id)
        await house.until(lambda: gate.entered)
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert await output(heir, thread_id, "r") == 5


async def test_after_a_kill_an_iteration_whose_output_is_damaged_is_done_again() -> None:
    async with open_house() as house:
        gate = Gate(2)

        async def lap(value: int, ctx: Any) -> int:
            return await gate(value, ctx) if ctx.index == 2 else ctx.index

        house.on("lap", lap)
        laps = {"until": "r.output == 2", "max_iterations": 9}
        thread_id = (await house.start(step("r", python="lap", input=0, repeat=laps))).thread.thread_id
        await house.until(lambda: gate.entered)
        await house.die()
        items = house.tables.items[thread_id]
        items.update({key: replace(one, output='"nonsense"') for key, one in items.items() if key[2] == 1})
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert [key.rsplit(":", 1)[1] for key in heir.keys("r")] == ["0", "1", "2", "1", "2"]
            assert await output(heir, thread_id, "r") == 2


async def test_a_delay_lies_between_iterations_and_outlives_the_slot(house: House) -> None:
    laps = {"until": "r.output == 1", "max_iterations": 3, "delay": "10m"}
    thread_id = (await house.start(step("r", input="{iteration}", repeat=laps))).thread.thread_id
    await house.until_status(thread_id, "waiting")
    house.later(601)
    await house.end(thread_id)
    assert await output(house, thread_id, "r") == 1


async def test_what_parts_spend_stands_in_the_row_of_their_step(house: House) -> None:
    async def spend(value: int, ctx: Any) -> int:
        ctx.spend(Usage(input_tokens=value, cost_usd=0.5))
        return value

    house.on("spend", spend)
    thread_id = await house.run(mapped(python="spend"), input=[1, 2, 3])
    usage = (await house.steps(thread_id))["m"].usage
    assert usage == Usage(input_tokens=6, cost_usd=1.5)
    assert await house.reads.spent(thread_id) == usage


async def test_an_outage_while_outputs_are_put_together_fails_nothing(house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(gather, "_LOOK_AGAIN", 0.001)
    read, tries = house.reads.items, 0

    async def away(*asked: Any, **more: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise Unavailable("the store is away")
        return await read(*asked, **more)

    monkeypatch.setattr(MemoryReads, "items", lambda self, *asked, **more: away(*asked, **more))
    thread_id = await house.run(mapped(), input=[1, 2])
    assert (await output(house, thread_id), tries) == ([1, 2], 3)


async def test_an_iteration_that_is_a_workflow_ends_with_it(house: House) -> None:
    await house.control.register({"name": "child", "steps": [step("c", input="{input}")]})
    laps = {"until": "iteration == 2", "max_iterations": 5}
    parts = step("r", workflow="child", input="{iteration}", repeat=laps)
    thread_id = await house.run(parts)
    assert await output(house, thread_id, "r") == {"c": 2}


async def test_a_list_that_changes_under_a_running_step_is_found_out() -> None:
    async with open_house() as house:
        gates = {"m": Gate(), "b": Gate([9])}
        house.on("gate", gates["m"])
        house.on("late", gates["b"])
        steps = [
            step("a", input=[1, 2, 3], assign="l"),
            {**mapped("{context.l}", python="gate"), "needs": ["a"]},
            step("b", python="late", needs=["a"], assign="l"),
        ]
        thread_id = (await house.start(*steps)).thread.thread_id
        await house.until(lambda: gates["m"].entered)
        gates["b"].open()
        await house.until(lambda: sum(e.name == "step_complete" for e in house.tables.events[thread_id]) == 2)
        await house.die()
        async with open_house(house) as heir:
            gates["m"].open()
            await heir.end(thread_id)
            assert json.loads((await heir.execution(thread_id)).error or "{}")["kind"] == "items_changed"
