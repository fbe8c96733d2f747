"""A whole service in memory with its MCP server behind a real port, and the official client of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from mcp import Client

from app.api.app import create_app
from app.api.server import Server, configure, listener
from app.bootstrap import open_services
from app.cli.annexes import annexes
from app.settings import load_settings
from tests.api.service import until_open
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from mcp_types import CallToolResult

GATE = {
    "id": "approve",
    "gate": {
        "title": "Publish it?",
        "form": {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]},
    },
}
WRITE = {"id": "write", "agent": "writer", "input": {"topic": "thread"}}


@dataclass
class House:
    """The service, where it is, and a plain HTTP client of it."""

    services: Any
    server: Server
    url: str
    http: httpx.AsyncClient

    @property
    def mcp(self) -> str:
        """Where MCP clients go."""
        return f"{self.url}/mcp"

    async def register(self, name: str, *steps: Any, **more: Any) -> None:
        """Make a workflow known."""
        answer = await self.http.post("/api/workflows", json={"name": name, "steps": list(steps), **more})
        assert answer.status_code in (200, 201), answer.text


@asynccontextmanager
async def open_house(**given: Any) -> AsyncGenerator[House]:
    """The service, until the block ends."""
    settings = load_settings(**{"modules": "tests.api.agents", "checkpointer": "memory", **given})
    async with open_services(settings) as services:
        application = create_app(lambda: nullcontext(services), annexes(settings))
        with listener("127.0.0.1", 0) as taken:
            server = Server(configure(application, "info"), services)
            port = taken.getsockname()[1]
            serving = asyncio.create_task(server.serve(sockets=[taken]))
            await until_open(port)
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False) as http:
                yield House(services, server, url, http)
            server.should_exit = True
            await serving


class Caller:
    """The official client, with what tests ask of it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool gives; the client has held it against the tool's output schema."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, text_of(result)
        assert text_of(result)
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """How a tool refuses."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        return text_of(result)

    async def start(self, *steps: Any, **more: Any) -> str:
        """The thread of a new workflow of these steps."""
        document = {"name": "sewing", "steps": list(steps)}
        return (await self.call("invoke_async", workflow=document, **more))["thread_id"]

    async def watch(self, thread_id: str, cursor: int = 0, **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All events by `invoke_stream` alone, up to the end or the first question; and the last answer."""
        events: list[dict[str, Any]] = []
        while True:
            page = await self.call("invoke_stream", thread_id=thread_id, cursor=cursor, **more)
            events += page["events"]
            cursor = page["next_cursor"]
            if page["done"] or any(event["event"] == "gate_waiting" for event in page["events"]):
                return events, page


@asynccontextmanager
async def calling(target: Any, **options: Any) -> AsyncIterator[Caller]:
    """A client of a URL, or of pipes."""
    async with Client(target, **options) as client:
        yield Caller(client)


def text_of(result: CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


async def every_tool(caller: Caller) -> None:
    """Call each tool at least once, in the life of one thread."""
    thread = await caller.start(WRITE, GATE)
    events, page = await caller.watch(thread, until="end")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert thread in [one["thread_id"] for one in (await caller.call("workflow_monitor"))["threads"]]
    listed = await caller.call("gate_answer", thread_id=thread)
    assert [gate["step_id"] for gate in listed["open_gates"]] == ["approve"]
    await caller.call("gate_answer", thread_id=thread, step_id="approve", answer={"approved": True})
    rest, page = await caller.watch(thread, page["next_cursor"])
    assert (page["status"], rest[-1]["event"]) == ("completed", "workflow_complete")
    assert (await caller.call("invoke_status", thread_id=thread))["output"] == {"approve": {"approved": True}}
    history = (await caller.call("invoke_history", thread_id=thread))["history"]
    assert [entry["current_step"] for entry in history] == ["START", "write", "approve", "END"]
    preview = await caller.call("invoke_rollback", thread_id=thread, to_version=2, dry_run=True)
    assert preview["runs_again"] == ["approve"]
    await caller.call("invoke_rollback", thread_id=thread, to_version=2)
    await caller.call("invoke_cancel", thread_id=thread, reason="enough")
    sent = await caller.call("message_send", topic="house.ended", data={"thread": thread})
    assert (sent["topic"], sent["thread_id"]) == ("house.ended", None)
    await caller.call("invoke_resume", thread_id=thread, skip={"approve": {"approved": False}})
    _, page = await caller.watch(thread, page["next_cursor"], until="end")
    assert page["status"] == "completed"
