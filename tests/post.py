"""A log of messages in memory, and somebody who follows it: what waits are tested with."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from app.domain import jsontext, topics
from app.domain.ids import uuid7
from app.domain.messages import Log, Message, Messages
from app.domain.ports import FeedPosition
from app.domain.times import utc_now
from app.store.memory_followers import MemoryPlaces
from app.triggers import follow
from app.triggers.follow import Follower
from app.triggers.waits import MessageGiver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

    from app.engine.waits import Waits
    from app.store.memory_tables import MemoryTables


class Post(Log):
    """Its places are in the order of the events that the same tables hold."""

    def __init__(self, tables: MemoryTables) -> None:
        self.messages: list[Message] = []
        self.news: list[Callable[[], None]] = []
        self.at_read: Callable[[], Awaitable[None]] | None = None
        self._tables = tables

    def publish(self, topic: str, data: Any = None, *, id: str | None = None, source: str = "test") -> Message:  # noqa: A002
        """One more."""
        self._tables.feed.append([])
        message = Message(
            id=id or uuid7(),
            topic=topic,
            source=source,
            type="test",
            time=utc_now(),
            data_json=jsontext.dumps(data),
            place=FeedPosition(len(self._tables.feed), "", 1),
        )
        self.messages.append(message)
        for tell in self.news:
            tell()
        return message

    async def end(self) -> FeedPosition:
        return FeedPosition(len(self._tables.feed) + 1, "", 0)

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        if self.at_read is not None:
            await self.at_read()
        found = [one for one in self.messages if one.place is not None and one.place > after]
        fits = [one for one in found if any(topics.matches(pattern, one.topic) for pattern in patterns)]
        if len(fits) > limit:
            place = fits[limit - 1].place
            assert place is not None
            return Messages(fits[:limit], place)
        return Messages(fits, await self.end())


@asynccontextmanager
async def followed(waits: Waits, post: Post, tables: MemoryTables) -> AsyncGenerator[Follower]:
    """Somebody gives what is published to whoever waits for it, and does not rest while nobody does."""
    follower = Follower("post", post, MessageGiver(waits, own=False), MemoryPlaces(tables), owner="me", lease=10.0)
    waits.logs.append(post)
    post.news.append(follower.hint)
    waits.on_open.append(follower.hint)
    task = asyncio.create_task(follower.run())
    try:
        with patch.object(follow, "_REST", 0.0):
            yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
