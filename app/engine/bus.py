"""The bus: committed events, and the text that running steps stream, on their way to whoever watches a thread.

It is a hint and a short cut; the table is the truth.  A subscriber that lags is cut loose and reads the table again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from app.domain.events import Event, chunk_frame
from app.domain.transition import Start
from app.engine.watch import Watchers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from app.domain.records import ThreadRecord
    from app.domain.transition import Transition

BUFFER: Final = 1_000
"""Items that a subscriber may leave unread."""
_CHUNK_LIMIT: Final = 1_000_000
"""Characters of a running step's text that are kept for late readers."""


_Place = tuple[str, "int | None"]
"""A step, and its item if it is done in parts."""


class Lagged(Exception):
    """The subscription was cut loose; read the table from your cursor on and subscribe again."""


class Subscription:
    """One reader's view of a thread (or of everything), in the order of publishing."""

    def __init__(self) -> None:
        self._items: deque[Event | bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._poked = False
        self.lagged = False

    def poke(self) -> None:
        """There may be news in the table that nobody here has pushed: `next` returns, if need be with nothing."""
        self._poked = True
        self._wake()

    def push(self, items: Sequence[Event | bytes]) -> None:
        """Hand items over; more than BUFFER unread cuts the reader loose."""
        if self.lagged:
            return
        if len(self._items) + len(items) > BUFFER:
            self.lagged = True
            self._items.clear()
        else:
            self._items.extend(items)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> list[Event | bytes]:
        """Everything unread; waits for the first, or for a poke.  Raises Lagged."""
        while not self._items and not self._poked:
            if self.lagged:
                raise Lagged
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._poked = False
        items = list(self._items)
        self._items.clear()
        return items


class _Text:
    """The text that a running step has streamed so far."""

    __slots__ = ("attempt", "execution_id", "index", "parts", "size", "step_id", "version", "whole")

    def __init__(self, thread: ThreadRecord, place: _Place, attempt: int) -> None:
        self.step_id, self.index = place
        self.execution_id, self.attempt, self.version = thread.execution_id, attempt, thread.head_version
        self.parts: list[str] = []
        self.size = 0
        self.whole: bytes | None = None  # the frame of all parts, shared by readers who come at the same time


class Bus:
    """In-process fan-out of events by thread."""

    def __init__(self) -> None:
        self._threads: dict[str, set[Subscription]] = {}
        self._texts: dict[str, dict[_Place, _Text]] = {}
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._far: list[Callable[[], None]] = []
        self.watchers = Watchers()
        """Told of every move before its events go out."""
        self.pokes = 0
        """How often other processes' moves were told of."""

    def listen(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Call `listener` with every batch of committed events; it must be quick and must not raise."""
        self._listeners.append(listener)

    def listen_far(self, listener: Callable[[], None]) -> None:
        """Call `listener` when other processes have moved threads."""
        self._far.append(listener)

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._threads.values()))

    @contextmanager
    def subscribe(self, thread_id: str) -> Generator[Subscription]:
        """Follow one thread from now on; the text of its running steps so far comes first."""
        subscription = Subscription()
        self._threads.setdefault(thread_id, set()).add(subscription)
        texts = self._texts.get(thread_id)
        if texts:
            subscription.push([self._whole(thread_id, text) for text in texts.values()])
        try:
            yield subscription
        finally:
            readers = self._threads.get(thread_id)
            if readers is not None:
                readers.discard(subscription)
                if not readers:
                    del self._threads[thread_id]

    def moved(self, what: Start | Transition) -> None:
        """A write of this process is committed: hand out its events."""
        self.watchers.moved(what)
        if isinstance(what, Start):
            self.publish(what.thread.thread_id, [what.event])
        else:
            self.publish(what.thread_id, what.events)

    def publish(self, thread_id: str, events: Sequence[Event]) -> None:
        """Hand out events that have been committed, oldest first."""
        readers = self._threads.get(thread_id)
        if readers:
            for subscription in readers:
                subscription.push(events)
        for listener in self._listeners:
            listener(events)

    def poke(self, thread_ids: Collection[str] | None) -> None:
        """Other processes have moved these threads (None: any): whoever follows them must look at the table."""
        self.pokes += 1
        for thread_id in self._threads if thread_ids is None else thread_ids:
            for subscription in self._threads.get(thread_id, ()):
                subscription.poke()
        for listener in self._far:
            listener()

    def texts(self, thread_id: str) -> dict[str, str]:
        """What the running steps of a thread have streamed so far, by step."""
        texts = self._texts.get(thread_id, {})
        return {text.step_id: "".join(text.parts) for text in texts.values() if text.index is None}

    def chunk(self, thread: ThreadRecord, step_id: str, index: int | None, attempt: int, text: str) -> None:
        """Hand out a piece of the text of a running step, or of one of its items."""
        thread_id, place = thread.thread_id, (step_id, index)
        texts = self._texts.setdefault(thread_id, {})
        kept = texts.get(place)
        if kept is None or kept.attempt != attempt or kept.execution_id != thread.execution_id:
            kept = texts[place] = _Text(thread, place, attempt)
        if kept.size < _CHUNK_LIMIT:
            kept.parts.append(text)
            kept.size += len(text)
            kept.whole = None
        readers = self._threads.get(thread_id)
        if readers:
            frame: list[Event | bytes] = [self._frame(thread_id, kept, text)]
            for subscription in readers:
                subscription.push(frame)

    def end_text(self, thread_id: str, step_id: str | None = None, index: int | None = None) -> None:
        """The step or its item (without one: the thread) streams no more; its text is not kept."""
        texts = self._texts.get(thread_id)
        if texts is None:
            return
        if step_id is not None:
            texts.pop((step_id, index), None)
        if step_id is None or not texts:
            self._texts.pop(thread_id, None)

    def _whole(self, thread_id: str, kept: _Text) -> bytes:
        if kept.whole is None:
            kept.whole = self._frame(thread_id, kept, "".join(kept.parts))
        return kept.whole

    @staticmethod
    def _frame(thread_id: str, kept: _Text, text: str) -> bytes:
        return chunk_frame(
            thread_id=thread_id,
            execution_id=kept.execution_id,
            step_id=kept.step_id,
            index=kept.index,
            attempt=kept.attempt,
            version=kept.version,
            text=text,
        )
