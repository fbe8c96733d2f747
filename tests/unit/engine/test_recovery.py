"""Crashes and goodbyes: what runs again, what never does, and what a broken drive leads to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import StartCommand
from app.domain.errors import Fenced, Unavailable
from app.domain.runner import StepFailure
from app.engine.drive import Drive
from tests.unit.engine.house import Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from app.domain.transition import Transition


async def begin(house: House, *steps: dict[str, Any], **options: Any) -> str:
    return (await house.start(*steps, **options)).thread.thread_id


async def test_after_a_kill_open_steps_run_again_with_their_key_and_completed_ones_do_not() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("b", gate)
        thread_id = await begin(house, step("a"), step("b", python="b"), step("c"))
        await house.until(lambda: gate.entered)
        run_id = (await house.steps(thread_id))["b"].id
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert [heir.called(name) for name in "abc"] == [1, 2, 1]
            assert len(set(heir.keys("b"))) == 1
            assert (await heir.steps(thread_id))["b"].id == run_id
            [resumed] = await heir.events(thread_id, "workflow_resumed")
            assert '"trigger":"recovery"' in resumed.data
            assert [version.version for version in await heir.versions(thread_id)] == [1, 2, 3, 4, 5]


async def test_a_goodbye_lets_running_steps_end_and_keeps_their_results() -> None:
    async with open_house() as house:
        gate = Gate("kept")
        house.on("b", gate)
        thread_id = await begin(house, step("a"), step("b", python="b"), step("c"))
        await house.until(lambda: gate.entered)
        asyncio.get_running_loop().call_later(0.01, gate.open)
    assert (await house.steps(thread_id))["b"].output == '"kept"'
    async with open_house(house) as heir:
        await heir.end(thread_id)
        assert [heir.called(name) for name in "abc"] == [1, 1, 1]


async def test_a_step_that_outlasts_the_grace_runs_again_elsewhere() -> None:
    async with open_house(grace=0.01) as house:
        gate = Gate("kept")
        house.on("b", gate)
        thread_id = await begin(house, step("b", python="b"))
        await house.until(lambda: gate.entered)
    assert gate.left == 0
    gate.open()
    async with open_house(house) as heir:
        await heir.end(thread_id)
        assert heir.called("b") == 2
        assert len(set(heir.keys("b"))) == 1


async def test_a_step_that_swallows_its_cancellation_does_not_hold_the_goodbye_up() -> None:
    done = asyncio.Event()

    async def deaf(_: Any, __: Any) -> None:
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(8):
        async with open_house(grace=0.01) as house:
            house.on("deaf", deaf)
            await begin(house, step("s", python="deaf"))
            await house.until(lambda: house.called("s"))
    done.set()


async def test_a_goodbye_just_after_a_resume_ends_at_once() -> None:
    async with asyncio.timeout(5):
        async with open_house(grace=4) as house:
            house.on("b", Failing(ValueError("x"), times=1))
            thread_id = await house.run(step("b", python="b", retry={"max_attempts": 1}))
            await house.resume(thread_id)
    async with open_house(house) as heir:
        await heir.end(thread_id)


async def test_a_step_that_had_failed_for_good_is_not_tried_again_after_a_kill() -> None:
    async with open_house() as house:
        gate = Gate()
        house.on("b", gate)
        house.on("a", Failing(StepFailure("hopeless", kind="refused", retryable=False)))
        steps = step("a", python="a", needs=[]), step("b", python="b", needs=[]), step("c", needs=["b"])
        thread_id = await begin(house, *steps)
        await house.until(lambda: any(run.status == "failed" for run in house.tables.runs[thread_id].values()))
        await house.die()
        async with open_house(house) as heir:
            gate.open()
            await heir.end(thread_id)
            assert [heir.called(name) for name in "abc"] == [1, 2, 0]
            assert (await heir.thread(thread_id)).status == "failed"
            assert '"kind":"refused"' in ((await heir.execution(thread_id)).error or "")
            assert (await heir.names(thread_id)).count("step_failed") == 1


async def test_a_long_sleep_survives_a_restart_and_ends_on_time() -> None:
    async with open_house() as house:
        thread_id = await begin(house, step("s", sleep="1h"), step("t"))
        await house.until_status(thread_id, "waiting")
    async with open_house(house) as heir:
        heir.later(1800)
        assert (await heir.thread(thread_id)).status == "waiting"
        heir.later(1801)
        await heir.end(thread_id)
        assert (await heir.thread(thread_id)).status == "completed"
        assert (await heir.names(thread_id)).count("step_start") == 2


async def test_a_short_sleep_gives_up_no_driver(house: House) -> None:
    thread_id = await house.run(step("s", sleep="20ms"))
    assert (await house.steps(thread_id))["s"].status == "completed"
    assert house.journal.commits <= 3


async def test_a_fenced_driver_stops_and_writes_nothing() -> None:
    async with open_house() as house:
        gate = Gate("zombie")
        house.on("b", gate)
        thread_id = await begin(house, step("b", python="b"))
        await house.until(lambda: gate.entered)
        house.tables.threads[thread_id].epoch += 1
        house.tables.threads[thread_id].incarnation_id = None
        before = await house.names(thread_id)
        gate.open()
        await house.until(lambda: house.worker.free == 10)
        assert await house.names(thread_id) == before
        assert (await house.steps(thread_id))["b"].status == "running"


async def test_a_bug_in_the_drive_interrupts_the_thread_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Drive, "settle", broken)
        thread_id = await begin(house, step("a"))
        await house.until_status(thread_id, "interrupted")
    assert (await house.names(thread_id))[-1] == "workflow_interrupted"
    assert (await house.thread(await house.run(step("a")))).status == "completed"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_thread_whose_state_cannot_be_read_is_interrupted() -> None:
    async with open_house(slots=1) as house:
        gate = Gate()
        house.on("gate", gate)
        first = await begin(house, step("g", python="gate"))
        await house.until(lambda: gate.entered)
        thread_id = await begin(house, step("a"))
        house.tables.checkpoints[thread_id][0].manifest = "{"
        gate.open()
        await house.end(first)
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status == "interrupted"


async def test_a_write_that_the_store_refuses_interrupts_the_thread(house: House) -> None:
    async def refuse(_: object) -> None:
        house.journal.before_commit = None
        raise RuntimeError("the store will not have it")

    house.journal.before_commit = refuse
    thread_id = await begin(house, step("a"))
    await house.until_status(thread_id, "interrupted")
    await house.until(lambda: house.worker.free == 10)


async def test_what_is_driven_and_what_is_being_started_is_not_adopted(house: House) -> None:
    gate = Gate()
    house.on("b", gate)
    thread_id = await begin(house, step("b", python="b"))
    await house.until(lambda: gate.entered)
    born = house.worker.reserve("being-born")
    house.tables.threads["being-born"] = house.tables.threads[thread_id]
    house.worker.adopt_later()
    await house.worker._claims._claim()
    assert (born, house.worker.running, house.worker._taken) == (True, 1, 2)
    house.worker.unreserve("being-born")
    del house.tables.threads["being-born"]
    gate.open()
    await house.end(thread_id)


async def test_a_start_whose_answer_is_lost_is_driven_all_the_same(house: House) -> None:
    write = house.journal._journal.start

    async def start_and_lose(start: Any) -> None:
        await write(start)
        raise Unavailable("the connection broke")

    house.journal.instead["start"] = start_and_lose
    command = StartCommand(workflow={"name": "w", "steps": [step("a")]}, thread_id="lost")
    with pytest.raises(Unavailable):
        await house.control.start(command)
    house.worker.hint()  # the worker looks again a second later by itself
    await house.end("lost")
    await house.until(lambda: house.worker.free == 10)


async def test_a_steer_whose_answer_is_lost_is_driven_all_the_same(house: House) -> None:
    house.on("b", Failing(ValueError("x"), times=1))
    thread_id = await house.run(step("b", python="b", retry={"max_attempts": 1}))
    write = house.journal._journal.steer

    async def steer_and_lose(*arguments: Any) -> None:
        await write(*arguments)
        del house.journal.instead["steer"]
        raise Unavailable("the connection broke")

    house.journal.instead["steer"] = steer_and_lose
    with pytest.raises(Unavailable):
        await house.resume(thread_id)
    house.worker.hint()
    await house.until_status(thread_id, "completed")


async def test_claims_go_on_after_the_store_was_away(house: House) -> None:
    claim = house.journal._journal.claim
    failures: list[Exception] = [Unavailable("away"), Fenced("odd"), ValueError("a bug")]

    async def away(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await claim(*arguments)

    house.journal.instead["claim"] = away
    thread_id = await begin(house, step("s", sleep="1h"))
    await house.until_status(thread_id, "waiting")
    async with asyncio.timeout(10):
        while failures:
            house.worker.hint()
            await asyncio.sleep(0.001)
    house.later(3601)
    await house.end(thread_id)


async def test_publishing_comes_only_after_the_commit(house: House) -> None:
    heard: list[str] = []
    house.bus.listen(lambda events: heard.extend(event.name for event in events))

    async def nothing_yet(transition: Transition) -> None:
        assert not {event.name for event in transition.events} & set(heard)

    house.journal.before_commit = nothing_yet
    thread_id = await house.run(step("a"))
    assert heard == await house.names(thread_id)
