"""What the engine commits at once: the birth of a thread, or one move of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from app.domain.fresh import empty
from app.domain.status import Status, StepStatus

if TYPE_CHECKING:
    from app.domain.events import Event
    from app.domain.integrity import Quarantined
    from app.domain.moving import Moved
    from app.domain.records import (
        CheckpointRecord,
        ExecutionRecord,
        ExecutionUpdate,
        IdempotencyRecord,
        ItemRecord,
        NoteRecord,
        StepRecord,
        StepUpdate,
        ThreadRecord,
    )
    from app.domain.webhooks import StartHook


@dataclass(slots=True, kw_only=True)
class Start:
    """A new thread with its first execution, version 1 and event 1; with an Idempotency-Key when the client sent one.

    `steps` are the step runs that version 1 begins with: those that a fork took over.
    """

    thread: ThreadRecord
    execution: ExecutionRecord
    checkpoint: CheckpointRecord
    event: Event
    idempotency: IdempotencyRecord | None = None
    steps: list[StepRecord] = field(default_factory=empty)
    webhook: StartHook | None = None


@dataclass(slots=True, kw_only=True)
class Transition:
    """A write on one thread, conditional on (thread_id, epoch, rev, held execution); the row's rev becomes rev + 1.

    The held execution tells a thread from another that was born under its id after it was deleted.  All from `new_epoch` to
    `wake_at` is what the thread's row holds afterwards (its pending `signal` is cleared when `clear_signal`).  Versions and
    event numbers were given by whoever holds the row: its driver, or steer under its lock.
    """

    thread_id: str
    epoch: int
    rev: int
    held_execution_id: str
    at: datetime
    new_epoch: int
    incarnation_id: str | None
    execution_id: str
    status: Status
    head_version: int
    last_version: int
    last_seq: int
    wake_at: datetime | None = None
    recoveries: int = 0
    clear_signal: bool = False
    wake_thread_id: str | None = None
    """A waiting parent that this transition, a child's end, sets free."""
    queue: str = "default"
    """The thread's, which no transition changes."""
    workflow: str | None = None
    """The name of the thread's workflow where the writer knows it: for who counts, not written."""
    definition_id: str | None = None
    """What the thread is a run of: for who counts, not written."""
    checkpoints: list[CheckpointRecord] = field(default_factory=empty)
    steps: list[StepRecord] = field(default_factory=empty)
    step_updates: list[StepUpdate] = field(default_factory=empty)
    executions: list[ExecutionRecord] = field(default_factory=empty)
    execution_updates: list[ExecutionUpdate] = field(default_factory=empty)
    events: list[Event] = field(default_factory=empty)
    items: list[ItemRecord] = field(default_factory=empty)
    """At most one for an item."""
    notes: list[NoteRecord] = field(default_factory=empty)
    quarantined: list[Quarantined] = field(default_factory=empty)
    """What was found damaged; written by `steer` only."""
    moved: Moved | None = None
    """Another definition for the thread, and what goes on in it; written by `steer` only."""
    shown: int | None = None
    """A version that people see from now on, whatever the checkpoint policy; written by `steer` only."""
    webhook: StartHook | None = None
    """Is told of the thread from the first of these events on."""

    @property
    def gets_on(self) -> bool:
        """Whether something came of it: a step began, ended or spent an attempt.  One that merely waits brings nothing."""
        return bool(self.steps or self.checkpoints or self.notes) or any(
            each.status is not StepStatus.WAITING for each in (*self.step_updates, *self.items)
        )

    def apply_to(self, thread: ThreadRecord) -> None:
        """Make `thread`, the row as the writer knows it, what it is after the commit."""
        thread.epoch, thread.rev = self.new_epoch, self.rev + 1
        thread.incarnation_id, thread.execution_id, thread.status = self.incarnation_id, self.execution_id, self.status
        thread.head_version, thread.last_version, thread.last_seq = self.head_version, self.last_version, self.last_seq
        thread.wake_at, thread.recoveries, thread.updated_at = self.wake_at, self.recoveries, self.at
        if self.clear_signal:
            thread.signal = None
        if self.moved is not None:
            thread.definition_id = self.moved.definition_id
