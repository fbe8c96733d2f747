"""Messages: what was said on a topic, and the ports of the log that keeps them and of those who follow it.

The log is the truth.  Who follows it keeps a place of its own, moves it after it has acted, and acts so that twice is once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from app.domain import jsontext
from app.domain.ports import FeedPosition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; its names are those of CloudEvents 1.0, `data_json` is JSON text.

    `id` is unique within its `source`.  `place` is where it stands in its log, None before it is there; `thread_id` is
    whose it is, where it tells of a thread.  `attributes` are the extensions of CloudEvents, by name.  `kept_at` is when its
    log took it, None where that is its `time`.
    """

    id: str
    topic: str
    source: str
    type: str
    time: datetime
    data_json: str
    subject: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    thread_id: str | None = None
    place: FeedPosition | None = None
    kept_at: datetime | None = None

    @property
    def arrived(self) -> datetime:
        """When its log took it, by the clock of the log."""
        return self.kept_at or self.time

    @property
    def data(self) -> Any:
        """Its value."""
        return jsontext.loads(self.data_json)

    def scope(self) -> dict[str, Any]:
        """As conditions and templates see it, by the name `message`."""
        return {
            "id": self.id,
            "topic": self.topic,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "data": self.data,
            **({"attributes": dict(self.attributes)} if self.attributes else {}),
        }


@dataclass(frozen=True, slots=True)
class Messages:
    """Some of a log, oldest first, and where to go on: beyond them, and beyond those that were not wanted."""

    items: Sequence[Message]
    place: FeedPosition


class Log(Protocol):
    """What can be followed.  Both raise Unavailable."""

    async def end(self) -> FeedPosition:
        """The present end: nothing can appear before it any more."""
        ...

    async def read(self, after: FeedPosition, patterns: Collection[str], limit: int) -> Messages:
        """The next messages after a place whose topics fit one of the patterns; only what nothing can come before any more.

        Looks at a bounded number of them: an empty answer whose place has moved is not the end.
        """
        ...


class Consumer(Protocol):
    """Who acts on messages."""

    async def wants(self) -> Collection[str]:
        """The patterns of what it wants at present; none: nothing need be read."""
        ...

    async def take(self, messages: Sequence[Message]) -> None:
        """Act on all of them, in their order, so that doing it again does nothing more.

        What it raises is logged, and the same messages come again after a pause: raise Unavailable for what passes, and
        deal with a message that never works by recording why.
        """
        ...


class Places(Protocol):
    """How far those who follow a log have come; one process at a time follows for each.  All raise Unavailable."""

    async def take(self, name: str, owner: str, seconds: float) -> FeedPosition | None:
        """Become the one who follows for `name`: how far that one has come, a new one the present end.

        None: another does, whose `seconds` are not over.
        """
        ...

    async def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Stay the one who follows for `name`; False when another does by now."""
        ...

    async def begun(self) -> FeedPosition:
        """What was written before this was asked is before that place of the logs, whether it can be read yet or not."""
        ...

    async def move(self, name: str, owner: str, place: FeedPosition) -> bool:
        """It has acted on all before `place`; False, and nothing is written, when another follows by now."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Let another follow at once."""
        ...
