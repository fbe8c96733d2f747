"""Who is told of a message: it becomes a delivery for every endpoint, and every webhook of a thread, that wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import topics
from app.domain.messages import Consumer
from app.domain.times import utc_now
from app.domain.webhooks import ALL, body_of, delivery_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from app.domain.messages import Message
    from app.domain.webhook_store import DeliveryQueue, WebhookBook
    from app.domain.webhooks import Delivery, ThreadHook, Webhook


class Deliverer(Consumer):
    """Queues deliveries; twice is once, for the id of a delivery belongs to its message and endpoint.  `news` is told."""

    def __init__(self, book: WebhookBook, queue: DeliveryQueue, news: Callable[[], None]) -> None:
        self._book = book
        self._queue = queue
        self._news = news
        self._endpoints: Sequence[Webhook] = ()

    async def wants(self) -> Collection[str]:
        """See Consumer."""
        wanted = await self._book.wanted()
        self._endpoints = wanted.endpoints
        patterns = {pattern for one in wanted.endpoints for pattern in one.topics}
        names = {f"{topics.OWN}.>" if name == ALL else f"{topics.OWN}.{name}.>" for name in wanted.events}
        return patterns | names

    async def take(self, messages: Sequence[Message]) -> None:
        """See Consumer."""
        ids = {one.thread_id for one in messages if one.thread_id is not None and topics.is_own(one.topic)}
        hooks: dict[str, list[ThreadHook]] = {}
        for hook in await self._book.of_threads(ids) if ids else ():
            hooks.setdefault(hook.thread_id, []).append(hook)
        now = utc_now()
        found = [
            delivery
            for message in messages
            for delivery in self._of(message, hooks.get(message.thread_id or "", ()), now)
        ]
        if found and await self._queue.put(found):
            self._news()

    def _of(self, message: Message, hooks: Sequence[ThreadHook], now: datetime) -> Iterator[Delivery]:
        wanting = [endpoint for endpoint in self._endpoints if endpoint.wants(message.topic)]
        body = body_of(message) if wanting or hooks else ""
        for endpoint in wanting:
            yield delivery_of(message, body, endpoint.id, None, now)
        if hooks and topics.is_own(message.topic) and message.place is not None:
            hook = in_force(hooks, message.place.seq)
            if hook is not None and not {ALL, message.topic.split(".", 2)[1]}.isdisjoint(hook.hook.events):
                yield delivery_of(message, body, hook.hook.id, hook.hook.url, now)


def in_force(hooks: Sequence[ThreadHook], seq: int) -> ThreadHook | None:
    """Which of a thread's webhooks, given by `from_seq`, an event belongs to; None: to none, or to one that is over."""
    found = [hook for hook in hooks if hook.from_seq <= seq]
    return found[-1] if found and not found[-1].gone else None
