"""Sub-workflows: threads of their own, whose parents wait without a slot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.commands import StepOverride
from app.domain.errors import NotFound, Unavailable
from app.domain.runner import StepFailure
from tests.unit.engine.house import QUICK, Failing, Gate, House, open_house, step

PARENT = step("child", workflow="inner", input={"n": 1})


async def inner(house: House, *steps: dict[str, Any]) -> None:
    await house.control.register({"name": "inner", "steps": list(steps)})


async def child_of(house: House, thread_id: str) -> str:
    await house.until(lambda: any(t.parent_thread_id == thread_id for t in house.tables.threads.values()))
    [child] = await house.reads.children(thread_id)
    return child.thread_id


async def test_a_child_is_a_thread_of_its_own_whose_output_is_the_steps(house: House) -> None:
    await inner(house, step("x", input="{input.n + 1}"))
    thread_id = await house.run(PARENT)
    assert json.loads((await house.execution(thread_id)).output or "") == {"child": {"x": 2}}
    child = await house.thread(await child_of(house, thread_id))
    assert child.thread_id.startswith("sub:")
    assert child.parent_run_id == (await house.steps(thread_id))["child"].id
    assert len(await house.versions(child.thread_id)) == 3


async def test_with_one_slot_in_all_a_parent_and_its_children_complete() -> None:
    async with open_house(slots=1) as house:
        await inner(house, step("x", input="{input.n}"))
        thread_id = await house.run(PARENT, step("second", workflow="inner", input={"n": 2}))
        assert json.loads((await house.execution(thread_id)).output or "") == {"second": {"x": 2}}
        await house.until(lambda: house.worker.free == 1)


async def test_a_child_that_ends_while_its_parent_is_busy_is_seen_at_once(house: House) -> None:
    gate = Gate()
    house.on("busy", gate)
    await inner(house, step("x"))
    started = await house.start(
        {**PARENT, "needs": []}, step("busy", python="busy", needs=[]), step("after", needs=["child"])
    )
    await house.until(lambda: house.called("after"))
    gate.open()
    await house.end(started.thread.thread_id)


async def test_a_child_that_had_ended_before_its_parent_began_to_listen_is_seen(house: House) -> None:
    busy, inside = Gate(), Gate()
    house.on("busy", busy)
    house.on("inside", inside)
    await inner(house, step("x", python="inside"))
    steps = ({**PARENT, "needs": []}, step("busy", python="busy", needs=[]), step("after", needs=["child"]))
    thread_id = (await house.start(*steps)).thread.thread_id
    child_id = await child_of(house, thread_id)
    await house.until(lambda: house.worker.family._parents)
    house.worker.family._parents.clear()
    inside.open()
    await house.end(child_id)
    house.worker.waits_for(child_id, thread_id)
    await house.until(lambda: house.called("after"))
    busy.open()
    await house.end(thread_id)


async def test_a_child_that_fails_fails_its_step(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", kind="refused", retryable=False)))
    await inner(house, step("x", python="bad"))
    thread_id = await house.run(PARENT)
    error = json.loads((await house.execution(thread_id)).error or "")
    assert (error["kind"], error["step_id"]) == ("workflow_failed", "child")
    assert "no" in error["message"]


async def test_a_damaged_output_of_a_child_is_not_used(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    thread_id = (await house.start(PARENT)).thread.thread_id
    await house.until(lambda: gate.entered)
    [child] = await house.reads.children(thread_id)
    gate.open()
    house.journal.before_commit = lambda move: _damage(house, child.execution_id, move)
    await house.end(thread_id)
    error = json.loads((await house.execution(thread_id)).error or "")
    assert (error["kind"], error["step_id"]) == ("state_corrupt", "child")


async def _damage(house: House, execution_id: str, move: Any) -> None:
    for update in move.execution_updates:
        if update.id == execution_id and update.output is not None:
            update.output_sha256 = b"of something else"


async def test_a_retry_of_the_step_goes_on_with_its_child(house: House) -> None:
    house.on("flaky", Failing(ValueError("x"), times=1))
    await inner(house, step("dear"), step("x", python="flaky", retry={"max_attempts": 1}))
    thread_id = await house.run({**PARENT, "retry": QUICK})
    assert [child.status for child in await house.reads.children(thread_id)] == ["completed"]
    assert (house.called("dear"), house.called("x")) == (1, 2)


async def test_resuming_a_parent_resumes_the_child_that_failed(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", retryable=False), times=1))
    await inner(house, step("dear"), step("x", python="bad"))
    thread_id = await house.run(PARENT)
    assert (await house.thread(thread_id)).status == "failed"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert [child.status for child in await house.reads.children(thread_id)] == ["completed"]
    assert (house.called("dear"), house.called("x")) == (1, 2)


async def test_a_resumed_child_is_cancelled_with_its_parent(house: House) -> None:
    gate = Gate()
    house.on("bad", Failing(StepFailure("no", retryable=False), times=1))
    house.on("gate", gate)
    await inner(house, step("x", python="bad"), step("y", python="gate"))
    thread_id = await house.run(PARENT)
    await house.resume(thread_id)
    await house.until(lambda: gate.entered)
    await house.until_status(thread_id, "waiting")
    await house.control.cancel(thread_id)
    assert (await house.thread(await child_of(house, thread_id))).status == "cancelled"


async def test_other_input_for_the_step_is_another_child(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", retryable=False), times=1))
    await inner(house, step("x", python="bad", input="{input.n}"))
    thread_id = await house.run(PARENT)
    await house.resume(thread_id, overrides={"child": StepOverride(input={"n": 2})})
    await house.end(thread_id)
    assert sorted(child.status for child in await house.reads.children(thread_id)) == ["completed", "failed"]


async def test_an_unknown_workflow_fails_the_step_for_good(house: House) -> None:
    thread_id = await house.run(step("child", workflow="nobody", retry=QUICK))
    assert json.loads((await house.execution(thread_id)).error or "")["kind"] == "configuration"
    with pytest.raises(NotFound):
        await house.control.wait("sub:nobody", 1)


@pytest.mark.parametrize("how", ["cancel", "rollback", "resume"])
async def test_steering_the_parent_away_reaches_its_running_child(house: House, how: str) -> None:
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    thread_id = (await house.start(PARENT)).thread.thread_id
    child_id = await child_of(house, thread_id)
    await house.until_status(thread_id, "waiting")
    if how == "cancel":
        await house.control.cancel(thread_id)
    elif how == "rollback":
        await house.rollback(thread_id, 1, resume=False)
    else:
        await house.control.pause(thread_id)
        await house.resume(thread_id, skip={"child": None})
    assert (await house.thread(child_id)).status == "cancelled"
    gate.open()


async def test_the_child_of_the_new_drive_is_not_cancelled_with_the_old_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate("done")
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    thread_id = (await house.start(PARENT)).thread.thread_id
    await house.until(lambda: gate.entered == 1)
    await house.until_status(thread_id, "waiting")
    children = house.reads.children

    async def late(parent_id: str) -> Any:
        await house.until(lambda: gate.entered == 2)
        return await children(parent_id)

    monkeypatch.setattr(house.worker._stores.reads, "children", late)
    await house.rollback(thread_id, 1)
    gate.open()
    await house.end(thread_id)
    assert sorted(child.status for child in await house.reads.children(thread_id)) == ["cancelled", "completed"]


async def test_a_parent_that_fails_beside_a_waiting_child_ends_it(house: House) -> None:
    gate, trap = Gate(), Gate()
    house.on("gate", gate)
    house.on("bad", Failing(StepFailure("no", retryable=False)))
    house.on("trap", trap)
    await inner(house, step("x", python="gate"))
    steps = ({**PARENT, "needs": []}, step("trap", python="trap", needs=[]), step("bad", python="bad", needs=["trap"]))
    thread_id = (await house.start(*steps)).thread.thread_id
    await house.until(lambda: gate.entered)
    trap.open()
    await house.end(thread_id)
    await house.until_status(await child_of(house, thread_id), "cancelled")


async def test_a_crash_between_the_childs_start_and_the_parents_wait_starts_nothing_twice() -> None:
    async with open_house() as house:
        await inner(house, step("x"))

        async def die(transition: Any) -> None:
            if any(update.status == "waiting" for update in transition.step_updates):
                await house.die()

        house.journal.before_commit = die
        thread_id = (await house.start(PARENT)).thread.thread_id
        await house.until(lambda: house.journal.cut)
        async with open_house(house) as heir:
            await heir.end(thread_id)
            assert len(await heir.reads.children(thread_id)) == 1
            assert (await heir.thread(thread_id)).status == "completed"


async def test_a_child_that_its_parents_cancel_did_not_reach_ends_when_it_is_taken_up() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("gate", gate)
        await inner(house, step("x", python="gate"))
        thread_id = (await house.start(PARENT)).thread.thread_id
        child_id = await child_of(house, thread_id)
        await house.until_status(thread_id, "waiting")
        steer = house.journal._journal.steer

        async def only_the_parent(steered: str, *rest: Any) -> Any:
            if steered != thread_id:
                await house.die()
                raise NotFound("dead")
            return await steer(steered, *rest)

        house.journal.instead["steer"] = only_the_parent
        with pytest.raises(NotFound):
            await house.control.cancel(thread_id)
        async with open_house(house) as heir:
            await heir.end(child_id)
            assert (await heir.thread(child_id)).status == "cancelled"


async def test_a_grandchild_is_reached_too(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    await house.control.register({"name": "middle", "steps": [step("m", workflow="inner")]})
    thread_id = (await house.start(step("top", workflow="middle"))).thread.thread_id
    await house.until(lambda: gate.entered)
    middle = await child_of(house, thread_id)
    lowest = await child_of(house, middle)
    await house.control.cancel(thread_id)
    assert (await house.thread(lowest)).status == "cancelled"


async def test_a_parent_waits_no_longer_than_its_timeout(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    thread_id = (await house.start({**PARENT, "timeout": "5s"})).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.until_status(thread_id, "waiting")
    house.later(6)
    await house.end(thread_id)
    assert json.loads((await house.execution(thread_id)).error or "")["kind"] == "timeout"
    assert (await house.thread(await child_of(house, thread_id))).status == "cancelled"


async def test_the_default_timeout_is_not_for_what_waits(house: House) -> None:
    document = {"name": "patient", "defaults": {"timeout": "1s"}, "steps": [step("rest", sleep="1h")]}
    spec = await house.control.validate(document)
    assert spec.by_id["rest"].timeout is None


async def test_an_outage_while_a_child_is_looked_at_spends_no_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inner(house, step("x"))
    look, away = house.worker._stores.reads.thread, [True]

    async def sometimes(thread_id: str) -> Any:
        if away and thread_id.startswith("sub:"):
            away.pop()
            raise Unavailable("the database is away")
        return await look(thread_id)

    monkeypatch.setattr(house.worker._stores.reads, "thread", sometimes)
    thread_id = (await house.start({**PARENT, "retry": {"max_attempts": 1}})).thread.thread_id
    await house.until_status(thread_id, "waiting")
    house.later(3)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
    assert (await house.steps(thread_id))["child"].attempt == 1


async def test_a_parent_that_parks_while_its_child_ends_is_woken(house: House) -> None:
    """The two commits may miss each other: the child's finds nothing parked, the parent's nothing ended."""
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))
    thread_id = (await house.start(PARENT)).thread.thread_id
    child = await child_of(house, thread_id)
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: gate.entered and house.worker.find(thread_id) is None)
    write = house.journal._journal._write

    def missed(move: Any) -> Any:
        if move.thread_id == child:
            move.wake_thread_id = None
        return write(move)

    house.journal._journal._write = missed
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_child_that_ends_while_the_commit_of_its_parents_parking_is_on_its_way_is_seen(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    await inner(house, step("x", python="gate"))

    async def late(move: Any) -> None:
        if move.thread_id == thread_id and move.wake_at is not None:  # it is about to give up its slot
            gate.open()
            child = await child_of(house, thread_id)
            await house.end(child)

    house.journal.before_commit = late
    thread_id = (await house.start(PARENT)).thread.thread_id
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"
