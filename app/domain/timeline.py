"""What a thread's timeline is made of: its executions, a page of its step runs, the events that begin or end a span."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.domain.events import Event
    from app.domain.records import ItemRecord, StepRecord

EXECUTIONS: Final = 100
"""The newest executions that a timeline tells of."""
EVENTS: Final = 20_000
"""Events that a page of it is made of at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTimes:
    """When an execution was accepted, taken up and ended."""

    id: str
    kind: str
    status: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFilter:
    """Of a thread, or of one of its executions: at most `limit` step runs after the id `after`, and `items` parts of each."""

    thread_id: str
    execution_id: str | None = None
    after: str | None = None
    limit: int = 200
    items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """`runs` by their ids, which is the order of their beginnings; `events` by seq, of those runs and of the thread itself.

    `whole`: no event was left out because there are too many.
    """

    executions: Sequence[ExecutionTimes]
    runs: Sequence[StepRecord]
    events: Sequence[Event]
    items: Sequence[ItemRecord] = field(default_factory=list["ItemRecord"])
    more: bool = False
    whole: bool = True


class Timelines(Protocol):
    """Reads them.  Raises Unavailable."""

    async def page(self, where: TimelineFilter) -> TimelinePage:
        """A page."""
        ...
