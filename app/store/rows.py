"""Rows to records: a row's columns are the record's fields (see sql/), identifiers become text, statuses enums."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from app.domain import formats
from app.domain.events import Event
from app.domain.integrity import Finding, Quarantined
from app.domain.ports import FeedItem, FeedPosition
from app.domain.records import (
    CheckpointRecord,
    ExecutionRecord,
    IdempotencyRecord,
    IncarnationRecord,
    ItemRecord,
    NoteRecord,
    StepRecord,
    ThreadRecord,
    Usage,
    WorkflowRecord,
)
from app.domain.status import Status, StepStatus
from app.domain.usage import UsageSum

if TYPE_CHECKING:
    from asyncpg import Record

_OF_THREADS: Final = {field.name for field in fields(ThreadRecord)}


def workflow_from_row(row: Record) -> WorkflowRecord:
    """From all columns of `workflows`."""
    return WorkflowRecord(**_fields(row))


def thread_from_row(row: Record) -> ThreadRecord:
    """From the columns of `threads`; those that a later release may have added are passed over."""
    known = {name: value for name, value in _fields(row).items() if name in _OF_THREADS}
    return ThreadRecord(status=Status(known.pop("status")), **known)


def execution_from_row(row: Record) -> ExecutionRecord:
    """From columns of `workflow_executions`; output, context and error may be left out."""
    fields = _fields(row)
    return ExecutionRecord(status=Status(fields.pop("status")), **fields)


def step_from_row(row: Record) -> StepRecord:
    """From columns of `workflow_steps`, with step_name as step_id; input and output may be left out."""
    fields = _fields(row)
    tokens, written, cost = (fields.pop(name) for name in ("input_tokens", "output_tokens", "cost_usd"))
    usage = None if tokens is None else Usage(input_tokens=tokens, output_tokens=written or 0, cost_usd=cost or 0.0)
    return StepRecord(status=StepStatus(fields.pop("status")), usage=usage, **fields)


def item_from_row(row: Record) -> ItemRecord:
    """From columns of `workflow_items`, with step_name as step_id."""
    fields = _fields(row)
    return ItemRecord(status=StepStatus(fields.pop("status")), **fields)


def usage_from_row(row: Record) -> UsageSum:
    """From the columns of `usage`."""
    names = ("input_tokens", "output_tokens", "cost_usd")
    fields = {name: row[name] for name in ("day", "workflow", "agent", "step_runs")}
    return UsageSum(usage=Usage(**{name: row[name] for name in names}), **fields)


def note_from_row(row: Record) -> NoteRecord:
    """From all columns of `workflow_notes` but thread_id, with step_name as step_id."""
    return NoteRecord(**_fields(row))


def checkpoint_from_row(row: Record) -> CheckpointRecord:
    """From all columns of `checkpoints`, with step_name as step_id; one of an old format in the newest."""
    return formats.read(checkpoint_as_stored(row))


def checkpoint_as_stored(row: Record) -> CheckpointRecord:
    """The same in the format in which it is stored."""
    return CheckpointRecord(**_fields(row))


def quarantined_from_row(row: Record) -> Quarantined:
    """From all columns of `quarantine` but thread_id, with step_name as step_id."""
    fields = _fields(row)
    item_id, found_at = fields.pop("id"), fields.pop("found_at")
    return Quarantined(id=item_id, found_at=found_at, finding=Finding(**fields))


def event_from_row(row: Record) -> Event:
    """From the columns of `workflow_events` but xact, with step_name as step_id, and the result."""
    return Event(**_fields(row))


def feed_item_from_row(row: Record) -> FeedItem:
    """From an event's columns with its xact, the workflow's name and the thread's status."""
    fields = _fields(row)
    position = FeedPosition(fields.pop("xact"), fields["thread_id"], fields["seq"])
    workflow_name, status = fields.pop("workflow"), Status(fields.pop("status"))
    return FeedItem(position=position, event=Event(**fields), workflow=workflow_name, status=status)


def idempotency_from_row(row: Record) -> IdempotencyRecord:
    """From all columns of `idempotency_keys` but created_at."""
    return IdempotencyRecord(**_fields(row))


def incarnation_from_row(row: Record) -> IncarnationRecord:
    """From all columns of `incarnations`; others are ignored."""
    fields = _fields(row)
    return IncarnationRecord(**{name: fields[name] for name in ("id", "host", "process", "started_at", "heartbeat_at")})


def _fields(row: Record) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
