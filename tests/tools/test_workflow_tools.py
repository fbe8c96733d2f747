"""Registered workflows as tools: plain for most clients, tasks for those that know them."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError
from mcp_types import Result

from app.mcp_server import server
from app.mcp_server.workflows import WorkflowTools
from tests.tools.house import GATE, WRITE, House, calling, open_house, text_of
from tests.tools.tasks_client import CancelTask, GetTask, Task, TaskParams, Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

TOPIC = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncGenerator[House]:
    """A service whose workflows are all tools, with some of its own; one for all tests."""
    async with open_house(mcp_workflow_tools="all") as found:
        await found.register("sewn", WRITE, description="Writes once", input=TOPIC)
        await found.register("asking", GATE)
        await found.register("failing", {"id": "a", "agent": "failing"})
        await found.register("lists", {"id": "a", "agent": "writer"}, input={"type": "array"})
        yield found


async def ask(_: Any, __: Any) -> Any:
    """A client that can ask its user; the tests answer by `Tasks`."""


async def test_each_has_its_input_schema(house: House) -> None:
    async with calling(house.mcp) as caller:
        tools = {tool.name: tool for tool in (await caller.client.list_tools()).tools}
        assert tools["run_sewn"].input_schema == TOPIC
        assert (tools["run_sewn"].description or "").startswith("Writes once. Runs the workflow sewn (version 1)")
        assert tools["run_lists"].input_schema["properties"]["input"] == {"type": "array"}
        assert tools["run_content-strategy"].annotations


async def test_a_plain_client_gets_the_output(house: House) -> None:
    async with calling(house.mcp) as caller:
        found = await caller.call("run_sewn", topic="thread")
        assert (found["finished"], found["output"]["write"]["by"]) == (True, "writer")
        assert (await caller.call("run_lists", input=[1]))["finished"] is True


async def test_a_plain_client_gets_the_output_however_much_happens_on_the_way(house: House) -> None:
    long = {"id": "long", "agent": "writer", "input": "x" * 40_000}
    await house.register("wordy", long, {"id": "rest", "sleep": "300ms"}, output={"n": 1})
    async with calling(house.mcp) as caller:
        assert (await caller.call("run_wordy"))["output"] == {"n": 1}


async def test_workflows_whose_names_would_be_one_are_two_tools(house: House) -> None:
    await house.register("a.b", WRITE, output="first")
    await house.register("a_b", WRITE, output="second")
    async with calling(house.mcp) as caller:
        about = {tool.name: tool.description or "" for tool in (await caller.client.list_tools()).tools}
        [dotted] = [name for name, text in about.items() if "workflow a.b " in text]
        assert (await caller.call(dotted))["output"] == "first"
        assert (await caller.call("run_a_b"))["output"] == "second"


async def test_a_plain_client_is_told_how_to_go_on_where_it_takes_longer(house: House) -> None:
    async with calling(house.mcp) as caller:
        found = await caller.call("run_asking")
        assert (found["finished"], found["status"]) == (False, "waiting")
        await caller.call("gate_answer", thread_id=found["thread_id"], step_id="approve", answer={"approved": True})
        _, page = await caller.watch(found["thread_id"], found["next_cursor"])
        assert page["status"] == "completed"


async def test_wrong_arguments_and_failures_are_errors_that_say_what_to_do(house: House) -> None:
    async with calling(house.mcp) as caller:
        assert '"topic" is a required property' in await caller.refused("run_sewn", topik=1)
        assert "invoke_resume" in await caller.refused("run_failing")


async def test_one_key_in_the_call_starts_one_thread(house: House) -> None:
    async with calling(house.mcp) as caller:
        meta: Any = {"dev.backstitch/idempotencyKey": "once"}
        found = [await caller.client.call_tool("run_asking", {}, meta=meta) for _ in range(2)]
        assert len({(one.structured_content or {})["thread_id"] for one in found}) == 1
        refused = await caller.client.call_tool("run_asking", {}, meta={"dev.backstitch/idempotencyKey": 7})
        assert "idempotencyKey in _meta should be" in text_of(refused)


async def test_a_client_that_knows_tasks_gets_one_and_its_user_answers(house: House) -> None:
    tasks = Tasks({"approved": True})
    async with calling(house.mcp, extensions=[tasks], elicitation_callback=ask) as caller:
        found = await caller.call("run_asking")
        assert found["output"] == {"approve": {"approved": True}}
    asking = next(task for task in tasks.seen if task.status == "input_required")
    [request] = (asking.input_requests or {}).values()
    assert request["params"]["message"] == "Publish it?"
    assert request["params"]["requestedSchema"]["required"] == ["approved"]


async def test_a_task_that_failed_is_a_result_with_an_error(house: House) -> None:
    tasks = Tasks({})
    async with calling(house.mcp, extensions=[tasks]) as caller:
        result = await caller.client.call_tool("run_failing", {})
        assert result.is_error
        assert "invoke_resume" in text_of(result)
    assert tasks.seen[-1].status == "completed"


async def test_a_question_that_was_declined_stays_open_and_the_task_can_be_cancelled(house: House) -> None:
    async with calling(house.mcp, extensions=[Tasks()], elicitation_callback=ask) as caller:
        thread = await caller.start(GATE)
        await caller.watch(thread)
        session, params = caller.client.session, TaskParams(task_id=thread)
        for _ in range(2):
            asking = await session.send_request(GetTask(params=params), Task)
            await Tasks(None)._answer(asking, caller.client)
            assert asking.status == "input_required"
        for _ in range(2):
            await session.send_request(CancelTask(params=params), Result)
        assert (await session.send_request(GetTask(params=params), Task)).status == "cancelled"


async def test_a_client_that_cannot_ask_is_pointed_to_the_tool(house: House) -> None:
    async with calling(house.mcp, extensions=[Tasks()]) as caller:
        thread = await caller.start(GATE)
        await caller.watch(thread)
        task = await caller.client.session.send_request(GetTask(params=TaskParams(task_id=thread)), Task)
        assert task.status == "working"
        assert "call the tool gate_answer" in task.status_message


async def test_tasks_are_for_those_who_know_them_and_for_threads_that_there_are(house: House) -> None:
    request = GetTask(params=TaskParams(task_id="nobody"))
    async with calling(house.mcp) as caller:
        with pytest.raises(MCPError) as refused:
            await caller.client.session.send_request(request, Task)
        assert refused.value.code == -32021
    async with calling(house.mcp, extensions=[Tasks()]) as caller:
        with pytest.raises(MCPError) as unknown:
            await caller.client.session.send_request(request, Task)
        assert unknown.value.code == -32602


async def test_a_look_at_the_workflows_that_fails_is_not_the_last(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, again = itertools.count(), asyncio.Event()

    async def fails(*_: Any) -> Any:
        if next(looks):
            again.set()
        raise RuntimeError("no")

    monkeypatch.setattr(server, "_LOOK_EVERY", 0.01)
    async with calling(house.mcp) as caller, asyncio.timeout(30), caller.client.listen(tools_list_changed=True):
        with monkeypatch.context() as broken:
            broken.setattr(WorkflowTools, "listed", fails)
            await again.wait()
        assert (await caller.call("workflow_monitor"))["service"]["able"] is True


async def test_who_listens_is_told_of_another_workflow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LOOK_EVERY", 0.01)
    async with calling(house.mcp) as caller:
        await caller.client.list_tools()
        async with asyncio.timeout(30), caller.client.listen(tools_list_changed=True) as changes:
            await house.register("another", WRITE)
            async for _ in changes:
                break
        names = [tool.name for tool in (await caller.client.list_tools(cache_mode="refresh")).tools]
        assert "run_another" in names


async def test_only_those_that_are_named_are_tools() -> None:
    async with open_house(mcp_workflow_tools="asking, nothing") as house:
        await house.register("asking", GATE)
        async with calling(house.mcp) as caller:
            names = [tool.name for tool in (await caller.client.list_tools()).tools]
            assert [name for name in names if name.startswith("run_")] == ["run_asking"]
