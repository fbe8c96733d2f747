"""Giving messages to the steps that wait for them: for each message of a log the open waits for its topic are looked up."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain import topics
from app.domain.errors import Unavailable
from app.domain.messages import Consumer
from app.domain.waits import Got
from app.engine.pulse import Pulse
from app.engine.waits import Offer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence

    from app.domain.messages import Message
    from app.domain.waits import MessageWait
    from app.engine.waits import Waits

MOST_HEADS: Final = 32
"""Patterns by which a log is read; where open waits have more, all of it is."""
BEHIND: Final = 30.0
"""Seconds after which the logs are searched for a wait in place of whoever opened it."""
_LOOK: Final = 1.0
_PAGE: Final = 500
_AT_ONCE: Final = 4
"""Transactions at a time: each takes a connection of the pool."""
_log: Final = logging.getLogger(__name__)


class MessageGiver(Consumer):
    """Of one log: `own`, the events of threads, or that of the messages which were published.

    A wait for which the logs have not been searched gets nothing: whoever searches them is told that there is more by now.
    So it never gets a newer message before an older one, and no long search holds the others up.
    """

    def __init__(self, waits: Waits, *, own: bool) -> None:
        self._waits = waits
        self._own = own
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.beat: Callable[[], None] = _nothing
        """Called now and then while a message is given to many."""

    async def wants(self) -> Collection[str]:
        """See Consumer: from now on whoever opens a wait is followed for; what was said before, he looks for himself."""
        return await self._wants_own() if self._own else await self._wants_others()

    async def _wants_own(self) -> list[str]:
        """However many other topics are waited for: all events of all threads are many."""
        book = self._waits.book
        any_event = [head for head in await book.heads(1, first=">") if head == ">"]
        heads = [head for head in await book.heads(MOST_HEADS + 1, first=f"{topics.OWN}.") if topics.is_own(head)]
        return any_event + heads if len(heads) <= MOST_HEADS else [f"{topics.OWN}.>"]

    async def _wants_others(self) -> list[str]:
        heads = await self._waits.book.heads(2 * MOST_HEADS)
        others = [head for head in heads if not topics.is_own(head)]
        return others if len(others) <= MOST_HEADS and len(heads) < 2 * MOST_HEADS else [">"]

    async def take(self, messages: Sequence[Message]) -> None:
        """See Consumer."""
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        wanted = await self._waits.book.wanted(by_topic.keys())
        for_each: dict[str, Sequence[Message]] = {topic: by_topic[topic] for topic in wanted if topic in by_topic}
        for pattern, its in topics.meant([topic for topic in wanted if topic not in by_topic], by_topic).items():
            known = set(its)
            for_each[pattern] = [message for message in messages if message.topic in known]
        await self._side_by_side([self._give(topic, some) for topic, some in for_each.items()])

    async def _give(self, topic: str, messages: Sequence[Message]) -> None:
        after: MessageWait | None = None
        while True:
            async with self._turns:
                page = await self._waits.book.open_for(topic, after, _PAGE)
            await self._give_all(page, messages)
            self.beat()
            if len(page) < _PAGE:
                return
            after = page[-1]

    async def _give_all(self, page: Sequence[MessageWait], messages: Sequence[Message]) -> None:
        """Round by round: each thread is offered one message at a time, all of them together."""
        families = itertools.groupby(page, lambda wait: wait.key.thread_id)
        lines = [_Family(self._waits, list(family), messages) for _, family in families]
        became: dict[_Family, Got | None] = dict.fromkeys(lines)
        while offers := {line: offer for line, got in became.items() if (offer := await line.next(got))}:
            async with self._turns:
                outcomes = await self._waits.give(list(offers.values()))
            became = dict(zip(offers, outcomes, strict=True))

    @staticmethod
    async def _side_by_side(works: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Do all of it, however much; what fails does not keep the rest from being done."""
        failures = [end for end in await asyncio.gather(*works, return_exceptions=True) if end is not None]
        if failures:
            raise failures[0]


class _Family:
    """The waits of one thread, which are offered messages one after the other: each message is for one of them."""

    def __init__(self, waits: Waits, family: Sequence[MessageWait], messages: Sequence[Message]) -> None:
        self._waits = waits
        self._messages = messages
        self._left = iter([wait for wait in family if wait.waits])
        self._unread: Iterator[Message] = iter(())
        self._wait: MessageWait | None = None
        self._offered: Message | None = None

    async def next(self, got: Got | None) -> Offer | None:
        """The next offer, given what became of the last; None: there is none any more."""
        if self._wait is not None and got is Got.BUSY:  # it is searched for later, and nobody else waits for that
            await self._waits.book.looked(self._wait, None)
        if got in {Got.TAKEN, Got.HAD}:  # nor is it for another of its waits
            self._messages = [message for message in self._messages if message is not self._offered]
        if got not in {None, Got.HAD}:
            self._unread = iter(())
        while True:
            message = next(self._unread, None)
            if message is None:
                self._wait, self._unread = next(self._left, None), iter(self._messages)
                if self._wait is None:
                    return None
            elif offer := await self._offer(message):
                return offer

    async def _offer(self, message: Message) -> Offer | None:
        wait = self._wait
        taken = None if wait is None else await self._waits.judge(wait, message)
        if wait is None or taken is None:
            return None
        if wait.looked is None and await self._waits.book.missed(wait):
            self._unread = iter(())
            return None
        self._offered = message
        return Offer(wait, message, taken)


def _nothing() -> None:
    """Nobody wants to know."""


class CatchUp:
    """Searches the logs for waits for which nobody has, since he died, or since their thread's row was held by somebody."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self.pulse = Pulse(_LOOK)

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self.turn()
            except Unavailable as error:
                _log.debug("waits that are behind stay so: %s", error)
            except Exception:  # noqa: BLE001 - what cannot be done now must be done later
                _log.exception("waits that are behind could not be looked after")
            self.pulse.beat()
            await asyncio.sleep(_LOOK)

    async def turn(self) -> None:
        """Search for those that are behind."""
        for wait in await self._waits.book.behind(BEHIND, _PAGE):
            if wait.waits:
                try:
                    await self._waits.look(wait)
                except Unavailable as error:  # of its thread, perhaps, alone
                    _log.debug("step %s of thread %s: %s", wait.key.step_id, wait.key.thread_id, error)
            self.pulse.beat()
