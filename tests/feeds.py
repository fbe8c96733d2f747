"""Reading the feed in tests: its horizon waits for every open transaction of the server, other tests' too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from app.domain.ports import FeedItem, Reads

BEGINNING = FeedPosition(0, "", 0)


async def feed_of(reads: Reads, count: int, after: FeedPosition = BEGINNING, limit: int = 1000) -> list[FeedItem]:
    """The feed after a position as soon as it holds `count` events; what it holds after thirty seconds if it never does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 30
    while len(found := await reads.feed(after, limit)) < count and loop.time() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return found
