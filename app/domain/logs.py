"""Log entries as they are kept: what was said, by whom, and in which attempt of which step.

PostgreSQL and memory keep them behind one port, and pass one contract suite (tests/contracts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""The levels by name, as Python numbers them."""
MESSAGE: Final = 8_000
"""Characters of a message that are kept, and of its context."""
LOOK: Final = 10_000
"""Entries that one request looks at, where its filters have no index."""


def level_name(number: int) -> str:
    """The name of a level, or of the next one below a number between two."""
    return next((name for name, at in reversed(LEVELS.items()) if number >= at), "debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a process is at when it says something: which thread, and within an attempt which step, item and agent."""

    thread_id: str
    execution_id: str
    workflow: str | None = None
    step_id: str | None = None
    item: int | None = None
    attempt: int | None = None
    agent: str | None = None

    def value(self) -> dict[str, Any]:
        """What is known of it, as fields of a log line."""
        named = {
            name: getattr(self, name)
            for name in ("thread_id", "execution_id", "workflow", "step_id", "attempt", "agent")
        }
        return {name: value for name, value in named.items() if value is not None} | (
            {} if self.item is None else {"index": self.item}
        )


@dataclass(slots=True, kw_only=True)
class LogEntry:
    """One entry.  `id` orders those of one moment; `context` is JSON text; `process` is the incarnation that said it."""

    id: str
    at: datetime
    level: int
    logger: str
    message: str
    place: Place | None = None
    context: str | None = None
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which entries, newest first by (at, id): of that level or above, since <= at < until.

    `logger` means those below it too, `text` a part of the message, in whatever case; `before` is (at, id) of the last one
    seen.  At most `look` entries are looked at.
    """

    level: int = 0
    thread_id: str | None = None
    step_id: str | None = None
    agent: str | None = None
    logger: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, str] | None = None
    limit: int = 50
    look: int = LOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """What was found, and (at, id) to go on `before`, None at the end; it may be short, or empty, and not be the end."""

    entries: Sequence[LogEntry] = field(default_factory=list[LogEntry])
    next: tuple[datetime, str] | None = None


class LogBook(Protocol):
    """Where log entries are kept.  All raise Unavailable."""

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """Keep entries."""
        ...

    async def listed(self, where: LogFilter) -> LogPage:
        """A page of them, newest first."""
        ...

    async def prune(self, age: timedelta, most_bytes: int, limit: int) -> int:
        """Drop at most `limit` of those that are older than `age`, or too old for the newest to have `most_bytes`; how many."""
        ...
