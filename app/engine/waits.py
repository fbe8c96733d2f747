"""Waits for messages and signals: what people ask of them, and searching the logs for what a wait is for."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakValueDictionary

from app.domain import jsontext
from app.domain.document_waits import MESSAGE
from app.domain.errors import BackstitchError, InvalidRequest, JsonError, Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.ports import FeedPosition
from app.domain.records import ErrorInfo
from app.domain.retry import EXPRESSION, INVALID_OUTPUT
from app.domain.template import Condition, ExpressionError
from app.domain.waits import Got, Look, MessageWait, Taken
from app.engine.values import BIG_JSON, off_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.domain.messages import Log, Message
    from app.domain.records import ThreadRecord
    from app.domain.waits import Sent, Signal, SignalFilter, SignalRecord, WaitBook, WaitFilter
    from app.engine.worker import Worker

_PAGE: Final = 500
_BREATH: Final = 50
"""Conditions after which everybody else gets a turn."""
_PORTION: Final = 4_000_000
"""Characters that are given in one transaction."""
_PAUSES: Final = (0.02, 0.08, 0.2)
"""Seconds after which rows that somebody holds are tried again, where many are given something."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A message, and what a wait that it is for is answered with."""

    wait: MessageWait
    message: Message
    taken: Taken


class Waits(Look):
    """One for the engine; `logs` are searched, each by itself, for what has been said since a wait counts messages."""

    def __init__(self, book: WaitBook, worker: Worker, *, max_value_bytes: int) -> None:
        self.book = book
        self._max_value_bytes = max_value_bytes
        self.logs: list[Log] = []
        self._worker = worker
        self._looked_at = 0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._said: tuple[Message | None, Taken] = None, Taken(digest=b"")
        self.offers: Counter[str] = Counter()
        """Messages that fitted a wait, by what became of them."""
        self.on_open: list[Callable[[], None]] = []
        """Told that there is a wait which goes on waiting."""

    async def listed(self, where: WaitFilter) -> list[MessageWait]:
        """See WaitBook.listed."""
        return await self.book.listed(where)

    async def signals(self, where: SignalFilter) -> list[SignalRecord]:
        """See WaitBook.signals."""
        return await self.book.signals(where)

    async def send(self, thread_id: str, signal: Signal) -> Sent:
        """See WaitBook.send; whoever drives the thread here looks at once.  Raises InvalidRequest (signal_too_large) too."""
        if len(signal.value_json) > self._max_value_bytes:
            told = f"the value has {len(signal.value_json):,} characters of JSON; at most {self._max_value_bytes:,} are kept"
            raise InvalidRequest(told, code="signal_too_large")
        if KNOWN:
            signal = replace(signal, value_json=KNOWN.json(signal.value_json))
        sent = await self.book.send(thread_id, signal)
        if sent.signal.taken_by is not None and not sent.replayed:
            self.woken(sent.thread)
        return sent

    def woken(self, thread: ThreadRecord) -> None:
        """Something has been given to a wait of a thread."""
        if thread.signal is not None:
            self._worker.heed(thread.thread_id, thread.signal)
        self._worker.hint()

    async def look(self, wait: MessageWait) -> MessageWait:
        """See Look: it is given the oldest message that is for it, or else only what comes after the logs' ends of now."""
        searched = wait
        while True:
            reached = [await self._search(log, searched) for log in self.logs]
            places = [place.xact for place in reached if place is not None]
            if len(places) < len(reached):
                break
            up_to = min(places, default=0)
            if await self.book.looked(wait, up_to):
                break
            searched = replace(searched, looked=up_to)
        for tell in self.on_open:
            tell()
        return await self._now(wait)

    async def _now(self, wait: MessageWait) -> MessageWait:
        return await self.book.find(wait.key) or wait

    async def _search(self, log: Log, wait: MessageWait) -> FeedPosition | None:
        """How far it has been searched in vain; None: there is nothing to search for any more."""
        assert wait.topic is not None
        place, end = wait.place, await log.end()
        while place < end:
            page = await log.read(place, [wait.topic], _PAGE)
            if page.items and await self._is_done(wait, page.items):
                return None
            if page.place <= place:
                break
            place = page.place
        return max(place, end)

    async def _is_done(self, wait: MessageWait, messages: Sequence[Message]) -> bool:
        """Offer it what the log holds: whether there is nothing to search for any more.

        One wait of a thread at a time: of what many wait for, each is offered what none of the others has.
        """
        turn = self._turns.setdefault(wait.key.thread_id, asyncio.Lock())
        async with turn:
            for message in await self._not_had(wait.key.thread_id, messages):
                match await self.offer(wait, message):
                    case Got.TAKEN | Got.CLOSED:
                        return True
                    case Got.BUSY:
                        raise Unavailable(f"the row of thread {wait.key.thread_id} is held by somebody")
                    case _:
                        continue
        return False

    async def _not_had(self, thread_id: str, messages: Sequence[Message]) -> list[Message]:
        """Those that the thread has not taken: of what many of its steps wait for it may have had much."""
        found = {digest_of(message): message for message in messages}
        had = await self.book.had(thread_id, found.keys()) if found else ()
        return [message for digest, message in found.items() if digest not in had]

    async def offer(self, wait: MessageWait, message: Message) -> Got | None:
        """Give a message to a wait, if it is for it; None: it is not."""
        taken = await self.judge(wait, message)
        return None if taken is None else (await self.give([Offer(wait, message, taken)]))[0]

    async def give(self, offers: Sequence[Offer]) -> list[Got]:
        """Give waits of as many threads what they are offered; a row that somebody holds is waited for, if not for long."""
        outcomes: list[Got] = []
        for some in _portions(offers):
            outcomes += [await self._give_to_one(some[0])] if len(some) == 1 else await self._give_to_some(some)
        self.offers.update(got.value for got in outcomes)
        return outcomes

    async def _give_to_some(self, offers: Sequence[Offer]) -> list[Got]:
        found = await self._give_at_once(offers)
        for pause in _PAUSES:
            held = [place for place, got in enumerate(found) if got is Got.BUSY]
            if not held:
                break
            await asyncio.sleep(pause)
            for place, got in zip(held, await self._give_at_once([offers[place] for place in held]), strict=True):
                found[place] = got
        return found

    async def _give_at_once(self, offers: Sequence[Offer]) -> list[Got]:
        try:
            found = await self.book.give([(offer.wait.key, offer.taken) for offer in offers])
        except InvalidRequest:  # one of them is at fault
            return [await self._give_to_one(offer) for offer in offers]
        return [self._heard(*one) for one in found]

    async def _give_to_one(self, offer: Offer) -> Got:
        wait, taken = offer.wait, offer.taken
        try:
            return self._heard(*await self.book.take(wait.key, taken))
        except InvalidRequest as error:  # the store cannot hold it: nor will it the next time
            spoilt = _told(wait, offer.message, "taken", error)
            return self._heard(*await self.book.take(wait.key, Taken(digest=taken.digest, error_json=spoilt)))

    def _heard(self, got: Got, thread: ThreadRecord | None) -> Got:
        if thread is not None:
            self.woken(thread)
        return got

    async def judge(self, wait: MessageWait, message: Message) -> Taken | None:
        """What a wait is answered with if it gets a message; None: the message, whose topic fits, is not for it."""
        self._looked_at += 1
        if self._looked_at % _BREATH == 0:
            await asyncio.sleep(0)
        if message.place is not None and message.place < FeedPosition(wait.since, "", 0):
            return None
        size = len(message.data_json)
        digest = digest_of(message)
        try:
            if not await off_loop(lambda: _fits(wait, message), size, BIG_JSON):
                return None
        except (ExpressionError, JsonError, InvalidRequest) as error:  # an imported wait may hold no condition at all
            return Taken(digest=digest, error_json=_told(wait, message, "decided", error))
        if self._said[0] is not message:  # many get the same
            text = await off_loop(lambda: jsontext.dumps(message.scope()), size, BIG_JSON)
            by = jsontext.clean(message.source).replace("\0", "\ufffd")
            self._said = message, Taken(digest=digest, by=by, answer_json=KNOWN.json(text) if KNOWN else text)
        return self._said[1]


def _portions(offers: Sequence[Offer]) -> Iterator[Sequence[Offer]]:
    first = size = 0
    for place, offer in enumerate(offers):
        size += len(offer.taken.answer_json or "")
        if size > _PORTION and place > first:
            yield offers[first:place]
            first, size = place, len(offer.taken.answer_json or "")
    if first < len(offers):
        yield offers[first:]


def digest_of(message: Message) -> bytes:
    """What tells a message from all others: an id is unique within its source."""
    return hashlib.sha256(f"{message.source}\0{message.id}".encode("utf-8", "surrogatepass")).digest()


def _fits(wait: MessageWait, message: Message) -> bool:
    """Raises ExpressionError."""
    if wait.match is None:
        return True
    given: Any = {} if wait.given_json is None else jsontext.loads(wait.given_json)
    known = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    return Condition.compile(wait.match).test({**known, MESSAGE: message.scope()})


def _told(wait: MessageWait, message: Message, what: str, error: BackstitchError) -> str:
    subject = "match" if what == "decided" else "what was said"
    told = f"{subject} cannot be {what} for message {message.id[:200]} on {message.topic}: {error}"
    kind = EXPRESSION if what == "decided" else INVALID_OUTPUT
    info = ErrorInfo(kind=kind, message=KNOWN.text(jsontext.clean(told[:2_000])), step_id=wait.key.step_id)
    return jsontext.dumps(info.value())
