"""Retention: which threads that have ended are kept no longer, by age, by number and by size; and the port that deletes.

Only threads without a living parent are looked at: a sub-workflow goes with its parent, and neither while any of them has
not ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from app.domain.status import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.domain.status import Status

Reason = Literal["age", "count", "size"]
UNUSED: Final = timedelta(days=1)
"""How long a document that was started directly is kept after its last use; a process may start it unasked for an hour."""
DELETABLE: Final = ENDED
"""Statuses of threads that may be deleted: not pending, running, waiting or paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRetention:
    """What a workflow is told; None: as all others.  `keep`: nothing of it is ever deleted by itself."""

    workflow: str
    keep: bool = False
    days: float | None = None
    status_days: Mapping[Status, float] = field(default_factory=dict["Status", float])
    max_threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What holds for all, and what single workflows are told; without a number nothing is deleted for that reason.

    `only_workflow` and `only_status` confine one run; `max_bytes` is of all threads together.
    """

    days: float | None = None
    status_days: Mapping[Status, float] = field(default_factory=dict["Status", float])
    max_per_workflow: int | None = None
    max_bytes: float | None = None
    workflows: Mapping[str, WorkflowRetention] = field(default_factory=dict[str, WorkflowRetention])
    only_workflow: str | None = None
    only_status: Status | None = None

    def days_of(self, workflow: str, status: Status) -> float | None:
        """How long a thread of a workflow is kept that ended in a status."""
        own = self.workflows.get(workflow)
        if own is not None:
            found = own.status_days.get(status, own.days)
            if found is not None:
                return found
        return self.status_days.get(status, self.days)

    def most_of(self, workflow: str) -> int | None:
        """How many ended threads of a workflow are kept."""
        own = self.workflows.get(workflow)
        return self.max_per_workflow if own is None or own.max_threads is None else own.max_threads

    def concerns(self, workflow: str, status: Status) -> bool:
        """Whether such a thread may be deleted at all."""
        own = self.workflows.get(workflow)
        kept = own is not None and own.keep
        return not kept and self.only_workflow in (None, workflow) and self.only_status in (None, status)

    @property
    def least_days(self) -> float | None:
        """No thread younger than this is deleted for its age; None: none is at all."""
        told = [self.days, *self.status_days.values()]
        for own in self.workflows.values():
            told += [own.days, *own.status_days.values()]
        return min((each for each in told if each is not None), default=None)

    @property
    def counts(self) -> bool:
        """Whether the newest have to be looked at too, since number or size decide."""
        most = [self.max_per_workflow, self.max_bytes, *(own.max_threads for own in self.workflows.values())]
        return any(each is not None for each in most)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scan has come to: the (created_at, id) of an execution, newest first."""

    at: datetime
    execution_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedThread:
    """A thread that has ended with all that come from it: `members` in all, the last at `ended_at`, of about `size` bytes.

    `epoch` and `rev` tell whether it still is as it was seen.
    """

    thread_id: str
    workflow: str
    status: Status
    ended_at: datetime
    epoch: int
    rev: int
    size: int = 0
    members: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A page: `ended` among `looked_at` executions; `last` is where to go on, None at the end."""

    ended: list[EndedThread]
    looked_at: int
    last: Place | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """Roots that were deleted, all the threads that went with them, and the rows of all tables."""

    roots: list[str]
    threads: list[str]
    rows: int


class Sieve:
    """Told of all ended threads, newest first; says of each why it is to go, if it is."""

    def __init__(self, policy: RetentionPolicy, now: datetime) -> None:
        self._policy = policy
        self._now = now
        self._kept: dict[str, int] = {}
        self._size = 0
        self._full = False

    def sift(self, thread: EndedThread) -> Reason | None:
        """Why it is to go; None: it is kept."""
        policy = self._policy
        reason = self._reason(thread) if policy.concerns(thread.workflow, thread.status) else None
        if reason is None:
            self._kept[thread.workflow] = self._kept.get(thread.workflow, 0) + 1
            self._size += thread.size
        return reason

    def _reason(self, thread: EndedThread) -> Reason | None:
        policy = self._policy
        days, most = policy.days_of(thread.workflow, thread.status), policy.most_of(thread.workflow)
        if days is not None and self._now - thread.ended_at > timedelta(days=days):
            return "age"
        if most is not None and self._kept.get(thread.workflow, 0) >= most:
            return "count"
        self._full = self._full or (policy.max_bytes is not None and self._size + thread.size > policy.max_bytes)
        return "size" if self._full else None


@dataclass(slots=True, kw_only=True)
class RetentionRun:
    """One run, or what one would do; `asked` is what it was told beyond the policy."""

    id: str
    asked: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    scanned: int = 0
    threads: int = 0
    rows: int = 0
    size: int = 0
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    workflows: dict[str, int] = field(default_factory=dict[str, int])
    definitions: int = 0
    agent_events: int = 0
    error: str | None = None

    def note(self, thread: EndedThread, reason: Reason) -> None:
        """One thread more, which goes or would go."""
        self.size += thread.size
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        name = thread.workflow if thread.workflow in self.workflows or len(self.workflows) < _NAMED else _OTHERS
        self.workflows[name] = self.workflows.get(name, 0) + 1


_NAMED: Final = 100
_OTHERS: Final = "(others)"


class RetentionStore(Protocol):
    """What retention reads and deletes.  All raise Unavailable."""

    async def scan(self, before: Place | None, limit: int) -> Scan:
        """The next executions, newest first, with the threads among them that have ended, as all that come from them have.

        Those of a living parent are not told of.
        """
        ...

    async def delete(self, threads: Sequence[EndedThread]) -> Deleted:
        """Delete these with their sub-workflows from every table.

        Left alone are those that have moved on since, that somebody holds, and those of whose families not all have ended.
        """
        ...

    async def tidy(self, agent_days: float, limit: int) -> tuple[int, int]:
        """Delete up to `limit` of the events of agents that are older, and of unused documents; how many of each."""
        ...

    async def sizes(self) -> Mapping[str, int]:
        """Bytes of each table with its indexes; none where they cannot be told."""
        ...

    async def policies(self) -> list[WorkflowRetention]:
        """What single workflows are told, by name."""
        ...

    async def set_policy(self, policy: WorkflowRetention) -> None:
        """Tell a workflow."""
        ...

    async def drop_policy(self, workflow: str) -> bool:
        """Tell it nothing any more; whether it was told anything."""
        ...

    async def take(self, owner: str, seconds: float, *, every: float | None = None) -> bool:
        """Take the lease of the retention, or renew it; with `every` only when the last run is so many seconds past."""
        ...

    async def release(self, owner: str) -> None:
        """Give the lease back: a run is over."""
        ...

    async def note(self, run: RetentionRun) -> None:
        """Write how far a run is; those that nobody works at any more are closed, and old ones forgotten."""
        ...

    async def runs(self, limit: int) -> list[RetentionRun]:
        """The last runs, newest first."""
        ...
