"""The thread of a sub-workflow can be found from the step that started it, while it runs and afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.engine.house import Gate, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def test_the_step_keeps_the_id_of_its_thread(house: House) -> None:
    gate = Gate(5)
    house.on("gate", gate)
    await house.control.register({"name": "child", "steps": [step("c", python="gate")]})
    thread_id = (await house.start(step("sub", workflow="child"))).thread.thread_id
    await house.until_status(thread_id, "waiting")
    [child] = await house.reads.children(thread_id)
    assert (await house.steps(thread_id))["sub"].session_id == child.thread_id
    gate.open()
    await house.end(thread_id)
    assert (await house.steps(thread_id))["sub"].session_id == child.thread_id


async def test_each_item_keeps_that_of_its_own(house: House) -> None:
    await house.control.register({"name": "child", "steps": [step("c", input="{input}")]})
    thread_id = await house.run(step("m", for_each=[1, 2], workflow="child", input="{item}"))
    run = (await house.steps(thread_id))["m"]
    items = await house.reads.items(thread_id, (run.key_execution_id, "m"))
    outputs = [(await house.execution(item.session_id or "")).output for item in items]
    assert [json.loads(text or "") for text in outputs] == [{"c": 1}, {"c": 2}]
