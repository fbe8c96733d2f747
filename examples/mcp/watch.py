"""Start a workflow and follow it to its end with the official MCP client, over the service's `/mcp`: what a model would do."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from mcp import Client

TOUR = {
    "name": "mcp-tour",
    "steps": [
        {"id": "read", "agent": "collector", "input": {"paths": []}},
        {"id": "links", "agent": "link-checker", "input": {"collection": "{read.output}"}},
    ],
    "output": {"pages": "{size(read.output.pages)}"},
}


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What the tool answers.  An error of the tool is an answer too, which the client does not raise."""
    found = await client.call_tool(tool, arguments)
    if found.is_error or found.structured_content is None:
        raise RuntimeError(" ".join(part.text for part in found.content if part.type == "text"))
    return found.structured_content


async def main(url: str) -> None:
    """Against the service at `url`."""
    async with Client(f"{url}/mcp") as client:
        print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        started = await call(client, "invoke_async", workflow=TOUR)
        thread, cursor, done = started["thread_id"], None, False
        while not done:  # each call waits for news, for 25 seconds at most
            where = {} if cursor is None else {"cursor": cursor}
            found = await call(client, "invoke_stream", thread_id=thread, **where)
            for event in found["events"]:
                print(event["seq"], event["event"], event["step_id"] or "")
            cursor, done = found["next_cursor"], found["done"]
        ended = await call(client, "invoke_status", thread_id=thread)
        print(ended["status"], ended["output"])


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
