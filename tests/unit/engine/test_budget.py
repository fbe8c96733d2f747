"""Recovery never loops: a thread whose step kills its process again and again is given up, with the reason."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.engine import steering, takeup
from tests.unit.engine.house import Gate, House, open_house, step


async def crash(house: House, thread_id: str, calls: int) -> None:
    """Wait until its step `b` has been called so often, then die."""
    await house.until(lambda: house.called("b") == calls)
    await house.die()


async def crash_often(before: House, thread_id: str, times: int, *, first: int = 2) -> House:
    """Recover it so often, and crash each time while `b` runs."""
    for count in range(times):
        async with open_house(before) as heir:
            await crash(heir, thread_id, first + count)
            before = heir
    return before


async def begun() -> tuple[House, str]:
    """A process that died while `b` ran for the first time."""
    async with open_house() as house:
        house.on("b", Gate())
        thread_id = (await house.start(step("a"), step("b", python="b"))).thread.thread_id
        await crash(house, thread_id, 1)
    return house, thread_id


async def die_loading(before: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The next process dies while it loads the thread: for want of memory, say."""
    loading = asyncio.Event()

    async def endless(*_: Any) -> None:
        loading.set()
        await asyncio.Event().wait()

    async with open_house(before) as heir:
        with monkeypatch.context() as patched:
            patched.setattr(takeup, "load_or_heal", endless)
            await asyncio.wait_for(loading.wait(), 5)
            await heir.die()
    return heir


async def test_after_ten_recoveries_in_a_row_that_brought_nothing_it_is_interrupted() -> None:
    house, thread_id = await begun()
    last = await crash_often(house, thread_id, 10)
    async with open_house(last) as heir:
        await heir.end(thread_id)
        assert heir.called("b") == 11
        error = json.loads((await heir.execution(thread_id)).error or "")
        assert error["kind"] == "recovery_exhausted"
        assert "11 times" in error["message"]
        assert "b" in error["message"]
        assert (await heir.names(thread_id))[-1] == "workflow_interrupted"
        assert (await heir.thread(thread_id)).status == "interrupted"


async def test_any_step_that_ends_sets_the_count_back() -> None:
    house, thread_id = await begun()
    last = await crash_often(house, thread_id, 3)
    assert house.tables.threads[thread_id].recoveries == 4
    async with open_house(last) as heir:
        heir.functions.by_name.clear()
        heir.on("b", Gate.opened)
        await heir.end(thread_id)
        assert (await heir.thread(thread_id)).recoveries == 0


async def test_who_resumes_it_starts_the_count_anew() -> None:
    house, thread_id = await begun()
    last = await crash_often(house, thread_id, 10)
    async with open_house(last) as heir:
        await heir.end(thread_id)
        await heir.resume(thread_id)
        await heir.until(lambda: heir.called("b") == 12)
        assert (await heir.thread(thread_id)).recoveries == 0
        await heir.control.cancel(thread_id)


async def test_a_goodbye_and_a_crash_while_it_waits_do_not_count() -> None:
    async with open_house(grace=0.01) as house:
        house.on("b", Gate())
        running = (await house.start(step("b", python="b"))).thread.thread_id
        asleep = (await house.start(step("nap", sleep="1h"))).thread.thread_id
        await house.until_status(asleep, "waiting")
        await house.until(lambda: house.called("b"))
    assert house.tables.threads[running].recoveries == 0
    async with open_house(house) as heir:
        await crash(heir, running, 2)
    rows: dict[str, Any] = house.tables.threads
    assert (rows[running].recoveries, rows[asleep].recoveries) == (1, 0)


async def test_a_step_that_merely_waits_beside_it_brings_the_thread_no_further() -> None:
    async with open_house() as house:
        house.on("b", Gate())
        steps = step("b", python="b", needs=[]), step("nap", sleep="1h", needs=[])
        thread_id = (await house.start(*steps)).thread.thread_id
        await crash(house, thread_id, 1)
    last = await crash_often(house, thread_id, 10)
    assert last.tables.threads[thread_id].recoveries == 11
    async with open_house(last) as heir:
        await heir.end(thread_id)
        assert (await heir.thread(thread_id)).status == "interrupted"


async def test_a_thread_whose_loading_ends_its_process_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before, thread_id = await begun()
    for _ in range(10):
        before = await die_loading(before, monkeypatch)
    async with open_house(before) as heir:
        monkeypatch.setattr(takeup, "load_or_heal", None)
        monkeypatch.setattr(steering, "context_text", None)
        await heir.end(thread_id)
        error = json.loads((await heir.execution(thread_id)).error or "")
        assert (error["kind"], error["message"].rpartition(" ")[2]) == ("recovery_exhausted", "b")
