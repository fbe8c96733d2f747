"""Cancelling: by whoever drives the thread if it lives, else at once; what was streamed so far is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.domain.errors import Conflict
from tests.unit.engine.house import Gate, House, open_house, step


async def talk(value: Any, ctx: Any) -> None:
    ctx.chunk("so ")
    ctx.chunk("far")
    await asyncio.Event().wait()


async def nobody_is_there(*_: Any) -> None:
    raise AssertionError("a dead process was asked")


async def test_what_a_step_had_streamed_is_kept_as_partial(house: House) -> None:
    house.on("a", talk)
    house.on("quiet", Gate())
    steps = step("a", python="a", needs=[]), step("b", python="quiet", needs=[])
    thread_id = (await house.start(*steps)).thread.thread_id
    await house.until(lambda: house.bus.texts(thread_id).get("a") == "so far")
    await house.control.cancel(thread_id)
    rows = await house.steps(thread_id)
    assert json.loads(rows["a"].output or "") == {"partial": True, "text": "so far"}
    assert (rows["a"].status, rows["b"].status, rows["b"].output) == ("cancelled", "cancelled", None)


async def test_another_process_lets_the_driver_cancel_it() -> None:
    async with open_house() as driver, open_house(driver) as other:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.bus.texts(thread_id))
        asking = asyncio.get_running_loop().create_task(other.control.cancel(thread_id, "enough"))
        await other.until(lambda: other.tables.threads[thread_id].signal)
        driver.worker.adopt_later()
        driver.worker.hint()
        assert (await asking).status == "cancelled"
        assert json.loads((await driver.steps(thread_id))["a"].output or "")["text"] == "so far"
        assert "enough" in ((await driver.execution(thread_id)).error or "")


async def test_a_driver_that_does_not_answer_loses_the_thread_after_the_grace() -> None:
    async with open_house(grace=0.05) as driver, open_house(driver, grace=0.05) as other:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.called("a"))
        driver.journal.cut = True
        async with asyncio.timeout(5):
            assert (await other.control.cancel(thread_id)).status == "cancelled"
        driver.journal.cut = False


async def test_a_driver_that_answers_at_the_last_moment_has_cancelled_it_as_asked() -> None:
    async with open_house() as driver, open_house(driver, grace=0.01) as other:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.called("a"))
        steer = other.journal._journal.steer

        async def too_late(thread: str, decide: Any) -> Any:
            await driver.worker.family.obey(thread, "enough")
            return await steer(thread, decide)

        other.journal.instead["steer"] = too_late
        assert (await other.control.cancel(thread_id)).status == "cancelled"
        with pytest.raises(Conflict, match="has ended"):
            await other.control.cancel(thread_id)


async def test_by_force_nobody_is_asked() -> None:
    async with open_house() as driver, open_house(driver) as other:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.called("a"))
        signalled: list[str] = []
        other.journal.instead["signal"] = lambda *a: signalled.append(a[0])
        assert (await other.control.cancel(thread_id, force=True)).status == "cancelled"
        assert signalled == []


async def test_a_dead_owners_thread_is_cancelled_directly() -> None:
    async with open_house() as driver, open_house(driver) as other:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.called("a"))
        driver.journal.cut = True
        del driver.tables.incarnations[driver.worker.incarnation_id]
        other.journal.instead["signal"] = nobody_is_there
        assert (await other.control.cancel(thread_id)).status == "cancelled"
        driver.worker._grace = 0.0


async def test_a_wish_to_cancel_outlives_its_driver() -> None:
    async with open_house() as driver:
        driver.on("a", talk)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: driver.called("a"))
        await driver.journal.signal(thread_id, "cancel:left behind")
        await driver.die()
    async with open_house(driver) as heir:
        await heir.end(thread_id)
        assert (await heir.thread(thread_id)).status == "cancelled"
        assert heir.called("a") == 1


async def test_a_commit_brings_the_wish_to_its_driver(house: House) -> None:
    gate = Gate()
    house.on("a", gate)
    thread_id = (await house.start(step("a", python="a"), step("b"))).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.journal.signal(thread_id, "cancel:")
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "cancelled"
    assert house.called("b") == 0


async def test_a_wish_that_was_withdrawn_is_not_obeyed(house: House) -> None:
    gate = Gate()
    house.on("a", gate)
    thread_id = (await house.start(step("a", python="a"))).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.worker.family.obey(thread_id, None)
    gate.open()
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_run_goes_on_when_the_wish_that_stopped_it_is_gone(house: House) -> None:
    gate = Gate()
    house.on("a", gate)
    thread_id = (await house.start(step("a", python="a"), step("b"))).thread.thread_id
    await house.until(lambda: gate.entered)
    await house.journal.signal(thread_id, "cancel:")
    commit = house.journal._journal.commit

    async def withdrawn(transition: Any) -> Any:
        signal = await commit(transition)
        house.tables.threads[thread_id].signal = None
        return signal

    house.journal._journal.commit = withdrawn
    gate.open()
    await house.end(thread_id)
    assert ((await house.thread(thread_id)).status, house.called("b")) == ("completed", 1)


async def test_one_that_ends_while_its_driver_is_asked_is_a_conflict() -> None:
    async with open_house() as driver, open_house(driver) as other:
        gate = Gate()
        driver.on("a", gate)
        thread_id = (await driver.start(step("a", python="a"))).thread.thread_id
        await driver.until(lambda: gate.entered)
        signal = driver.tables.threads[thread_id]
        other.journal.instead["signal"] = _ends(driver, thread_id, gate)
        with pytest.raises(Conflict, match="has ended"):
            await other.control.cancel(thread_id)
        assert signal.status == "completed"


def _ends(driver: House, thread_id: str, gate: Gate) -> Any:
    async def signal(*_: Any) -> None:
        gate.open()
        await driver.end(thread_id)

    return signal
