"""The events of all threads as a list: filtered, in pages, and followed from its end without losing what commits late."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.events import CLASS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.ports import FeedItem, FeedPosition
    from app.domain.status import Status

LOOK: Final = 10_000
"""Events that one request looks at, where its filters are about the events themselves."""
LOOK_FURTHER: Final = 4_000
"""The same where they are about the thread or the step run of each."""
LONGEST: Final = 8 * 1024
"""Bytes of a result that a list of events shows; a longer one is told by its size and a preview."""
CLOCKS: Final = timedelta(minutes=5)
"""How far the clock of a process may be from that of the store."""
HELD: Final = timedelta(days=1)
"""How long an event may wait to be committed, while the store is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; `names` None: of any name, `other_than` some that are left out; since <= at < until.

    Without `thread_id` they are in the order of the feed, with it in that of `seq`; `after` is where the page before ended
    (newest first: where it began), and of the same kind of list.  At most `look` events are looked at.
    """

    thread_id: str | None = None
    workflow: str | None = None
    names: frozenset[str] | None = None
    other_than: frozenset[str] = frozenset()
    step_id: str | None = None
    agent: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: FeedPosition | None = None
    newest_first: bool = False
    limit: int = 50
    look: int | None = None

    @property
    def bound(self) -> int:
        """How many events may be looked at."""
        if self.look is not None:
            return self.look
        return LOOK if (self.workflow, self.agent, self.status) == (None, None, None) else LOOK_FURTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """What was found.  `next`: where to go on, None at the end; a page may be short, or empty, and not be the end.

    `place` is where whoever follows goes on, at the end too.
    """

    items: Sequence[FeedItem] = field(default_factory=list["FeedItem"])
    next: FeedPosition | None = None
    place: FeedPosition


class EventLog(Protocol):
    """Reads the events of all threads.  All raise Unavailable."""

    async def page(self, where: EventFilter) -> EventPage:
        """A page.  Oldest first it shows only what nothing can come before any more, unless it is of one thread."""
        ...

    async def mark(self) -> None:
        """Note which place in the feed the present moment has, so that `since` and `until` need not look at all events."""
        ...


def names_of(kind: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The names of a coarse class (see events.CLASS): those that are of it, or those that are not."""
    if kind == "status":
        return None, frozenset(CLASS)
    return frozenset(name for name, known in CLASS.items() if known == kind), frozenset()
