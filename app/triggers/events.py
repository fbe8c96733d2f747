"""The events of threads as messages, on `workflow.{event}.{workflow's name}`, in the order of the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import jsontext, topics
from app.domain.event_log import EventFilter
from app.domain.messages import Log, Message, Messages

if TYPE_CHECKING:
    from collections.abc import Collection

    from app.domain.event_log import EventLog
    from app.domain.ports import FeedItem, FeedPosition, Reads

SOURCE = "backstitch"


class ThreadEvents(Log):
    """A Log over the events that the journal has written: nothing is published twice, for nothing is copied.

    The data of a message is the event as streams tell it; of a result of more than 8 KB, its size and a preview.
    """

    def __init__(self, events: EventLog, reads: Reads) -> None:
        self._events = events
        self._reads = reads

    async def end(self) -> FeedPosition:
        """See Log."""
        return await self._reads.feed_end()

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        """See Log."""
        names = topics.wants_events(patterns)
        if names is not None and not names:
            return Messages((), await self._reads.feed_end())
        page = await self._events.page(EventFilter(names=names, after=after, limit=limit))
        found = [message_of(item) for item in page.items]
        wanted = [one for one in found if any(topics.matches(pattern, one.topic) for pattern in patterns)]
        return Messages(wanted, page.place)


def message_of(item: FeedItem) -> Message:
    """An event as a message."""
    event = item.event
    return Message(
        id=f"{event.thread_id}:{event.seq}",
        topic=topics.topic_of(event.name, item.workflow),
        source=SOURCE,
        type=f"{SOURCE}.{event.name}",
        subject=event.thread_id,
        time=event.at,
        data_json=jsontext.dumps({"workflow": item.workflow, **jsontext.loads(event.json())}),
        thread_id=event.thread_id,
        place=item.position,
    )
