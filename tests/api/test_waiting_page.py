"""The examples of docs/waiting.md run, on the whole service; events of threads are given to those who wait for them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.api.real import open_real

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.api.real import Real

PAGE = (Path(__file__).parents[2] / "docs/waiting.md").read_text("utf-8")
ORDER, AFTER = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


@pytest.fixture
async def real() -> AsyncGenerator[Real]:
    async with open_real() as service:
        yield service


async def begun(real: Real, workflow: dict[str, Any], given: Any, thread_id: str, status: str = "waiting") -> None:
    """A thread that has come to a status."""
    await real.post("/api/invoke/async", {"workflow": workflow, "input": given, "thread_id": thread_id})
    await until(real, thread_id, status)


async def until(real: Real, thread_id: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (found := await real.get(f"/api/invoke/status/{thread_id}"))["status"] != status:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.005)
    return found


async def test_the_example_waits_for_a_message_and_then_for_a_signal(real: Real) -> None:
    await begun(real, ORDER, {"order": 42, "amount": 10}, "order-42")
    [wait] = (await real.get("/api/waits"))["waits"]
    assert (wait["topic"], wait["match"]) == ("orders.42.paid", "message.data.amount >= input.amount")
    for amount in (2.5, 12.5, 20):
        await real.post("/api/messages/orders.42.paid", {"amount": amount})
    async with asyncio.timeout(60):
        while not (await real.get("/api/waits", signal="released", open=True))["waits"]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await real.post("/api/invoke/signals/order-42/released?by=ana", {"by": "ana"})
    output = (await until(real, "order-42", "completed"))["output"]
    assert (output["paid"]["data"], output["released_by"]) == ({"amount": 12.5}, {"by": "ana"})


async def test_a_thread_waits_for_the_end_of_another(real: Real) -> None:
    await begun(real, AFTER, {"order": 7}, "after")
    for number in (6, 7):
        workflow = {**ORDER, "steps": [{"id": "pause", "sleep": 0}], "output": {"number": "{input.order}"}}
        await begun(real, workflow, {"order": number, "amount": 1}, f"order-{number}", "completed")
    assert (await until(real, "after", "completed"))["output"] == {"number": 7}


async def test_a_message_that_came_before_its_step_began_is_taken(real: Real) -> None:
    steps = [{"id": "hold", "wait_for": {"signal": "go"}}, {"id": "paid", "wait_for": {"topic": "orders.*.paid"}}]
    await real.post("/api/messages/orders.7.paid", "of another time")
    await begun(real, {"name": "early", "steps": steps, "output": "{paid.output.data}"}, None, "early")
    await real.post("/api/messages/orders.7.paid", "first")
    await real.post("/api/messages/orders.8.paid", "second")
    await real.post("/api/invoke/signals/early/go")
    assert (await until(real, "early", "completed"))["output"] == "first"


async def test_a_message_that_is_published_twice_is_taken_once(real: Real) -> None:
    parts = {"for_each": [1, 2], "concurrency": 2}
    step = {"id": "each", "wait_for": {"topic": "t"}, **parts}
    await begun(real, {"name": "each", "steps": [step]}, None, "each")
    for key in ("k1", "k1", "k2"):
        await real.post("/api/messages/t", {"n": key}, key=key)
    found = (await until(real, "each", "completed"))["output"]["each"]
    assert sorted(one["data"]["n"] for one in found) == ["k1", "k2"]
