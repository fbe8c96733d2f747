"""Waits for messages and signals: steps that go on when something is said on a topic, or to their thread by name.

A thread takes each message and each signal once; what was said before the step began counts as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.errors import BackstitchError, Conflict, InvalidRequest, NotFound
from app.domain.ports import FeedPosition
from app.domain.status import ENDED
from app.domain.topics import OWN
from app.domain.waiting import Book, WaitKey, WaitRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.domain.records import ThreadRecord

BY_MESSAGE: Final = "message"
BY_SIGNAL: Final = "signal"
SPOILT: Final = "error"
"""`via` of a wait whose condition could not be decided."""
MOST_PENDING: Final = 10_000
"""Signals that nobody has taken which a thread keeps at most."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MOST_GIVEN: Final = 64 * 1024
"""Characters of JSON that are kept with a wait for its condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What is waited for: a message on `topic`, which may be a pattern, or the signal of a name.

    `match` is a CEL condition over `given_json`, the values that it looks at beside `message`.  `begin` is the seq of the event
    with which the thread began: what is older does not count, and of messages nothing before the transaction `since`, if
    one is given.  `timeout` in seconds, None for ever.
    """

    topic: str | None = None
    signal: str | None = None
    match: str | None = None
    given_json: str | None = None
    begin: int = 1
    since: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWait(WaitRecord):
    """A wait as it stands; fields as of Awaited.

    `since` is the transaction from which on messages count, `looked` the one up to which the log has been searched for it:
    None: that is still to be done, and nothing newer may be given to it before.  `message_sha256` tells the message that it has
    taken from all others; `error_json`: why its condition could
    not be decided.
    """

    topic: str | None = None
    signal: str | None = None
    match: str | None = None
    given_json: str | None = None
    begin: int = 1
    since: int = 0
    looked: int | None = None
    message_sha256: bytes | None = None
    error_json: str | None = None

    @property
    def place(self) -> FeedPosition:
        """From where on the log is to be searched for it."""
        return FeedPosition(self.since if self.looked is None else self.looked, "", 0)


class Got(Enum):
    """What became of a message that was offered to a wait."""

    TAKEN = "taken"
    HAD = "had"
    """Another wait of its thread has taken it, or this one has."""
    CLOSED = "closed"
    """It waits no more."""
    BUSY = "busy"
    """The row of its thread is held by somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a wait is answered with: JSON text and who said it; or why its condition could not be decided.

    `digest` tells the message from all others.
    """

    digest: bytes
    answer_json: str | None = None
    by: str | None = None
    error_json: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What is sent: JSON text, who sends it, and what an Idempotency-Key stands for, if there is one."""

    name: str
    value_json: str
    by: str | None = None
    key: str | None = None
    request_sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRecord:
    """A signal as it stands: `place` counts those of its thread from 1, `at_seq` is its thread's last event at that time.

    `taken_by` is the wait that has it.
    """

    thread_id: str
    place: int
    name: str
    value_json: str
    value_sha256: bytes
    sent_by: str | None = None
    sent_at: datetime
    at_seq: int
    key: str | None = None
    request_sha256: bytes | None = None
    taken_by: WaitKey | None = None
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a signal: its row, its thread's afterwards, and whether it had been sent before."""

    signal: SignalRecord
    thread: ThreadRecord
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFilter:
    """Which waits: of a thread, of a step, for exactly this topic (or pattern) or signal; `is_open`: those that can be
    answered, or the others.  `before` is (opened_at, key) of the last one seen, newest first.
    """

    thread_id: str | None = None
    step_id: str | None = None
    topic: str | None = None
    signal: str | None = None
    is_open: bool | None = None
    before: tuple[datetime, WaitKey] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFilter:
    """Which signals of a thread: of a name, `pending` ones or those that were taken; oldest first, after a place."""

    thread_id: str
    name: str | None = None
    pending: bool | None = None
    after: int = 0
    limit: int = 50


class WaitBook(Book[MessageWait, Awaited], Protocol):
    """Where waits and signals are kept.  All raise Unavailable.

    `open` takes the oldest signal that is there for it in the same moment.
    """

    async def births(self, thread_id: str) -> Mapping[str, int]:
        """The seq of the event with which each input of a thread began, by execution, oldest first."""
        ...

    async def take(self, key: WaitKey, taken: Taken) -> tuple[Got, ThreadRecord | None]:
        """Answer a wait with a message, unless its thread has had that, and make its thread look at it: the thread's row then.

        Does not wait for long for a row that somebody holds.  Raises InvalidRequest for what the store cannot hold.
        """
        ...

    async def give(self, offers: Sequence[tuple[WaitKey, Taken]]) -> list[tuple[Got, ThreadRecord | None]]:
        """As `take`, each offer to another thread, in one transaction; a row that somebody holds is BUSY at once."""
        ...

    async def had(self, thread_id: str, digests: Collection[bytes]) -> Collection[bytes]:
        """Which of these messages a thread has taken."""
        ...

    async def looked(self, wait: MessageWait, up_to: int | None) -> bool:
        """The log has been searched for it up to a transaction (None: it is to be searched anew); False, and nothing is
        written: something has been missed meanwhile, so that the search must go on from there.
        """
        ...

    async def missed(self, wait: MessageWait) -> bool:
        """There is something for a wait for which the log is still being searched; False: it has been searched by now."""
        ...

    async def behind(self, seconds: float, limit: int) -> list[MessageWait]:
        """Waits that have been open for so long and for which the log has not been searched, the longest first."""
        ...

    async def heads(self, limit: int, *, first: str = "") -> list[str]:
        """The patterns (see `head_of`) of what open waits want, each once, in their order from `first` on."""
        ...

    async def wanted(self, said: Collection[str]) -> list[str]:
        """What open waits want of these topics: the topics themselves and the patterns that mean one, each once."""
        ...

    async def open_for(self, topic: str, after: MessageWait | None, limit: int) -> list[MessageWait]:
        """The open waits for exactly this topic or pattern, by thread, and within one by when they were opened."""
        ...

    async def listed(self, where: WaitFilter) -> list[MessageWait]:
        """Waits, newest first by (opened_at, key); a long answer is told by its size and a preview."""
        ...

    async def send(self, thread_id: str, signal: Signal) -> Sent:
        """Keep a signal; the wait of its thread that has waited longest for it takes it at once.

        Raises NotFound (thread_not_found), Conflict (thread_ended, signals_full), InvalidRequest (idempotency_key_reused).
        """
        ...

    async def signals(self, where: SignalFilter) -> list[SignalRecord]:
        """Signals, oldest first; a long value is told by its size and a preview."""
        ...


class Look(Protocol):
    """Who searches the logs for what has been said since a wait counts messages."""

    async def look(self, wait: MessageWait) -> MessageWait:
        """How it stands then.  Raises Unavailable."""
        ...


def head_of(topic: str) -> str:
    """The pattern that a topic, or a pattern, belongs to, so that few stand for many: by its first word, that of a thread's
    event by the event's name too.
    """
    first, *rest = topic.split(".")
    if first in {"*", ">"}:
        return ">"
    if first == OWN and len(rest) > 1 and rest[0] != "*":
        return f"{OWN}.{rest[0]}.>"
    return f"{first}.>" if rest else first


def is_wild(topic: str) -> bool:
    """Whether it is a pattern that may mean several topics."""
    return "*" in topic or ">" in topic


def check_signal(name: str) -> None:
    """Raises ValueError, with a message for its author, for what no signal can be called."""
    if _NAME.fullmatch(name) is None:
        raise ValueError("not a name: letters, digits and . _ - only, beginning with a letter or a digit, at most 128")


def no_wait(key: WaitKey) -> BackstitchError:
    """There is no such wait."""
    return NotFound(f"step {key.step_id} of thread {key.thread_id} waits for no message", code="wait_not_found")


def check_open(thread: ThreadRecord) -> None:
    """Raises Conflict where a thread can be sent no signal any more."""
    if thread.status in ENDED:
        raise Conflict(f"thread {thread.thread_id} is {thread.status}: nothing in it waits", code="thread_ended")


def full(thread_id: str) -> Conflict:
    """Why a thread takes no more signals."""
    told = f"thread {thread_id} has {MOST_PENDING:,} signals that nothing in it has taken"
    return Conflict(told, code="signals_full")


def check_again(before: SignalRecord, signal: Signal) -> None:
    """Raises InvalidRequest where a key was used for another signal."""
    if before.request_sha256 != signal.request_sha256:
        raise InvalidRequest("this Idempotency-Key was used for another request", code="idempotency_key_reused")
