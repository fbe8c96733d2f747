"""The list of threads: each once, by its present execution, filtered, in pages; and how many there are in each status."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.status import Status, StepStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.domain.records import ExecutionRecord, ThreadRecord, Usage

Place = tuple[datetime, str]
"""(created_at, id) of the present execution of a thread."""
LOOK: Final = 10_000
"""Executions that one request for a page looks at."""
LOOK_INTO: Final = 4_000
"""The same where a text is looked for in their inputs."""
COUNTED: Final = 10_000
"""How far the threads of a status are counted."""
COUNT_LOOK: Final = 20_000
"""Executions of a status that are looked at for that."""
HEAD: Final = 2_048
"""Characters of an input that a title is made from."""
SHOWN: Final = 5
"""Open steps that an entry names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadFilter:
    """Which threads: `statuses` empty: in any; since <= the present execution's `created_at` < until; `text` is found, in
    whatever case, in the thread's id, its workflow's name, who triggered it, its outer run's id, or its input.

    Without `children` only those that stand for themselves: no sub-workflow, no replay.  `before` is (created_at, id) of the
    present execution of the last thread of the page before; at most `look` executions are looked at.
    """

    statuses: frozenset[Status] = frozenset()
    workflow: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    triggered_by: str | None = None
    text: str | None = None
    children: bool = False
    before: Place | None = None
    limit: int = 50
    look: int | None = None

    @property
    def bound(self) -> int:
        """How many executions may be looked at."""
        return self.look or (LOOK if self.text is None else LOOK_INTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A step run that has begun and not ended; `waits`: gate, message, signal, child or sleep, where that is known."""

    step_id: str
    status: StepStatus
    agent: str | None
    attempt: int
    started_at: datetime | None
    next_attempt_at: datetime | None = None
    waits: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """How far a thread is: `total` steps of its workflow, None where they are known only as they come; the head's
    `progress` (0 to 1), and the execution that wrote it; how many steps have `ended`, as far as was looked.
    """

    total: int | None
    progress: float
    execution_id: str | None
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedThread:
    """A thread of the list; `execution` is the present one, without its values, `head` the beginning of its input.

    `open` are the first of its open step runs, those that run before those that wait; `usage` is what all its step runs have
    cost, None where none did or they are too many for a list.
    """

    thread: ThreadRecord
    execution: ExecutionRecord
    head: str | None
    footing: Footing
    open: Sequence[OpenRun] = ()
    open_more: int = 0
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPage:
    """What was found.  `next`: where to go on, None at the end; a page may be short, or empty, and not be the end."""

    threads: Sequence[ListedThread] = field(default_factory=list[ListedThread])
    next: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadCounts:
    """Threads by status, each counted up to COUNTED; `whole` False: there are more than were looked at."""

    counts: Mapping[Status, int]
    whole: bool = True


class ThreadList(Protocol):
    """Lists threads.  All raise Unavailable."""

    async def page(self, where: ThreadFilter) -> ThreadPage:
        """A page, newest first by the present execution's (created_at, id): what was resumed comes to the top."""
        ...

    async def ids(self, where: ThreadFilter) -> tuple[list[tuple[str, Place]], Place | None]:
        """The ids of the threads of a page, each with its place, and where to go on, None at the end."""
        ...

    async def entries(self, ids: Sequence[str]) -> list[ListedThread]:
        """These threads as far as there are such, in that order."""
        ...

    async def counts(self, where: ThreadFilter) -> ThreadCounts:
        """How many there are, whatever the page; `text` is not looked for."""
        ...
