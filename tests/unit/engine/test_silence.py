"""`max_silence`: an attempt that neither ends nor reports for so long is stopped and tried again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from app.runners.registration import function
from tests.unit.engine.house import QUICK, Gate, House, open_house, step


async def test_a_silent_attempt_is_stopped_and_tried_again(house: House) -> None:
    async def silent_once(value: Any, ctx: Any) -> str:
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return "said"

    house.on("a", silent_once)
    thread_id = await house.run(step("a", python="a", max_silence="30ms", retry=QUICK))
    assert (await house.steps(thread_id))["a"].output == '"said"'
    [retried] = await house.events(thread_id, "step_retry")
    assert '"kind":"silent"' in retried.data


async def test_who_reports_is_not_silent_however_long_it_takes(house: House) -> None:
    async def talking(value: Any, ctx: Any) -> str:
        for turn in range(12):
            await asyncio.sleep(0.02)
            ctx.chunk("word ") if turn % 2 else ctx.progress(turn / 12)
        return "done"

    house.on("a", talking)
    thread_id = await house.run(step("a", python="a", max_silence="150ms", retry={"max_attempts": 1}))
    assert (await house.thread(thread_id)).status == "completed"


async def test_the_timeout_holds_beside_it(house: House) -> None:
    async def talking(value: Any, ctx: Any) -> None:
        while True:
            ctx.progress(None)
            await asyncio.sleep(0.005)

    house.on("a", talking)
    thread_id = await house.run(step("a", python="a", max_silence="1s", timeout="50ms", retry={"max_attempts": 1}))
    assert '"kind":"timeout"' in ((await house.execution(thread_id)).error or "")


async def test_a_thread_that_falls_silent_is_left_behind_and_can_see_that() -> None:
    seen = threading.Event()

    @function("deaf")
    def deaf(value: Any, ctx: Any) -> None:
        while not ctx.cancelled:
            threading.Event().wait(0.005)
        seen.set()

    async with open_house(grace=0.05) as house:
        house.functions.add(deaf)
        thread_id = await house.run(step("a", python="deaf", max_silence="30ms", retry={"max_attempts": 1}))
        assert '"kind":"silent"' in ((await house.execution(thread_id)).error or "")
        assert await asyncio.to_thread(seen.wait, 5)


async def test_one_that_does_not_stop_is_left_behind_after_the_grace() -> None:
    never = Gate()

    async def stubborn(value: Any, ctx: Any) -> None:
        for _ in range(3):
            try:
                await never(value, ctx)
            except asyncio.CancelledError:
                ctx.progress(0.5)  # even one that reports while it is to stop

    async with open_house(grace=0.05) as house:
        house.on("a", stubborn)
        thread_id = await house.run(step("a", python="a", max_silence="30ms", retry={"max_attempts": 1}))
        assert '"kind":"silent"' in ((await house.execution(thread_id)).error or "")
        assert "does not stop" in ((await house.execution(thread_id)).error or "")
        never.open()
