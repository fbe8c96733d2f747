"""Print the text that a step streams, as it comes: that of talker.py, or of any agent that streams (docs/llm-agents.md)."""

from __future__ import annotations

import asyncio
import os

from app.client import Backstitch

SPEECH = {"name": "speech", "steps": [{"id": "talk", "agent": "talker", "input": {"topic": "{input.topic}"}}]}


async def main(url: str) -> None:
    """Against the service at `url`, which must know the agent."""
    async with Backstitch(url) as service:
        thread = await service.start(SPEECH, {"topic": "sewing"})
        async for event in thread.events():
            print(event.text, end="", flush=True)  # empty for all that is no text
            if event.name == "attempt_discarded":  # it failed, and another will speak from the start
                print("\n... begins again:")
        print()
        print("whole:", (await thread.result())["talk"])


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
