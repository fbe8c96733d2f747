"""What clients of LangGraph's SDK keep of their own about threads and runs, and how they see a thread's status."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EMPTY_DAYS: Final = 90
"""How long a thread is kept that was made and never ran, counted from its last change."""
CLEARED: Final = 10
"""How many of those that are kept no longer go whenever a new one is made."""


class SdkStatus(StrEnum):
    """Of a thread, as LangGraph tells it."""

    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkThread:
    """A thread that a client made or ran; it may have no thread of ours yet."""

    thread_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkRun:
    """What a client said of a run, or that it wants to see it no more (`hidden`)."""

    run_id: str
    thread_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    strategy: str | None = None
    hidden: bool = False


class SortBy(StrEnum):
    """By what a list of threads is sorted."""

    THREAD_ID = "thread_id"
    STATUS = "status"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    STATE_UPDATED_AT = "state_updated_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkThreadFilter:
    """Which threads, in which order; `metadata` is what that of each must contain."""

    ids: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    status: SdkStatus | None = None
    sort_by: SortBy = SortBy.CREATED_AT
    ascending: bool = False
    limit: int = 10
    offset: int = 0


class SdkThreads(Protocol):
    """Where that is kept.  All raise Unavailable."""

    async def create(self, thread_id: str, metadata: Mapping[str, Any]) -> bool:
        """Keep a thread that has not run; False when it is kept already.  Some that never ran are cleared away."""
        ...

    async def get(self, thread_id: str) -> SdkThread | None:
        """What is kept of a thread."""
        ...

    async def merge(self, thread_id: str, metadata: Mapping[str, Any], *, ran: bool = False) -> SdkThread:
        """Add to a thread's metadata, a name at a time, keeping the thread from now on; `ran`: it has had a run."""
        ...

    async def delete(self, thread_id: str) -> bool:
        """Keep nothing of it, nor of its runs; whether anything was kept."""
        ...

    async def found(self, where: SdkThreadFilter) -> list[SdkThread]:
        """A page of the threads that are kept."""
        ...

    async def count(self, where: SdkThreadFilter) -> int:
        """How many there are, whatever the page."""
        ...

    async def statuses(self, thread_ids: Sequence[str]) -> dict[str, SdkStatus]:
        """How these threads of ours stand, as far as they are there.

        One is interrupted when it is paused or was cancelled, and when it is parked and each of its open steps asks something.
        """
        ...

    async def note_run(self, run: SdkRun) -> None:
        """Keep something of a run, beside what is kept of it: metadata a name at a time; what is hidden stays so."""
        ...

    async def runs(self, run_ids: Sequence[str]) -> dict[str, SdkRun]:
        """What is kept of these runs."""
        ...
