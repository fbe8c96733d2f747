"""The stock LangGraph client against a Backstitch service: a workflow is an assistant, a version a checkpoint."""

from __future__ import annotations

import asyncio
import os

from langgraph_sdk import get_client

from app.client import Backstitch

TOUR = {
    "name": "sdk-tour",
    "steps": [
        {"id": "read", "agent": "collector", "input": {"paths": []}},
        {"id": "links", "agent": "link-checker", "input": {"collection": "{read.output}"}},
    ],
    "output": {"pages": "{size(read.output.pages)}"},
}


async def main(url: str) -> None:
    """Against the service at `url`."""
    async with Backstitch(url) as service:  # the SDK has no way to define an assistant's graph
        await service.workflows.register(TOUR)

    client = get_client(url=f"{url}/langgraph")
    thread = await client.threads.create()
    async for part in client.runs.stream(thread["thread_id"], "sdk-tour", input={}, stream_mode="updates"):
        names = list(part.data) if isinstance(part.data, dict) else part.data
        print(part.event, names)

    state = await client.threads.get_state(thread["thread_id"])
    print("next:", state["next"])
    history = await client.threads.get_history(thread["thread_id"])
    print("checkpoints:", len(history))


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
