"""One batch of the journal as the arrays of rows that the `flush` statement takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.transition import Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.events import Event
    from app.domain.moving import Moved
    from app.domain.records import (
        CheckpointRecord,
        ExecutionRecord,
        ExecutionUpdate,
        ItemRecord,
        NoteRecord,
        StepRecord,
        StepUpdate,
        Usage,
    )
    from app.domain.transition import Transition

Rows = list[tuple[Any, ...]]
Arguments = tuple[Rows, Rows, Rows, Rows, Rows, Rows, Rows, Rows, Rows, Rows]
"""moves, starts, executions, execution changes, steps, step changes, checkpoints, events, items, notes."""


def arguments(batch: Sequence[Start | Transition]) -> Arguments:
    """The arguments of the `flush` statement; `ord` is an item's place in the batch."""
    rows: Arguments = ([], [], [], [], [], [], [], [], [], [])
    moves, starts, executions, execution_changes, steps, step_changes, checkpoints, events, items, notes = rows
    for ord_, item in enumerate(batch):
        if isinstance(item, Start):
            starts.append(_start(ord_, item))
            executions.append(_execution(ord_, item.execution))
            steps += [_step(ord_, step) for step in item.steps]
            checkpoints.append(_checkpoint(ord_, item.checkpoint))
            events.append(_event(ord_, item.event))
            continue
        moves.append(_move(ord_, item))
        thread_id = item.thread_id
        executions += [_execution(ord_, execution) for execution in item.executions]
        execution_changes += [_execution_change(ord_, thread_id, change) for change in item.execution_updates]
        steps += [_step(ord_, step) for step in item.steps]
        step_changes += [_step_change(ord_, thread_id, update) for update in item.step_updates]
        checkpoints += [_checkpoint(ord_, checkpoint) for checkpoint in item.checkpoints]
        events += [_event(ord_, event) for event in item.events]
        items += [_item(ord_, thread_id, one) for one in item.items]
        notes += [_note(ord_, thread_id, note) for note in item.notes]
    return rows


def webhooks(batch: Sequence[Start | Transition]) -> Rows:
    """What `flush_webhooks` takes beyond that; none: there is nothing in the batch that `flush` does not write."""
    return [_webhook(ord_, item) for ord_, item in enumerate(batch) if item.webhook is not None]


def weight(item: Start | Transition) -> int:
    """About how many bytes of values an item carries."""
    total = 0
    for step in item.steps:
        total += len(step.input or "") + len(step.output or "")
    if isinstance(item, Start):
        return total + len(item.execution.input or "") + len(item.checkpoint.manifest)
    for update in item.step_updates:
        total += len(update.output or "")
    for checkpoint in item.checkpoints:
        total += len(checkpoint.manifest)
    for change in item.execution_updates:
        total += len(change.output or "") + len(change.context or "")
    for one in item.items:
        total += len(one.output or "")
    for note in item.notes:
        total += len(note.value)
    return total


def move(t: Transition, moved: Moved) -> tuple[Any, ...]:
    """The arguments of the `move` statement."""
    runs, places = list(moved.runs), list(moved.runs.values())
    return (t.thread_id, moved.definition_id, t.execution_id, t.held_execution_id, runs, places)


def _move(ord_: int, t: Transition) -> tuple[Any, ...]:
    return (
        ord_,
        t.thread_id,
        t.epoch,
        t.rev,
        t.held_execution_id,
        t.new_epoch,
        t.incarnation_id,
        t.execution_id,
        t.status,
        t.head_version,
        t.last_version,
        t.last_seq,
        t.wake_at,
        t.recoveries,
        t.clear_signal,
        t.at,
        t.wake_thread_id,
    )


def _webhook(ord_: int, item: Start | Transition) -> tuple[Any, ...]:
    hook = item.webhook
    assert hook is not None
    first = item.event if isinstance(item, Start) else item.events[0]
    headers = jsontext.dumps(dict(hook.headers))
    return (ord_, first.thread_id, first.seq, hook.id, hook.url, list(hook.events), headers, hook.secret)


def _start(ord_: int, start: Start) -> tuple[Any, ...]:
    thread, key = start.thread, start.idempotency
    return (
        ord_,
        thread.thread_id,
        thread.tenant,
        thread.definition_id,
        thread.execution_id,
        thread.status,
        thread.epoch,
        thread.incarnation_id,
        thread.wake_at,
        thread.queue,
        thread.priority,
        thread.parent_thread_id,
        thread.parent_run_id,
        thread.created_at,
        key.key if key else None,
        key.request_sha256 if key else None,
    )


def _execution(ord_: int, e: ExecutionRecord) -> tuple[Any, ...]:
    return (
        ord_,
        e.thread_id,
        e.id,
        e.tenant,
        e.workflow_id,
        e.workflow_name,
        e.workflow_version,
        e.kind,
        e.status,
        e.input,
        e.input_sha256,
        e.parameters,
        e.triggered_by,
        e.external_run_id,
        e.created_at,
        e.started_at,
        e.completed_at,
        e.output,
        e.output_sha256,
    )


def _execution_change(ord_: int, thread_id: str, c: ExecutionUpdate) -> tuple[Any, ...]:
    return (
        ord_,
        thread_id,
        c.id,
        c.status,
        c.started_at,
        c.completed_at,
        c.output,
        c.output_sha256,
        c.context,
        c.error,
    )


def _step(ord_: int, s: StepRecord) -> tuple[Any, ...]:
    return (
        ord_,
        s.thread_id,
        s.id,
        s.execution_id,
        s.key_execution_id,
        s.step_id,
        s.step_index,
        s.status,
        s.agent,
        s.agent_version,
        s.variant,
        s.call,
        s.attempt,
        s.input,
        s.output,
        s.output_sha256,
        s.error,
        s.started_at,
        s.completed_at,
        s.duration_ms,
        *_usage(s.usage),
    )


def _step_change(ord_: int, thread_id: str, u: StepUpdate) -> tuple[Any, ...]:
    return (
        ord_,
        thread_id,
        u.id,
        u.status,
        u.attempt,
        u.retry_count,
        u.agent_version,
        u.output,
        u.output_sha256,
        u.error,
        u.session_id,
        u.completed_at,
        u.duration_ms,
        u.next_attempt_at,
        *_usage(u.usage),
    )


def _usage(usage: Usage | None) -> tuple[int | None, int | None, float | None]:
    return (usage.input_tokens, usage.output_tokens, usage.cost_usd) if usage is not None else (None, None, None)


def _item(ord_: int, thread_id: str, i: ItemRecord) -> tuple[Any, ...]:
    return (
        ord_,
        thread_id,
        i.key_execution_id,
        i.step_id,
        i.item,
        i.status,
        i.attempt,
        i.retry_count,
        i.agent,
        i.agent_version,
        i.output,
        i.output_sha256,
        i.error,
        i.session_id,
        i.started_at,
        i.completed_at,
        i.next_attempt_at,
    )


def _note(ord_: int, thread_id: str, n: NoteRecord) -> tuple[Any, ...]:
    return (ord_, thread_id, n.key_execution_id, n.step_id, n.item, n.place, n.name, n.value, n.sha256, n.created_at)


def _checkpoint(ord_: int, c: CheckpointRecord) -> tuple[Any, ...]:
    return (
        ord_,
        c.thread_id,
        c.version,
        c.parent_version,
        c.base_version,
        c.execution_id,
        c.step_id,
        c.trigger,
        c.manifest,
        c.sha256,
        c.size_bytes,
        c.progress,
        c.created_at,
        c.hidden,
        c.format,
    )


def _event(ord_: int, e: Event) -> tuple[Any, ...]:
    return (
        ord_,
        e.thread_id,
        e.seq,
        e.execution_id,
        e.name,
        e.step_id,
        e.run_id,
        e.attempt,
        e.version,
        e.at,
        e.data,
    )
