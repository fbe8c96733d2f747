"""A thread's events by a bounded long poll: subscribe first, then read, then wait; for whoever cannot keep a stream open.

As for streams the bus is a hint and the table the truth, and nothing of the database is held while waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

import orjson

from app.api.answers import thread_of
from app.api.sse import GOODBYE
from app.domain.events import Event, gap_json
from app.domain.status import ENDED
from app.engine.bus import Lagged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.requests_stream import PollQuery
    from app.api.services import AppState
    from app.domain.records import ThreadRecord
    from app.engine.bus import Subscription

_SILENCE: Final = 2.0
"""Seconds without a word from the bus after which the table is asked: another process may have written."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events in their order, and the thread as it was just before they were read."""

    thread: ThreadRecord
    events: list[Event]
    after: int

    @property
    def next(self) -> int:
        """The cursor to go on with."""
        if self.events:
            return self.events[-1].seq
        return self.thread.last_seq if self._lost else self.after

    @property
    def done(self) -> bool:
        """Whether the thread has ended and all of it is read."""
        return self.thread.status in ENDED and self.next >= self.thread.last_seq

    @property
    def _lost(self) -> bool:
        """Whether the row counts events that the table did not have, though it was read later."""
        return not self.events and self.after < self.thread.last_seq

    @property
    def worth_telling(self) -> bool:
        """Whether there is nothing to wait for."""
        return bool(self.events) or self._lost or self.done

    def told(self) -> list[orjson.Fragment]:
        """The events, each as JSON, with a `gap` in the place of those that are not kept."""
        found: list[str] = []
        last = self.after
        for event in self.events:
            if event.seq > last + 1:
                found.append(gap_json(thread_id=event.thread_id, first=last + 1, last=event.seq - 1))
            found.append(event.json())
            last = event.seq
        if self._lost:
            found.append(gap_json(thread_id=self.thread.thread_id, first=last + 1, last=self.next))
        return [orjson.Fragment(text) for text in found]


async def poll(state: AppState, thread_id: str, query: PollQuery) -> Page:
    """The events after the cursor; while there is none, wait for the first as long as was asked.  Raises NotFound.

    A service that shuts down does not wait.
    """
    services, streams = state["services"], state["streams"]
    deadline = monotonic() + query.wait
    with services.bus.subscribe(thread_id) as subscription:
        streams.add(subscription)
        try:
            while True:
                page = await _page(state, thread_id, query)
                left = deadline - monotonic()
                if page.worth_telling or left <= 0 or streams.closing:
                    return page
                await _news(subscription, page.after, min(left, _SILENCE))
        finally:
            streams.discard(subscription)


async def _page(state: AppState, thread_id: str, query: PollQuery) -> Page:
    """The row first: events that it counts are then in the table, or nowhere."""
    services = state["services"]
    thread = await thread_of(services, thread_id)
    after = min(query.after, thread.last_seq)
    if after == thread.last_seq:
        return Page(thread, [], after)
    events = await services.reads.events(thread_id, after=after, limit=query.limit)
    return Page(thread, _within(events, query.max_bytes), after)


def _within(events: list[Event], most: int) -> list[Event]:
    """As many of the first as have so many bytes, and one at least."""
    size = 0
    for index, event in enumerate(events):
        size += len(event.json())
        if index and size > most:
            return events[:index]
    return events


async def _news(subscription: Subscription, after: int, seconds: float) -> None:
    """Wait for an event after the cursor, a poke, the end of the service, or the end of the time."""
    with suppress(TimeoutError, Lagged):
        async with asyncio.timeout(seconds):
            while _is_nothing(await subscription.next(), after):
                pass


def _is_nothing(items: Sequence[Event | bytes], after: int) -> bool:
    """Whether there is only streamed text, or what was seen already; a poke brings nothing at all."""
    return bool(items) and all(item.seq <= after if isinstance(item, Event) else item is not GOODBYE for item in items)
