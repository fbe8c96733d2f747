"""The MCP server at /mcp, asked by the official client over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema_rs
import pytest
import pytest_asyncio

from app.mcp_server.annex import McpAnnex
from app.mcp_server.toolbox import TOOLS
from tests.tools.house import GATE, WRITE, House, calling, every_tool, open_house, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncGenerator[House]:
    """A service as it is without any setting, one for all tests but those that need one of their own."""
    async with open_house() as found:
        yield found


async def old(house: House, method: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    """A request as clients of 2025 make it, of whose session the service knows nothing."""
    known = {**HEADERS, "Mcp-Protocol-Version": "2025-06-18", "Mcp-Session-Id": "of-before", **(headers or {})}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return await house.http.post("/mcp", json=body, headers=known)


async def test_the_official_client_lists_and_calls_every_tool(house: House) -> None:
    async with calling(house.mcp) as caller:
        tools = (await caller.client.list_tools()).tools
        assert [tool.name for tool in tools] == list(TOOLS)
        await every_tool(caller)


async def test_every_tool_tells_a_model_what_it_needs(house: House) -> None:
    async with calling(house.mcp) as caller:
        for tool in (await caller.client.list_tools()).tools:
            assert len(tool.description or "") > 100
            assert tool.title
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is (tool.name in _READING)
            assert tool.output_schema is not None
            jsonschema_rs.validator_for(tool.input_schema)
            jsonschema_rs.validator_for(tool.output_schema)
            for field in tool.input_schema["properties"].values():
                assert field["description"], tool.name
        assert caller.client.instructions


_READING = {"invoke_status", "invoke_stream", "invoke_history", "workflow_monitor"}


async def test_a_retry_with_the_same_key_starts_nothing_twice(house: House) -> None:
    async with calling(house.mcp) as caller:
        first = await caller.start(WRITE, idempotency_key="once")
        assert await caller.start(WRITE, idempotency_key="once") == first
        assert "idempotency_key_reused" in await caller.refused(
            "invoke_async", workflow={"name": "other", "steps": [WRITE]}, idempotency_key="once"
        )


async def test_events_come_in_pages_each_once(house: House) -> None:
    async with calling(house.mcp) as caller:
        thread = await caller.start(WRITE, {**WRITE, "id": "again"})
        events, page = await caller.watch(thread, max_events=2)
        assert [event["seq"] for event in events] == list(range(1, 7))
        for event in events:
            jsonschema_rs.validate(page["event_schema"], event)


async def test_the_url_with_its_token_streams_the_same_events(house: House) -> None:
    async with calling(house.mcp) as caller:
        thread = await caller.start(WRITE)
        _, page = await caller.watch(thread)
        stream = await house.http.get(page["sse"]["url"])
        assert stream.status_code == 200
        assert stream.text.count("\nid: ") == page["last_seq"]
        other = page["sse"]["url"].replace(page["sse"]["token"], page["sse"]["token"][:-4] + "AAAA")
        assert (await house.http.get(other)).status_code == 401


async def test_a_stream_without_news_ends_in_time_with_its_cursor(house: House) -> None:
    async with calling(house.mcp) as caller:
        thread = await caller.start(GATE)
        _, page = await caller.watch(thread)
        again = await caller.call("invoke_stream", thread_id=thread, cursor=page["next_cursor"], wait=0.1)
        assert (again["events"], again["next_cursor"], again["done"]) == ([], page["next_cursor"], False)


async def test_progress_is_told_in_steps_and_only_rises(house: House) -> None:
    told: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with calling(house.mcp) as caller:
        thread = await caller.start(WRITE, {**WRITE, "id": "again"}, {"id": "rest", "sleep": "100ms"})
        await caller.client.call_tool("invoke_stream", {"thread_id": thread, "until": "end"}, progress_callback=note)
    assert told[-1] == (3, 3)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("invoke_status", {"thread_id": "nobody"}, "thread_not_found"),
        ("invoke_async", {"workflow": "nothing"}, "workflow_not_found"),
        ("invoke_async", {"workflow": {"name": "x", "steps": [{"id": "1"}]}}, "invalid_workflow"),
        ("invoke_stream", {"thread_id": "nobody", "cursor": -1}, "cursor"),
        ("invoke_stream", {}, "thread_id is required"),
        ("invoke_cancel", {"thread_id": "nobody", "why": 1}, "why is not an argument"),
        ("invoke_history", {"thread_id": "nobody", "version": 2}, "thread_not_found"),
        ("invoke_rollback", {"thread_id": "nobody", "to_version": 1}, "thread_not_found"),
        ("gate_answer", {"thread_id": "nobody", "step_id": "a", "answer": 1}, "thread_not_found"),
        ("gate_answer", {"thread_id": "..", "step_id": "async", "answer": 1}, "thread_id is not the id of a thread"),
        ("gate_answer", {"thread_id": "nobody", "step_id": "..", "answer": 1}, "step_id"),
        ("invoke_status", {"thread_id": ""}, "thread_id is not the id of a thread"),
        ("invoke_async", {"workflow": "x", "idempotency_key": ""}, "idempotency_key"),
        ("invoke_async", {"workflow": "x", "idempotency_key": "cl\u00e9"}, "idempotency_key"),
    ],
)
async def test_every_error_says_what_is_wrong_and_what_to_do(
    house: House, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with calling(house.mcp) as caller:
        text = await caller.refused(tool, **arguments)
        assert said in text
        assert "What to do: " in text
        assert "Traceback" not in text


async def test_a_number_that_json_does_not_have_is_refused(house: House) -> None:
    call = """{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params":
               {"name": "invoke_async", "arguments": {"workflow": "x", "input": [NaN]}}}"""
    answer = await house.http.post("/mcp", content=call, headers={**HEADERS, "Mcp-Protocol-Version": "2025-06-18"})
    assert "invalid_arguments: not a number or infinite" in answer.text


async def test_an_answer_that_does_not_fit_is_told_which_gates_are_open(house: House) -> None:
    async with calling(house.mcp) as caller:
        thread = await caller.start(GATE)
        await caller.watch(thread)
        for arguments in (
            {"step_id": "approve", "answer": 3},
            {"step_id": "other", "answer": 3},
            {"step_id": "approve"},
        ):
            text = await caller.refused("gate_answer", thread_id=thread, **arguments)
            assert "step approve asks: Publish it?" in text


async def test_a_workflow_that_failed_is_followed_retried_and_skipped(house: House) -> None:
    async with calling(house.mcp) as caller:
        thread = await caller.start({"id": "a", "agent": "failing"}, WRITE)
        events, page = await caller.watch(thread)
        assert (page["status"], events[-1]["event"]) == ("failed", "workflow_failed")
        await caller.call("invoke_resume", thread_id=thread)
        _, page = await caller.watch(thread, page["next_cursor"])
        assert page["status"] == "failed"
        await caller.call("invoke_resume", thread_id=thread, overrides={"a": {"agent": "writer"}})
        _, page = await caller.watch(thread, page["next_cursor"])
        assert page["status"] == "completed"


async def test_a_step_gets_the_signal_and_the_message_that_it_waits_for(house: House) -> None:
    steps = ({"id": "go", "wait_for": {"signal": "go"}}, {"id": "paid", "wait_for": {"topic": "orders.*"}})
    async with calling(house.mcp) as caller:
        thread = await caller.start(*steps)
        sent = [
            await caller.call("message_send", thread_id=thread, signal="go", data=1, idempotency_key="1") for _ in "ab"
        ]
        assert {one["signal"] for one in sent} == {"go"}
        await caller.call("message_send", topic="orders.paid", data=[2])
        await caller.watch(thread)
        assert (await caller.call("invoke_status", thread_id=thread))["output"]["paid"]["data"] == [2]
        for arguments in ({"thread_id": thread}, {"signal": "go"}, {"thread_id": thread, "signal": "go", "topic": "a"}):
            assert "give thread_id and signal, or topic alone" in await caller.refused("message_send", **arguments)


async def test_objects_that_come_as_the_text_of_json_are_read(house: House) -> None:
    schema = {"type": "object", "required": ["topic"]}
    await house.register("asking", GATE, {"id": "go", "wait_for": {"signal": "go"}}, input=schema)
    async with calling(house.mcp) as caller:
        started = await caller.call("invoke_async", workflow="asking", input='{"topic": "thread"}')
        thread = started["thread_id"]
        _, page = await caller.watch(thread)
        await caller.call("gate_answer", thread_id=thread, step_id="approve", answer='{"approved": true}')
        await caller.call("message_send", thread_id=thread, signal="go", data=' [{"n": 1}]')
        await caller.watch(thread, page["next_cursor"])
        output = (await caller.call("invoke_status", thread_id=thread))["output"]
    assert output == {"go": [{"n": 1}]}


async def test_a_workflow_of_texts_gets_the_text(house: House) -> None:
    await house.register("texts", {**WRITE, "input": {"topic": "{input}"}}, input={"type": "string"})
    async with calling(house.mcp) as caller:
        started = await caller.call("invoke_async", workflow="texts", input='{"a": 1}')
        assert (await caller.watch(started["thread_id"]))[1]["status"] == "completed"


async def test_who_asks_for_a_workflow_that_is_not_there_is_told_which_are(house: House) -> None:
    await house.register("sewn", WRITE)
    async with calling(house.mcp) as caller:
        text = await caller.refused("invoke_async", workflow="sown")
    assert "workflow_not_found: there is no workflow sown" in text
    assert "sewn" in text.partition("Registered are ")[2]


async def test_threads_and_definitions_are_resources(house: House) -> None:
    await house.register("sewn", WRITE, description="Writes once")
    async with calling(house.mcp) as caller:
        thread = await caller.start(WRITE)
        await caller.watch(thread)
        listed = {str(one.uri) for one in (await caller.client.list_resources()).resources}
        assert {f"backstitch://threads/{thread}", "backstitch://workflows/sewn"} <= listed
        templates = (await caller.client.list_resource_templates()).resource_templates
        for template in templates:
            uri = template.uri_template.format(thread_id=thread, version=2, name="sewn")
            found = (await caller.client.read_resource(uri)).contents[0]
            assert found.mime_type == "application/json"
        for uri, said in (
            ("threads/nobody", "no thread"),
            ("threads/..", "no resource"),
            ("workflows/..", "no resource"),
        ):
            with pytest.raises(Exception, match=said):
                await caller.client.read_resource(f"backstitch://{uri}")


async def test_a_client_of_before_with_a_session_of_before_goes_on(house: House) -> None:
    began = await old(
        house, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"}
    )
    assert began.status_code == 200
    assert "mcp-session-id" not in began.headers
    called = await old(house, "tools/call", name="workflow_monitor", arguments={})
    assert '"structuredContent"' in called.text
    assert (await old(house, "tasks/get", taskId="x")).text.count("Method not found") == 1


async def test_there_is_nothing_to_get_and_no_session_to_delete(house: House) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = await house.http.request(method, "/mcp", headers=HEADERS)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await house.http.post("/mcp/", json={})).status_code == 404


async def test_other_hosts_and_origins_are_turned_away(house: House) -> None:
    assert (await old(house, "ping", {"Host": "evil.example"})).status_code == 421
    assert (await old(house, "ping", {"Origin": "http://evil.example"})).status_code == 403
    assert (await old(house, "ping", {"Host": "localhost:1", "Origin": "http://localhost:9"})).status_code == 200


async def test_a_body_that_is_too_large_is_refused(house: House) -> None:
    most = house.services.limits.max_body_bytes
    assert (await house.http.post("/mcp", content=b"x" * (most + 1), headers=HEADERS)).status_code == 413


async def test_calls_are_counted_by_tool_and_outcome(house: House) -> None:
    before = await counted(house)
    async with calling(house.mcp) as caller:
        await caller.call("workflow_monitor")
        await caller.refused("invoke_status", thread_id="nobody")
        with pytest.raises(Exception, match="Unknown tool"):
            await caller.client.call_tool("nothing", {})
    assert await counted(house) - before == Counter(
        {
            'outcome="ok",tool="workflow_monitor"': 1,
            'outcome="refused",tool="invoke_status"': 1,
            'outcome="refused",tool="workflow"': 1,
        }
    )
    part = (await house.http.get("/api/health")).json()["parts"]["mcp_server"]
    assert (part["status"], part["loaded"], part["calls"]) == ("ready", True, (await counted(house)).total())


async def counted(house: House) -> Counter[str]:
    """What /metrics tells of calls, by labels."""
    page = (await house.http.get("/metrics")).text
    found = re.findall(r"^backstitch_mcp_calls_total\{(.*)\} (.*)$", page, re.MULTILINE)
    return Counter({labels: int(float(count)) for labels, count in found})


async def test_a_shutdown_ends_what_waits() -> None:
    async with open_house() as house, calling(house.mcp) as caller:
        thread = await caller.start(GATE)
        _, page = await caller.watch(thread)
        waits = asyncio.create_task(
            caller.client.call_tool(
                "invoke_stream", {"thread_id": thread, "cursor": page["next_cursor"], "until": "end"}
            )
        )
        while not house.services.bus.subscribers:  # noqa: ASYNC110 - nothing tells of them
            await asyncio.sleep(0)
        house.server.should_exit = True
        assert "No new events." in text_of(await waits)


async def test_switched_off_there_is_nothing_there() -> None:
    async with open_house(mcp_enabled=False) as house:
        answer = await house.http.post("/mcp", json={}, headers=HEADERS)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_one_that_cannot_be_loaded_is_told_of_and_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ImportError("no such module")

    monkeypatch.setattr(McpAnnex, "_made", fails)
    async with open_house() as house:
        answer = await old(house, "ping")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "no such module" in (await house.http.get("/api/health")).json()["parts"]["mcp_server"]["detail"]
