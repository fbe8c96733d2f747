"""Rolling back: the head moves, nothing is lost, and what ran is fenced."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import InvalidRequest, NotFound
from app.domain.runner import StepFailure
from tests.unit.engine.house import Failing, Gate, open_house, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House

THREE = (step("a", input={"n": 1}), step("b", python="b", input={"of": "{a.output}"}), step("c"))


def once(error: str = "not yet") -> Failing:
    return Failing(StepFailure(error, retryable=False), times=1, answer="done")


async def numbers(house: House, thread_id: str) -> list[tuple[int, int | None]]:
    return [(version.version, version.parent_version) for version in await house.versions(thread_id)]


async def waiting_in(house: House, *steps: dict[str, Any], **options: Any) -> str:
    return (await house.start(*steps, **options)).thread.thread_id


async def test_rolling_back_to_two_goes_on_with_the_next_version_and_parent_two(house: House) -> None:
    house.on("b", Failing(ValueError(), times=0))
    thread_id = await house.run(*THREE)
    old = await numbers(house, thread_id)
    accepted = await house.rollback(thread_id, 2)
    assert (accepted.from_version, accepted.thread.head_version) == (5, 2)
    await house.end(thread_id)
    assert await numbers(house, thread_id) == [*old, (6, 2), (7, 6), (8, 7)]
    assert [event.seq for event in await house.events(thread_id)] == list(
        range(1, (await house.thread(thread_id)).last_seq + 1)
    )
    assert [house.called(name) for name in "abc"] == [1, 2, 2]
    assert len(set(house.keys("b"))) == 2


async def test_the_late_result_of_a_thread_rolled_back_while_it_runs_is_discarded(house: House) -> None:
    gate = Gate("late")
    house.on("b", gate)
    thread_id = await waiting_in(house, *THREE)
    await house.until(lambda: gate.entered)
    old = await house.execution(thread_id)
    await house.rollback(thread_id, 1)
    gate.open()
    await house.end(thread_id)
    superseded = await house.reads.execution(old.id)
    assert superseded is not None
    assert (superseded.status, json.loads(superseded.error or "")["kind"]) == ("cancelled", "superseded")
    rows = await house.reads.steps(thread_id, execution_id=old.id)
    assert {row.step_id: (row.status, row.output) for row in rows} == {
        "a": ("completed", '{"n":1}'),
        "b": ("cancelled", None),
    }
    assert (await house.names(thread_id)).count("workflow_cancelled") == 0
    assert house.called("a") == 2


async def test_rolling_back_without_running_on_leaves_it_paused(house: House) -> None:
    thread_id = await house.run(step("a"), step("b"))
    accepted = await house.rollback(thread_id, 2, resume=False)
    assert accepted.thread.status == "paused"
    again = await house.resume(thread_id)
    assert again.execution_id == accepted.execution_id
    await house.end(thread_id)
    assert [house.called(name) for name in "ab"] == [1, 2]


async def test_rolling_back_to_the_end_completes_and_runs_nothing(house: House) -> None:
    thread_id = await house.run(step("a", input=7))
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    accepted = await house.rollback(thread_id, 3)
    assert accepted.thread.status == "completed"
    assert (await house.execution(thread_id)).output == '{"a":7}'
    assert house.called("a") == 1
    with pytest.raises(InvalidRequest):
        await house.rollback(thread_id, 3, context={"x": 1})


async def test_no_such_version_and_no_such_thread_are_told(house: House) -> None:
    thread_id = await house.run(step("a"))
    with pytest.raises(NotFound) as version:
        await house.rollback(thread_id, 9)
    with pytest.raises(NotFound) as thread:
        await house.resume("nobody")
    assert (version.value.code, thread.value.code) == ("version_not_found", "thread_not_found")


async def test_a_context_edited_by_a_rollback_survives_a_crash_before_the_first_version(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    steps = (step("a"), step("b", python="b"), step("c", input="{context.mood}"))
    thread_id = await waiting_in(house, *steps, context={"mood": "bad"})
    await house.until(lambda: gate.entered == 1)
    await house.rollback(thread_id, 2, context={"mood": "good"})
    await house.until(lambda: gate.entered == 2)
    await house.die()
    async with open_house(house) as next_house:
        gate.open()
        await next_house.end(thread_id)
        assert json.loads((await next_house.execution(thread_id)).output or "") == {"c": "good"}


async def test_two_rollbacks_at_once_leave_one_driver(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    thread_id = await waiting_in(house, *THREE)
    await house.until(lambda: gate.entered)
    await asyncio.gather(house.rollback(thread_id, 1), house.rollback(thread_id, 2))
    gate.open()
    await house.end(thread_id)
    await house.until(lambda: house.worker.free == 10)
    assert house.worker.running == 0
    assert (await house.thread(thread_id)).status == "completed"
    assert (await house.names(thread_id)).count("workflow_complete") == 1
