"""Reading the feed in tests: its horizon waits for every open transaction of the server, other tests' too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from app.domain.ports import FeedItem, Reads

BEGINNING = FeedPosition(0, "", 0)


async def feed_of(reads: Reads, count: int, after: FeedPosition = BEGINNING, limit: int = 1000) -> list[FeedItem]:
    """The feed after a position as soon as it holds `count` events; what it holds after ten seconds if it never does."""
    async with asyncio.timeout(20):
        for _ in range(500):
            found = await reads.feed(after, limit)
            if len(found) >= count:
                break
            await asyncio.sleep(0.02)
    return found
