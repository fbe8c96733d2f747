"""Slots and the lease: what is not there is not given, and past the lease nothing is taken or started."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.unit.engine.house import Gate, House, open_house, step

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def test_a_slot_that_is_not_there_is_not_given() -> None:
    async with open_house(slots=2) as house:
        await house.until(lambda: not house.worker._claims.backlog)
        assert [house.worker.reserve(name) for name in "abc"] == [True, True, False]
        for name in "ab":
            house.worker.unreserve(name)


async def test_past_the_lease_a_claim_takes_nothing(house: House) -> None:
    house.may_start = False
    thread_id = (await house.start(step("a"))).thread.thread_id
    await house.worker._claims._claim()
    assert house.tables.threads[thread_id].incarnation_id is None
    house.may_start = True
    house.worker.go_on()
    await house.end(thread_id)


async def test_a_process_that_freezes_after_the_launch_starts_nothing(house: House) -> None:
    assert house.worker._deps is not None
    spawn = house.worker._deps.spawn

    def spawn_and_freeze(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        house.may_start = False
        return spawn(work)

    gate = Gate()
    house.on("a", gate)
    house.worker._deps.spawn = spawn_and_freeze
    thread_id = (await house.start(step("a", python="a"))).thread.thread_id
    await house.until(lambda: not house.may_start)
    for _ in range(20):
        await asyncio.sleep(0)
    house.worker._deps.spawn = spawn
    assert house.called("a") == 0
    house.may_start = True
    house.worker.go_on()
    gate.open()
    await house.end(thread_id)
