"""A small MCP server for tests, on stdio or streamable HTTP: python mcp_server.py [--http PORT] [--marks FILE].

Its tools report progress, fail, sleep, write down that they were called, and end the process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ImageContent, TextContent

parser = argparse.ArgumentParser()
parser.add_argument("--http", type=int)
parser.add_argument("--marks", type=Path)
options = parser.parse_args()

logging.basicConfig(level=logging.WARNING)
server = MCPServer("tester", version="1.0")


def mark(word: str) -> None:
    """Write a line down."""
    if options.marks is not None:
        with options.marks.open("a") as file:
            file.write(f"{word}\n")


@server.tool()
async def echo(value: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """What it is given, and what was told beside it."""
    meta = ctx.request_context.meta
    key = meta.get("backstitch/idempotencyKey") if meta else None
    mark(f"echo {key}")
    return {"value": value, "key": key}


@server.tool(structured_output=False)
async def say(text: str) -> str:
    """A text, as a text block."""
    return text


@server.tool(structured_output=False)
async def blocks() -> CallToolResult:
    """Two blocks."""
    image = ImageContent(type="image", data="aGk=", mime_type="image/png")
    return CallToolResult(content=[TextContent(type="text", text="hi"), image])


@server.tool()
async def environment(name: str) -> str:
    """A variable of the process."""
    return os.environ.get(name, "")


@server.tool()
async def fail(message: str) -> str:
    """Fails."""
    mark("fail")
    raise ValueError(message)


@server.tool()
async def walk(steps: int, ctx: Context) -> int:
    """Reports progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    return steps


@server.tool()
async def log(text: str, ctx: Context) -> str:
    """Logs a message over MCP, and another on stderr."""
    await ctx.info(text)
    sys.stderr.write(f"stderr: {text}\n")
    sys.stderr.flush()
    return text


@server.tool()
async def nap(seconds: float, name: str = "nap") -> str:
    """Sleeps; what it wrote down tells whether it was let sleep."""
    mark(f"{name} begun")
    try:
        await asyncio.sleep(seconds)
    except BaseException:
        mark(f"{name} cancelled")
        raise
    mark(f"{name} done")
    return name


@server.tool()
async def wait_for(path: str, name: str) -> str:
    """Waits until there is such a file."""
    mark(f"{name} begun")
    while not Path(path).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
        await asyncio.sleep(0.02)
    mark(f"{name} done")
    return name


@server.tool()
async def big(size: int, ctx: Context, streamed: bool = False) -> str:
    """A long text, on a stream if something is told before it."""
    if streamed:
        await ctx.report_progress(1, 2)
    return "x" * size


@server.tool()
async def pid() -> int:
    """The process."""
    return os.getpid()


@server.tool()
async def leave(code: int = 3) -> str:
    """Ends the process."""
    mark("leave")
    sys.stderr.write("leaving now\n")
    sys.stderr.flush()
    os._exit(code)


@server.tool()
async def grow(name: str, ctx: Context) -> str:
    """A new tool, which clients are told of."""

    async def grown() -> str:
        return name

    server.add_tool(grown, name=name, description="grown")
    await ctx.notify_tools_changed()
    return name


if __name__ == "__main__":
    mark(f"started {os.getpid()}")
    if options.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=options.http)
