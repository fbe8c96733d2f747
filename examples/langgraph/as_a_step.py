"""Run a workflow whose step is a LangGraph graph, and answer the graph's interrupt: sketch_graph.py and sketch.yaml."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from app.client import Backstitch

HERE = Path(__file__).parent


async def main(url: str) -> None:
    """Against the service at `url`, which must know the graph."""
    async with Backstitch(url) as service:
        await service.workflows.register(HERE / "sketch.yaml")
        thread = await service.start("sketch", {"topic": "sewing"})
        async for event in thread.events():
            if event.text:
                print("written:", event.text)
            if event.name == "gate_waiting":
                print("asked:", event.data["show"])
                await thread.answer("draft", {"approved": True}, by="ana")
        print("output:", await thread.result())


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
