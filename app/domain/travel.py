"""What looking at a thread's timelines needs of a store: its versions as runs, and the threads that came of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.events import Event
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A run of versions that one execution wrote, each on top of the one before.

    `parent_version` is the version that its first was written on, None for none; `shown` counts those that are not hidden;
    `created_at` is the time of the first.
    """

    execution_id: str
    first_version: int
    last_version: int
    parent_version: int | None
    shown: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunValues:
    """Of a step run: its input and output as JSON text, None where there is none or it was not asked for; and their bytes."""

    input: str | None
    output: str | None
    input_bytes: int | None
    output_bytes: int | None


class Travels(Protocol):
    """Looking at timelines; all raise Unavailable while the store is away."""

    async def segments(self, thread_id: str) -> list[Segment]:
        """All runs of versions of a thread, in the order of their versions."""
        ...

    async def executions_of(
        self, thread_id: str, after: tuple[datetime, str] | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """The executions of a thread, the oldest first by (created_at, id), without input, output and context."""
        ...

    async def turns(self, thread_id: str, execution_ids: list[str]) -> list[Event]:
        """The first event of each of these executions that tells how it began, without results."""
        ...

    async def derived(
        self, thread_id: str, kind: str, after: str | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """The executions of a `kind` (`fork`: forks, `invoke`: replays) that began from a thread, by their ids, as above."""
        ...

    async def children_of(self, thread_id: str, after: str | None = None, limit: int = 50) -> list[ThreadRecord]:
        """The threads whose parent this is, by their ids."""
        ...

    async def runs_of(self, thread_id: str, step_id: str, limit: int = 50) -> list[StepRecord]:
        """The runs of a step, whichever execution did them, the one that began last first, without input and output."""
        ...

    async def values_of(self, thread_id: str, run_id: str, *, whole: bool = True) -> RunValues | None:
        """What a step run was given and gave, with `whole` False no more than how long they are; None for no such run."""
        ...

    async def began_at(self, thread_id: str, run_id: str) -> int | None:
        """The version that was the head when a step run began, None where no event tells."""
        ...

    async def weight(self, thread_id: str, run_ids: Sequence[str]) -> int:
        """How many bytes the outputs of these step runs have together."""
        ...


class Timeline:
    """The versions that `head` came from, itself included."""

    def __init__(self, segments: Sequence[Segment], head: int) -> None:
        self._segments = sorted(segments, key=lambda one: one.first_version)
        self._firsts = [one.first_version for one in self._segments]
        self._reached: dict[int, int] = {}
        at: int | None = head
        while at is not None:
            segment = self._segment_of(at)
            if segment is None:  # its row is gone
                break
            self._reached[segment.first_version] = at
            parent = segment.parent_version
            at = parent if parent is not None and parent < segment.first_version else None

    def end_in(self, segment: Segment) -> int | None:
        """The last version of a run that the head came from, None for none of them."""
        return self._reached.get(segment.first_version)

    def holds(self, version: int) -> bool:
        """Whether the head came from this version."""
        segment = self._segment_of(version)
        end = None if segment is None else self.end_in(segment)
        return end is not None and version <= end

    def _segment_of(self, version: int) -> Segment | None:
        place = bisect_right(self._firsts, version) - 1
        segment = self._segments[place] if place >= 0 else None
        return segment if segment is not None and version <= segment.last_version else None
