"""The log of messages in memory; its places are in one order with those of the events of threads."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from app.domain import message_book, topics
from app.domain.message_book import MessageBook, MessagePage
from app.domain.messages import Messages
from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.domain.message_book import MessageFilter
    from app.domain.messages import Message
    from app.store.memory_followers import MemoryPlaces
    from app.store.memory_tables import MemoryTables


class MemoryMessages(MessageBook):
    """See domain.message_book.MessageBook."""

    def __init__(self, tables: MemoryTables, places: MemoryPlaces) -> None:
        self._tables = tables
        self._followers = places
        self._log: list[Message] = []
        self._known: set[tuple[str, str]] = set()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, news: Callable[[], None]) -> None:
        """See MessageBook."""
        self._listeners.append(news)

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """See MessageBook."""
        self._tables.feed.append([])  # a commit without events: whatever comes next comes after it
        xact, now, new = len(self._tables.feed), self._tables.clock(), list[bool]()
        for seq, message in enumerate(messages, start=1):
            key = (message.id, message.source)
            new.append(key not in self._known)
            if new[-1]:
                self._known.add(key)
                self._log.append(replace(message, place=FeedPosition(xact, "", seq), kept_at=now))
        if any(new):
            for news in self._listeners:
                news()
        return new

    async def end(self) -> FeedPosition:
        """See Log."""
        return FeedPosition(len(self._tables.feed) + 1, "", 0)

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        """See Log."""
        found: list[Message] = []
        size, last = 0, after
        for looked, message in enumerate(islice(self._log, bisect_right(self._log, after, key=_place), None)):
            if len(found) == limit or looked == message_book.LOOK or size >= message_book.READ_BYTES:
                return Messages(found, last)
            last = _place(message)
            if any(topics.matches(pattern, message.topic) for pattern in patterns):
                found.append(message)
                size += len(message.data_json)
        return Messages(found, await self.end())

    async def listed(self, where: MessageFilter) -> MessagePage:
        """See MessageBook."""
        found: list[Message] = []
        for message in reversed(self._log):
            if not _wanted(message, where):
                continue
            if len(found) == where.limit:
                return MessagePage(items=found, next=found[-1].place)
            size, text = len(message.data_json.encode()), message.data_json
            long = size > message_book.LONGEST
            found.append(replace(message, data_json=message_book.preview(size, text)) if long else message)
        return MessagePage(items=found)

    async def find(self, message_id: str, *, source: str | None = None, topic: str | None = None) -> list[Message]:
        """See MessageBook."""
        found = [
            one
            for one in reversed(self._log)
            if one.id == message_id and source in (None, one.source) and topic in (None, one.topic)
        ]
        return found[:10]

    async def prune(self, days: float, followers: Collection[str], limit: int) -> int:
        """See MessageBook."""
        passed, before = self._followers.passed(followers), self._tables.clock() - timedelta(days=days)
        old = 0
        while (
            old < min(limit, len(self._log))
            and _place(self._log[old]).xact < passed
            and self._log[old].arrived < before
        ):
            self._known.discard((self._log[old].id, self._log[old].source))
            old += 1
        del self._log[:old]
        return old


def _place(message: Message) -> FeedPosition:
    assert message.place is not None
    return message.place


def _wanted(message: Message, where: MessageFilter) -> bool:
    return (
        (where.before is None or _place(message) < where.before)
        and (where.pattern is None or topics.matches(where.pattern, message.topic))
        and where.source in (None, message.source)
        and (where.since is None or message.arrived >= where.since)
    )
