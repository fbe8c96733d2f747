"""Publishing: who keeps a message in the log, and counts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import topics
from app.domain.errors import InvalidRequest
from app.domain.known_secrets import KNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.message_book import MessageBook, MessageFilter, MessagePage
    from app.domain.messages import Message


class Publisher:
    """One for the process; `published` and `duplicates` count what it was given."""

    def __init__(self, book: MessageBook) -> None:
        self._book = book
        self.published = 0
        self.duplicates = 0

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        """Keep messages, all at once; for each whether it was new.

        Raises InvalidRequest for a topic that is none or that tells of threads, Unavailable.
        """
        for topic in {one.topic for one in messages}:
            _check(topic)
        new = await self._book.publish([masked(one) for one in messages])
        count = sum(new)
        self.published += count
        self.duplicates += len(new) - count
        return new

    async def listed(self, where: MessageFilter) -> MessagePage:
        """See MessageBook."""
        return await self._book.listed(where)

    async def find(self, message_id: str, *, source: str | None = None, topic: str | None = None) -> list[Message]:
        """See MessageBook."""
        return await self._book.find(message_id, source=source, topic=topic)


def masked(message: Message) -> Message:
    """Without the secrets that this process knows."""
    if not KNOWN:
        return message
    subject, attributes = message.subject and KNOWN.text(message.subject), KNOWN.value(dict(message.attributes))
    return replace(message, data_json=KNOWN.json(message.data_json), subject=subject, attributes=attributes)


def _check(topic: str) -> None:
    try:
        topics.check_topic(topic)
    except ValueError as error:
        raise InvalidRequest(f"topic {KNOWN.text(topic)[:100]!r}: {error}", code="invalid_topic") from None
    if topics.is_own(topic):
        raise InvalidRequest(f"{topics.OWN}.* tells of threads: publish on another topic", code="invalid_topic")
