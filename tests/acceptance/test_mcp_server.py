"""The service as an MCP server: over HTTP and over pipes, with the official client and the inspector, and through a kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client

from app.mcp_server.toolbox import TOOLS
from tests.acceptance.service import ROOT, Service, environment, free_port, running
from tests.acceptance.test_steer import held
from tests.tools.house import Caller, calling, every_tool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
OLDEST_NODE = 20
WRITE = {"id": "write", "agent": "worker"}


@asynccontextmanager
async def pipes(folder: Path, *arguments: str, **settings: object) -> AsyncGenerator[Any]:
    """`backstitch mcp` as clients start it; what it says goes into a file."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "app.cli", "mcp", *arguments],
        env=environment(None, ACCEPTANCE_CALLS=folder / "calls", MODULES="tests.acceptance.functions", **settings),
        cwd=folder,
    )
    with (folder / "mcp.log").open("a", encoding="utf-8") as log:
        async with stdio_client(parameters, errlog=log) as streams:
            yield streams


async def test_the_official_client_calls_every_tool_over_pipes(service: Service, tmp_path: Path) -> None:
    async with calling(pipes(tmp_path, "--url", service.url)) as caller:
        assert [tool.name for tool in (await caller.client.list_tools()).tools] == list(TOOLS)
        await every_tool(_Worker(caller.client))


class _Worker(Caller):
    """The agents here are others than those of the tests in one process."""

    async def start(self, *steps: Any, **more: Any) -> str:
        """The thread of a new workflow of these steps."""
        known = [{**step, "agent": "worker"} if "agent" in step else step for step in steps]
        return await super().start(*known, **more)


async def test_without_a_service_it_runs_one_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    async with calling(pipes(tmp_path, PORT=port, CHECKPOINTER="memory")) as caller:
        thread = await _Worker(caller.client).start(WRITE)
        events, page = await caller.watch(thread)
        assert page["status"] == "completed"
        assert page["sse"]["url"].startswith(f"http://127.0.0.1:{port}/api/invoke/stream/{thread}?token=")
        # A second client finds it, and needs none of its own.
        async with calling(pipes(tmp_path, PORT=port, CHECKPOINTER="memory")) as second:
            again, _ = await second.watch(thread)
            assert [event["seq"] for event in again] == [event["seq"] for event in events]
    assert "starting one that ends with this client" in (tmp_path / "mcp.log").read_text()


async def test_a_kill_in_between_loses_nothing_for_clients_that_go_on(tmp_path: Path) -> None:
    with running(tmp_path / "service") as service:
        start = {"workflow": held(tmp_path), "idempotency_key": "once"}
        async with calling(pipes(tmp_path, "--url", service.url)) as stdio:
            async with calling(f"{service.url}/mcp") as http:
                thread = (await http.call("invoke_async", **start))["thread_id"]
                seen, cursor = await _until_b_runs(http, thread)
            heard, _ = await _until_b_runs(stdio, thread)
            # The client over pipes waits for an event while the service dies, and is answered when it is back.
            waits = asyncio.create_task(stdio.call("invoke_stream", thread_id=thread, cursor=cursor))
            await asyncio.to_thread(service.kill)
            await asyncio.to_thread(lambda: service.start().ready())
            async with calling(f"{service.url}/mcp") as http:
                assert (await http.call("invoke_async", **start))["thread_id"] == thread
                page = await waits
                (tmp_path / "go").touch()
                more, _ = await stdio.watch(thread, page["next_cursor"])
                rest, last = await http.watch(thread, cursor)
            whole = list(range(1, last["last_seq"] + 1))
            assert (last["status"], [event["seq"] for event in [*seen, *rest]]) == ("completed", whole)
            assert [event["seq"] for event in [*heard, *page["events"], *more]] == whole


async def _until_b_runs(caller: Caller, thread: str) -> tuple[list[dict[str, Any]], int]:
    """The events of the start, of a, and of the beginning of b, one by one; and the cursor behind them."""
    events: list[dict[str, Any]] = []
    while len(events) < 4:
        page = await caller.call("invoke_stream", thread_id=thread, cursor=len(events), max_events=1)
        events += page["events"]
    return events, len(events)


def inspect(inspector: str, folder: Path, *arguments: str) -> Any:
    """What the inspector's command line says, as JSON."""
    command, env = [inspector, "--cli", *arguments], {**os.environ, **environment(None)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def inspector() -> str:
    """The inspector, installed by npm once."""
    if shutil.which("npx") is None:
        pytest.skip("npx is not installed: it comes with Node.js")
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if int(node.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"the inspector needs Node.js {OLDEST_NODE} or newer, not {node}")
    command = ["npx", "--yes", f"--package={INSPECTOR}", "-c", "command -v mcp-inspector"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    if found.returncode != 0:
        pytest.skip(f"npm cannot install {INSPECTOR}: no registry can be reached")
    return found.stdout.strip()


async def test_the_inspector_lists_and_calls_tools_over_http_and_pipes(
    service: Service, tmp_path: Path, inspector: str
) -> None:
    ways = [
        [f"{service.url}/mcp", "--transport", "http"],
        [sys.executable, "-m", "app.cli", "mcp", "--url", service.url, "-e", f"PYTHONPATH={ROOT}"],
    ]
    call = ("--method", "tools/call", "--tool-name", "workflow_monitor", "--tool-arg", "limit=3")
    for way in ways:
        listed, called = await asyncio.gather(
            asyncio.to_thread(inspect, inspector, tmp_path, *way, "--method", "tools/list"),
            asyncio.to_thread(inspect, inspector, tmp_path, *way, *call),
        )
        assert [tool["name"] for tool in listed["tools"]] == list(TOOLS)
        assert called["structuredContent"]["service"]["able"] is True
