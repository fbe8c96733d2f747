"""What a thread has held in memory goes with its end, without a garbage collection."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.engine.house import Gate, step
from tests.unit.engine.test_flow import begin

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.unit.engine.house import House


@pytest.fixture(autouse=True)
def no_collection() -> Generator[None]:
    gc.disable()
    yield
    gc.enable()


async def is_let_go(house: House, thread_id: str, gate: Gate) -> bool:
    """Whether the drive of a running thread is gone once it has ended."""
    await house.until(lambda: gate.entered)
    run = house.worker.find(thread_id)
    assert run is not None
    held = weakref.ref(run._drive)
    del run
    gate.open()
    await house.end(thread_id)
    for _ in range(20):
        await asyncio.sleep(0.005)
    return held() is None


async def test_a_thread_of_a_document_leaves_nothing(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)
    steps = [step("m", for_each=[1, 2]), step("a", python="gate"), step("b", on_error="continue")]
    thread_id = (await house.start(*steps)).thread.thread_id
    assert await is_let_go(house, thread_id, gate)


async def test_a_workflow_in_python_leaves_nothing(house: House) -> None:
    gate = Gate()
    house.on("gate", gate)

    async def flow(ctx: Any, given: Any) -> Any:
        await ctx.gather(ctx.step("a", python="gate"), ctx.step("b", python="echo"))

    thread_id = await begin(house, flow)
    assert await is_let_go(house, thread_id, gate)
