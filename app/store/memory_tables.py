"""The tables of the memory store: plain dicts of records, all lost with the process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from app.domain.events import Event
from app.domain.records import (
    CheckpointRecord,
    ExecutionRecord,
    IdempotencyRecord,
    IncarnationRecord,
    StepRecord,
    ThreadRecord,
    WorkflowRecord,
)
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(slots=True)
class MemoryTables:
    """What the memory journal writes and the memory reads look at; `clock` is its database clock."""

    clock: Callable[[], datetime] = utc_now
    workflows: dict[str, WorkflowRecord] = field(default_factory=dict[str, WorkflowRecord])
    incarnations: dict[str, IncarnationRecord] = field(default_factory=dict[str, IncarnationRecord])
    threads: dict[str, ThreadRecord] = field(default_factory=dict[str, ThreadRecord])
    executions: dict[str, ExecutionRecord] = field(default_factory=dict[str, ExecutionRecord])
    runs: dict[str, dict[str, StepRecord]] = field(
        default_factory=lambda: defaultdict[str, dict[str, StepRecord]](dict)
    )
    """Step runs by thread and id."""
    checkpoints: dict[str, list[CheckpointRecord]] = field(
        default_factory=lambda: defaultdict[str, list[CheckpointRecord]](list)
    )
    """By thread, in the order of versions."""
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict[str, list[Event]](list))
    """By thread, in the order of seq."""
    feed: list[list[Event]] = field(default_factory=list[list[Event]])
    """The events of each commit; its transaction id is the place here + 1."""
    keys: dict[tuple[str, str], IdempotencyRecord] = field(default_factory=dict[tuple[str, str], IdempotencyRecord])

    def append_events(self, events: Sequence[Event]) -> None:
        """The events of one commit, without the results that they carry: those are stored elsewhere."""
        bare = [replace(event, result=None, _frame=None) for event in events]
        for event in bare:
            self.events[event.thread_id].append(event)
        self.feed.append(sorted(bare, key=lambda event: event.seq))
