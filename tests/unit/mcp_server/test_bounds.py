"""What is too long for a model is told by its size and a preview."""

from __future__ import annotations

from app.mcp_server import bounds

LONG = "x" * bounds.MOST


async def test_a_long_output_is_told_by_its_size() -> None:
    status = await bounds.fitting_status({"thread_id": "t", "output": {"text": LONG}})
    assert status["thread_id"] == "t"
    assert (status["output"]["truncated"], status["output"]["size_bytes"]) == (True, bounds.MOST + len('{"text":""}'))
    short = {"output": {"n": 10**30}}
    assert await bounds.fitting_status(short) == short


async def test_of_a_state_only_the_long_values_are_cut() -> None:
    state = {
        "input": LONG,
        "context": {"a": 1, "b": LONG},
        "steps": {"s": {"output": LONG, "status": "completed"}},
        "metadata": {},
    }
    found = (await bounds.fitting_state({"version": 2, "state": state}))["state"]
    assert found["context"]["a"] == 1
    assert found["steps"]["s"]["status"] == "completed"
    assert all(one["truncated"] for one in (found["input"], found["context"]["b"], found["steps"]["s"]["output"]))
