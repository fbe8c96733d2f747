"""Fifty topics, five at a time: each started once, however often this script is run on the same list."""

from __future__ import annotations

import asyncio
import os
import sys

from app.client import Backstitch, ClientError

AT_ONCE = 5
TOPICS = [f"topic {number}" for number in range(1, 51)]
ARTICLE = {
    "name": "batch-article",
    "steps": [{"id": "think", "sleep": "20ms"}],
    "output": {"title": "On {input.topic}"},
}


async def main(url: str, batch: str) -> int:
    """How many topics have failed."""
    turns = asyncio.Semaphore(AT_ONCE)

    async with Backstitch(url) as service:

        async def article(topic: str) -> str:
            async with turns:
                # A key of our own: run again, with the same batch, this finds the threads of the first time.
                thread = await service.start(ARTICLE, {"topic": topic}, idempotency_key=f"{batch}: {topic}")
                return (await thread.result(timeout=300))["title"]

        found = await asyncio.gather(*map(article, TOPICS), return_exceptions=True)
    failed = [one for one in found if isinstance(one, BaseException)]
    for error in failed:
        if not isinstance(error, ClientError | TimeoutError):
            raise error
        print(error)
    print(f"{len(found) - len(failed)} of {len(found)} articles, the first {found[0]!r}, the last {found[-1]!r}")
    return len(failed)


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "batch 1"
    sys.exit(asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000"), name)) > 0)
