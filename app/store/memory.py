"""A Journal in memory, for tests and for running without a database: it checks epoch and rev, appends, and forgets all
when the process ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain import wishes
from app.domain.errors import Conflict, Fenced, NotFound
from app.domain.ports import Journal, Reads, StartOutcome
from app.domain.status import ENDED, Status
from app.store.memory_queue import MemoryQueues
from app.store.memory_reads import MemoryReads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from app.domain.records import ExecutionUpdate, IdempotencyRecord, IncarnationRecord, StepUpdate, ThreadRecord
    from app.domain.transition import Start, Transition
    from app.store.memory_tables import MemoryTables


class MemoryJournal(Journal):
    """See domain.ports.Journal.  One event loop; a call that does not wait for a lock happens at once."""

    durable = False

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._locks = tables.locks

    async def start(self, start: Start) -> StartOutcome:
        """Write a new thread, unless its id or its Idempotency-Key is taken; the key is looked at first."""
        tables, thread_id, key = self._tables, start.thread.thread_id, start.idempotency
        if key is not None and (owner := tables.keys.get((key.tenant, key.key))) is not None:
            return StartOutcome(created=False, idempotency=replace(owner))
        if thread_id in tables.threads:
            return StartOutcome(created=False, thread_exists=True)
        if key is not None:
            tables.keys[key.tenant, key.key] = replace(key)
        tables.threads[thread_id] = replace(start.thread)
        tables.executions[start.execution.id] = replace(start.execution)
        for run in start.steps:
            tables.runs[thread_id][run.id] = replace(run)
        tables.checkpoints[thread_id].append(replace(start.checkpoint))
        tables.put_hook(start.webhook, start.event)
        tables.append_events([start.event])
        return StartOutcome(created=True)

    async def commit(self, transition: Transition) -> str | None:
        """Write a driver's transition; returns the thread's pending signal.  Raises Fenced."""
        async with self._lock(transition.thread_id):
            return self._write(transition)

    async def steer(
        self,
        thread_id: str,
        decide: Callable[[ThreadRecord, Reads], Awaitable[Transition | None]],
        idempotency: IdempotencyRecord | None = None,
    ) -> ThreadRecord:
        """Lock the thread, let `decide` look and choose a transition, write it at once, with the key if there is one.

        Raises NotFound, Fenced; Conflict when the key is taken, also by a steer that came in between.
        """
        async with self._lock(thread_id):
            thread = self._known(thread_id)
            self._check_key(idempotency)
            transition = await decide(replace(thread), MemoryReads(self._tables))
            self._check_key(idempotency)
            if transition is not None:
                self._write(transition)
                self._tables.put_aside(thread_id, transition.quarantined)
                self._tables.move(transition)
                self._tables.show(thread_id, transition.shown)
            if idempotency is not None:
                execution_id = idempotency.execution_id if transition is None else transition.execution_id
                kept = replace(idempotency, execution_id=execution_id)
                self._tables.keys[idempotency.tenant, idempotency.key] = kept
            return replace(thread)

    async def signal(self, thread_id: str, signal: str) -> ThreadRecord:
        """Leave a wish for the thread's driver without fencing it.  Raises NotFound."""
        async with self._lock(thread_id):
            thread = self._known(thread_id)
            if thread.status not in ENDED and not wishes.is_cancel(thread.signal):
                thread.signal = signal
            return replace(thread)

    async def wake(self, thread_id: str) -> None:
        """Make a waiting thread that nobody drives due now; nothing happens to any other."""
        thread, now = self._tables.threads.get(thread_id), self._tables.clock()
        waits = thread is not None and (thread.wake_at is not None or thread.status is Status.WAITING)
        if thread is not None and thread.incarnation_id is None and waits:
            thread.wake_at = min(thread.wake_at or now, now)

    async def driven(self, incarnation_id: str) -> list[ThreadRecord]:
        """The threads that a process drives."""
        return [replace(each) for each in self._tables.threads.values() if each.incarnation_id == incarnation_id]

    async def claim(self, incarnation_id: str, limit: int) -> list[ThreadRecord]:
        """Take up to `limit` threads that are due, raising their epochs; one that is being steered is passed over."""
        return MemoryQueues(self._tables).claim(incarnation_id, limit, self._locks)

    async def next_due(self) -> float | None:
        """Seconds until the next thread is due that can be taken, 0 when one is already, None when none waits."""
        return MemoryQueues(self._tables).next_due()

    async def open_incarnation(self, incarnation: IncarnationRecord) -> None:
        """Enter this process; its times are the store's."""
        now = self._tables.clock()
        self._tables.incarnations[incarnation.id] = replace(incarnation, started_at=now, heartbeat_at=now)

    async def heartbeat(self, incarnation_id: str) -> bool:
        """Renew the lease of a process; False when its row is gone."""
        incarnation = self._tables.incarnations.get(incarnation_id)
        if incarnation is None:
            return False
        incarnation.heartbeat_at = self._tables.clock()
        return True

    async def incarnations(self) -> list[tuple[IncarnationRecord, float]]:
        """All processes with the seconds since their last heartbeat."""
        known = sorted(self._tables.incarnations.values(), key=lambda incarnation: incarnation.started_at)
        return [(replace(each), self._silence(each)) for each in known]

    async def close_incarnation(
        self, incarnation_id: str, heard_at: datetime | None = None, *, crashed: bool = False
    ) -> int:
        """Take a process off, make its threads due now and fence their driver; how many those were."""
        known = self._tables.incarnations.get(incarnation_id)
        if known is None or heard_at not in (None, known.heartbeat_at):
            return 0
        del self._tables.incarnations[incarnation_id]
        return self._release(lambda driver: driver == incarnation_id, crashed=crashed)

    async def sweep(self) -> int:
        """Make threads due whose process is not entered any more; how many those were."""
        return self._release(lambda driver: driver not in self._tables.incarnations, crashed=True)

    def _silence(self, incarnation: IncarnationRecord) -> float:
        return (self._tables.clock() - incarnation.heartbeat_at) / timedelta(seconds=1)

    def _release(self, of: Callable[[str], bool], *, crashed: bool) -> int:
        driven = [t for t in self._tables.threads.values() if t.incarnation_id is not None and of(t.incarnation_id)]
        for thread in driven:
            thread.incarnation_id, thread.wake_at = None, self._tables.clock()
            thread.epoch += 1
            thread.recoveries += crashed
        return len(driven)

    def _lock(self, thread_id: str) -> asyncio.Lock:
        return self._locks.setdefault(thread_id, asyncio.Lock())

    def _known(self, thread_id: str) -> ThreadRecord:
        thread = self._tables.threads.get(thread_id)
        if thread is None:
            raise NotFound(f"no thread {thread_id}", code="thread_not_found")
        return thread

    def _check_key(self, key: IdempotencyRecord | None) -> None:
        if key is not None and (key.tenant, key.key) in self._tables.keys:
            raise Conflict("this Idempotency-Key is in use", code="idempotency_key_in_use")

    def _write(self, move: Transition) -> str | None:
        tables, thread = self._tables, self._tables.threads.get(move.thread_id)
        held = (move.epoch, move.rev, move.held_execution_id)
        if thread is None or (thread.epoch, thread.rev, thread.execution_id) != held:
            raise Fenced(f"thread {move.thread_id} is no longer at epoch {move.epoch}, rev {move.rev}")
        move.apply_to(thread)
        if thread.signal is not None and thread.incarnation_id is None:  # a wish is for whoever takes it up: now
            thread.wake_at = min(thread.wake_at or tables.clock(), tables.clock())
        for execution in move.executions:
            tables.executions[execution.id] = replace(execution)
        for change in move.execution_updates:
            self._change_execution(change)
        for run in move.steps:
            tables.runs[move.thread_id][run.id] = replace(run)
        for update in move.step_updates:
            self._change_run(move.thread_id, update)
        tables.checkpoints[move.thread_id].extend(replace(checkpoint) for checkpoint in move.checkpoints)
        tables.put_items(move.thread_id, move.items)
        tables.put_notes(move.thread_id, move.notes)
        tables.put_hook(move.webhook, *move.events[:1])
        tables.append_events(move.events)
        parent = tables.threads.get(move.wake_thread_id or "")
        if parent is not None and parent.wake_at is not None:
            parent.wake_at = min(parent.wake_at, tables.clock())
        return thread.signal

    def _change_execution(self, change: ExecutionUpdate) -> None:
        execution = self._tables.executions.get(change.id)
        if execution is None or execution.completed_at is not None:
            return
        execution.status, execution.completed_at = change.status, change.completed_at
        execution.started_at = execution.started_at or change.started_at
        _overwrite(
            execution,
            output=change.output,
            output_sha256=change.output_sha256,
            context=change.context,
            error=change.error,
        )

    def _change_run(self, thread_id: str, update: StepUpdate) -> None:
        run = self._tables.runs[thread_id].get(update.id)
        if run is None or run.completed_at is not None:
            return
        run.status, run.attempt, run.retry_count = update.status, update.attempt, update.retry_count
        run.output, run.output_sha256, run.error = update.output, update.output_sha256, update.error
        run.completed_at, run.duration_ms, run.next_attempt_at = (
            update.completed_at,
            update.duration_ms,
            update.next_attempt_at,
        )
        _overwrite(run, session_id=update.session_id, agent_version=update.agent_version, usage=update.usage)


def _overwrite(record: Any, **values: Any) -> None:
    for name, value in values.items():
        if value is not None:
            setattr(record, name, value)
