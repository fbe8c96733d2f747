"""Attempts that are over, or should be: stopped at once, and whatever they still do or say counts for nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.runner import Completed, StepFailure
from tests.unit.engine.house import QUICK, Failing, Gate, House, open_house, step


class Deaf:
    """Its first call swallows its cancellation and goes on until the test lets it; the second waits for its turn."""

    def __init__(self) -> None:
        self.entered, self.first, self.second = 0, asyncio.Event(), asyncio.Event()
        self.context: Any = None
        self.gone = False

    async def __call__(self, value: Any, ctx: Any) -> str:
        self.entered += 1
        if self.entered > 1:
            await self.second.wait()
            return "second"
        self.context = ctx
        while not self.first.is_set():
            try:
                await self.first.wait()
            except asyncio.CancelledError:
                continue
        self.gone = True
        return "late"


async def two_at_once(house: House) -> tuple[str, Deaf]:
    """A thread whose first attempt was left behind and still runs beside the second."""
    deaf = Deaf()
    house.on("s", deaf)
    thread_id = (
        await house.start(step("s", python="s", timeout="20ms", retry=QUICK | {"max_attempts": 9}))
    ).thread.thread_id
    await house.until(lambda: deaf.entered >= 2)
    return thread_id, deaf


async def test_what_an_abandoned_attempt_returns_is_discarded() -> None:
    async with open_house(grace=0.02) as house:
        thread_id, deaf = await two_at_once(house)
        deaf.first.set()
        await house.until(lambda: deaf.gone)
        deaf.second.set()
        await house.end(thread_id)
        assert (await house.steps(thread_id))["s"].output == '"second"'
        assert (await house.thread(thread_id)).status == "completed"


async def test_an_attempt_that_ended_during_a_long_commit_is_not_abandoned_as_well() -> None:
    async with open_house(grace=0.02) as house:
        held, release, gate = asyncio.Event(), asyncio.Event(), Gate("done")

        async def hold(transition: Any) -> None:
            if any(event.name == "step_complete" and event.step_id == "a" for event in transition.events):
                held.set()
                await release.wait()

        house.journal.before_commit = hold
        house.on("gate", gate)
        slow = step("b", python="gate", needs=[], timeout="30ms", retry=QUICK)
        thread_id = (await house.start(step("a"), slow)).thread.thread_id
        await held.wait()
        gate.open()
        await house.until(lambda: gate.left)
        await asyncio.sleep(0.1)  # past its time and the grace
        release.set()
        await house.end(thread_id)
        assert (await house.thread(thread_id)).status == "completed"
        assert (house.called("b"), (await house.steps(thread_id))["b"].output) == (1, '"done"')


async def test_an_abandoned_attempt_says_nothing_more() -> None:
    async with open_house(grace=0.02) as house:
        thread_id, deaf = await two_at_once(house)
        deaf.first.set()
        await house.until(lambda: deaf.gone)
        await asyncio.sleep(0)
        deaf.context.chunk("from beyond")
        deaf.context.progress(0.5, "from beyond")
        assert (house.bus.texts(thread_id), deaf.context.cancelled) == ({}, True)
        assert not house.worker.runs()[thread_id]._reports._told
        deaf.second.set()
        await house.end(thread_id)


async def test_cancelling_reaches_into_the_running_step(house: House) -> None:
    stopped = asyncio.Event()

    async def work(value: Any, ctx: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    house.on("s", work)
    thread_id = (await house.start(step("s", python="s"))).thread.thread_id
    await house.until(lambda: house.called("s"))
    await house.control.cancel(thread_id)
    async with asyncio.timeout(3):
        await stopped.wait()
    assert (await house.thread(thread_id)).status == "cancelled"


async def test_a_silent_attempt_is_stopped_at_once() -> None:
    async with open_house(grace=6) as house:
        house.on("s", Gate())
        started = await house.start(step("s", python="s", max_silence="20ms", retry={"max_attempts": 1}))
        async with asyncio.timeout(4):
            await house.end(started.thread.thread_id)
        assert "does not stop" not in ((await house.execution(started.thread.thread_id)).error or "")


async def test_an_attempt_over_its_time_is_stopped_at_once() -> None:
    async with open_house(grace=6) as house:
        house.on("s", Gate())
        started = await house.start(step("s", python="s", timeout="20ms", retry={"max_attempts": 1}))
        async with asyncio.timeout(4):
            await house.end(started.thread.thread_id)
        assert "does not stop" not in ((await house.execution(started.thread.thread_id)).error or "")


async def test_a_step_that_changes_its_result_afterwards_changes_nothing(house: House) -> None:
    result = {"n": [1]}

    async def give(value: Any, ctx: Any) -> Any:
        asyncio.get_running_loop().call_soon(result["n"].append, 2)
        return result

    house.on("give", give)
    thread_id = await house.run(step("a", python="give"), step("b", input="{a.output.n}"))
    assert (await house.execution(thread_id)).output == '{"b":[1]}'


async def test_a_session_id_with_odd_characters_is_kept_as_text(house: House) -> None:
    class Odd:
        async def perform(self, attempt: Any) -> Completed:
            return Completed(output=1, session_id="a\x00b\ud800")

        def check(self, step: Any) -> list[str]:
            return []

    assert house.worker._deps is not None
    house.worker._deps.runners["python"] = Odd()  # type: ignore[index]
    thread_id = await house.run(step("s"))
    assert (await house.steps(thread_id))["s"].session_id == "ab?"


async def test_no_step_stays_open_under_a_failed_thread(house: House) -> None:
    house.on("bad", Failing(StepFailure("no", retryable=False)))
    steps = step("rest", sleep="1h", needs=[]), step("a", needs=[]), step("bad", python="bad", needs=["a"])
    thread_id = await house.run(*steps)
    rows = await house.steps(thread_id)
    assert (rows["rest"].status, rows["bad"].status) == ("cancelled", "failed")
    assert all(row.completed_at is not None for row in rows.values())


async def test_attempts_that_were_spent_stay_spent_over_a_crash() -> None:
    async with open_house() as house:
        calls = [ValueError("once")]

        async def flaky(value: Any, ctx: Any) -> None:
            if calls:
                raise calls.pop()
            await asyncio.Event().wait()

        house.on("s", flaky)
        await house.start(step("s", python="s", retry=QUICK), thread_id="mine")
        await house.until(lambda: house.called("s") == 2)
        await house.die()
    async with open_house(house) as heir:
        heir.functions.by_name.clear()
        heir.on("s", Gate.opened)
        await heir.end("mine")
        assert [call[2] for call in heir.calls][-1] == 2


async def test_the_text_of_a_step_goes_with_its_end(house: House) -> None:
    gate = Gate()

    async def talk(value: Any, ctx: Any) -> str:
        ctx.chunk("said")
        return "done"

    house.on("talk", talk)
    house.on("gate", gate)
    thread_id = (await house.start(step("a", python="talk"), step("b", python="gate"))).thread.thread_id
    await house.until(lambda: gate.entered)
    assert house.bus.texts(thread_id) == {}
    gate.open()
    await house.end(thread_id)


async def test_a_goodbye_waits_for_no_step_beyond_its_grace() -> None:
    deaf = Deaf()
    try:
        async with asyncio.timeout(5):
            async with open_house(grace=0.01) as house:
                house.on("s", deaf)
                await house.start(step("s", python="s"))
                await house.until(lambda: deaf.entered)
    finally:
        deaf.first.set()


async def cancels_itself(value: Any, ctx: Any) -> None:
    """As a library does that uses its task's cancellation and forgets to take it back."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(5)


async def breaks_off(value: Any, ctx: Any) -> None:
    raise GeneratorExit


@pytest.mark.parametrize("odd", [cancels_itself, breaks_off])
async def test_an_attempt_that_cancels_itself_has_failed(house: House, odd: Any) -> None:
    house.on("s", odd)
    thread_id = await house.run(step("s", python="s", retry={"max_attempts": 2, **QUICK}))
    assert (await house.thread(thread_id)).status == "failed"
    assert "cancelled itself" in ((await house.execution(thread_id)).error or "")
    assert house.called("s") == 2
