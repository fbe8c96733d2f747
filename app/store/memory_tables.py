"""The tables of the memory store: plain dicts of records, all lost with the process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from app.domain.breakers import BreakerRecord
from app.domain.events import Event
from app.domain.gates import GateKey, GateRecord
from app.domain.integrity import Quarantined, is_text
from app.domain.queues import NAMED_LIMIT, QueueSettings
from app.domain.records import (
    CheckpointRecord,
    ExecutionRecord,
    IdempotencyRecord,
    IncarnationRecord,
    ItemRecord,
    NoteRecord,
    StepRecord,
    ThreadRecord,
    WorkflowRecord,
)
from app.domain.status import StepStatus
from app.domain.times import utc_now
from app.domain.waiting import WaitKey
from app.domain.waits import MessageWait, SignalRecord
from app.domain.webhooks import StartHook, ThreadHook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from app.domain.transition import Transition

_Key = TypeVar("_Key")


@dataclass(slots=True, kw_only=True)
class MemoryQueue:
    """What a queue is told to be, and how full its bucket was when it was last looked into."""

    settings: QueueSettings
    tokens: float = 0.0
    tokens_at: datetime


@dataclass(slots=True)
class MemoryTables:
    """What the memory journal writes and the memory reads look at; `clock` is its database clock, `queue_limit` the usual
    limit of a named queue.
    """

    clock: Callable[[], datetime] = utc_now
    queue_limit: int = NAMED_LIMIT
    queues: dict[str, MemoryQueue] = field(default_factory=dict[str, MemoryQueue])
    breakers: dict[str, BreakerRecord] = field(default_factory=dict[str, BreakerRecord])
    workflows: dict[str, WorkflowRecord] = field(default_factory=dict[str, WorkflowRecord])
    incarnations: dict[str, IncarnationRecord] = field(default_factory=dict[str, IncarnationRecord])
    threads: dict[str, ThreadRecord] = field(default_factory=dict[str, ThreadRecord])
    executions: dict[str, ExecutionRecord] = field(default_factory=dict[str, ExecutionRecord])
    runs: dict[str, dict[str, StepRecord]] = field(
        default_factory=lambda: defaultdict[str, dict[str, StepRecord]](dict)
    )
    """Step runs by thread and id."""
    items: dict[str, dict[tuple[str, str, int], ItemRecord]] = field(
        default_factory=lambda: defaultdict[str, dict[tuple[str, str, int], ItemRecord]](dict)
    )
    """By thread, and then by the execution in the key, the step and the item's place."""
    notes: dict[str, dict[tuple[str, str, int, int], NoteRecord]] = field(
        default_factory=lambda: defaultdict[str, dict[tuple[str, str, int, int], NoteRecord]](dict)
    )
    checkpoints: dict[str, list[CheckpointRecord]] = field(
        default_factory=lambda: defaultdict[str, list[CheckpointRecord]](list)
    )
    """By thread, in the order of versions."""
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict[str, list[Event]](list))
    """By thread, in the order of seq."""
    feed: list[list[Event]] = field(default_factory=list[list[Event]])
    """The events of each commit; its transaction id is the place here + 1."""
    gates: dict[GateKey, GateRecord] = field(default_factory=dict[GateKey, GateRecord])
    waits: dict[WaitKey, MessageWait] = field(default_factory=dict[WaitKey, MessageWait])
    messages_taken: dict[str, dict[bytes, WaitKey]] = field(default_factory=dict[str, dict[bytes, WaitKey]])
    """By thread: which wait has which message."""
    messages_missed: set[WaitKey] = field(default_factory=set[WaitKey])
    """Waits for which the log is being searched, and there is more by now."""
    signals: dict[str, list[SignalRecord]] = field(default_factory=dict[str, list[SignalRecord]])
    """By thread, in the order of their places."""
    keys: dict[tuple[str, str], IdempotencyRecord] = field(default_factory=dict[tuple[str, str], IdempotencyRecord])
    quarantine: dict[str, dict[str, Quarantined]] = field(
        default_factory=lambda: defaultdict[str, dict[str, Quarantined]](dict)
    )
    """By thread and id."""
    hooks: dict[str, list[ThreadHook]] = field(default_factory=lambda: defaultdict[str, list[ThreadHook]](list))
    """The webhooks of threads, by thread, in the order of from_seq."""
    used_at: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When a definition was last started directly."""
    locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])
    """Of threads' rows, while somebody holds or awaits them."""
    on_forget: list[Callable[[Collection[str]], int]] = field(default_factory=list["Callable[[Collection[str]], int]"])
    """Who else keeps something of threads; they forget it and tell how many rows those were."""

    def put_aside(self, thread_id: str, items: Sequence[Quarantined]) -> None:
        """Keep what was found damaged, each damage once, and put back what a copy mends."""
        for item in items:
            self.quarantine[thread_id].setdefault(item.id, item)
            execution = self.executions.get(item.finding.execution_id or "")
            if item.mended is not None and execution is not None:
                execution.input = item.mended

    def move(self, transition: Transition) -> None:
        """What the `move` statement of the journal does."""
        if transition.moved is None:
            return
        for run_id, place in transition.moved.runs.items():
            run = self.runs[transition.thread_id][run_id]
            run.execution_id, run.step_index = transition.execution_id, place
        new, old = self.executions[transition.execution_id], self.executions[transition.held_execution_id]
        if new.completed_at is not None:
            new.error, new.context = old.error, old.context

    def show(self, thread_id: str, version: int | None) -> None:
        """People see that version from now on."""
        for checkpoint in self.checkpoints.get(thread_id, ()):
            if checkpoint.version == version:
                checkpoint.hidden = False

    def put_items(self, thread_id: str, items: Sequence[ItemRecord]) -> None:
        """Write items; one that completed is never overwritten, unless its text is not the one that was written."""
        for item in items:
            key = (item.key_execution_id, item.step_id, item.item)
            known = self.items[thread_id].get(key)
            if (
                known is not None
                and known.status is StepStatus.COMPLETED
                and is_text(known.output, known.output_sha256)
            ):
                continue
            self.items[thread_id][key] = replace(item, session_id=item.session_id or (known and known.session_id))

    def put_notes(self, thread_id: str, notes: Sequence[NoteRecord]) -> None:
        """Write what attempts remember."""
        for note in notes:
            self.notes[thread_id][note.key_execution_id, note.step_id, note.item, note.place] = replace(note)

    def put_hook(self, hook: StartHook | None, *first: Event) -> None:
        """The webhook that is told of a thread from that event on."""
        for event in first if hook is not None else ():
            assert hook is not None
            self.hooks[event.thread_id].append(ThreadHook(thread_id=event.thread_id, from_seq=event.seq, hook=hook))

    def forget(self, gone: Collection[str]) -> int:
        """Delete threads with all that is kept of them; how many rows those were."""
        count = sum(forget(gone) for forget in self.on_forget)
        for table in (self.runs, self.items, self.notes, self.checkpoints, self.events, self.quarantine):
            count += sum(len(table.pop(thread_id, ())) for thread_id in gone)
        for number, events in enumerate(self.feed):
            if any(event.thread_id in gone for event in events):
                self.feed[number] = [event for event in events if event.thread_id not in gone]
        executions = [key for key, execution in self.executions.items() if execution.thread_id in gone]
        keys = [key for key, record in self.keys.items() if record.thread_id in gone]
        gates = [key for key in self.gates if key.thread_id in gone]
        waits = [key for key in self.waits if key.thread_id in gone]
        count += _drop(self.waits, waits) + sum(len(self.signals.pop(thread_id, ())) for thread_id in gone)
        _drop(self.messages_taken, list(gone))
        self.messages_missed.difference_update(waits)
        count += _drop(self.executions, executions) + _drop(self.keys, keys) + _drop(self.gates, gates)
        return count + _drop(self.threads, list(gone))

    def append_events(self, events: Sequence[Event]) -> None:
        """The events of one commit, without the results that they carry: those are stored elsewhere."""
        bare = [replace(event, result=None, _frame=None) for event in events]
        for event in bare:
            self.events[event.thread_id].append(event)
        self.feed.append(sorted(bare, key=lambda event: event.seq))


def _drop(table: dict[_Key, Any], keys: Collection[_Key]) -> int:
    return sum(table.pop(key, None) is not None for key in keys)
