"""The birth of a thread: its row, its first execution, version START and event 1, as one Start."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain import events, jsontext
from app.domain.ids import uuid7
from app.domain.parameters import NOTHING, Parameters
from app.domain.queues import DEFAULT
from app.domain.records import ExecutionRecord, IdempotencyRecord, ThreadRecord
from app.domain.state import START, ManifestWriter, empty_state
from app.domain.status import Status
from app.domain.tracing import NO_TRACE, called_by
from app.domain.transition import Start
from app.engine.draft import Draft
from app.engine.load import Loaded, set_literals

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.commands import StartCommand
    from app.domain.records import WorkflowRecord
    from app.domain.spec import WorkflowSpec


def give_birth(
    command: StartCommand, record: WorkflowRecord, spec: WorkflowSpec, *, at: datetime, incarnation_id: str | None
) -> tuple[Start, Loaded]:
    """What to write, and what its driver needs, so that nothing has to be read back.

    Raises JsonError when the input or the context is not JSON.
    """
    thread_id, execution_id = command.thread_id or uuid7(), uuid7()
    thread = new_thread(command, record, thread_id, execution_id, at=at, incarnation_id=incarnation_id)
    execution = new_execution(record, thread_id, execution_id, "invoke", jsontext.dumps(command.input), at=at)
    execution.triggered_by, execution.external_run_id = command.triggered_by, command.external_run_id
    asked = _asked_for(command)
    if asked is not NOTHING:
        execution.parameters = asked.text()
    state = empty_state(execution_id, jsontext.loads(execution.input or "null"))
    state.size_bytes = len(execution.input or "")
    writer = ManifestWriter(state.refs, base_version=1, since_base=0, base_entries=0)
    set_literals(plain(command.context), state, writer)
    draft = Draft(thread, at)
    draft.checkpoint(state, writer, START, trigger="start", progress=0.0, full=True)
    event = draft.event(events.WORKFLOW_START, {"status": "pending", "progress": 0.0, "workflow": record.name})
    draft.transition.apply_to(thread)
    thread.rev = 0
    start = Start(
        thread=thread,
        execution=execution,
        checkpoint=draft.transition.checkpoints[0],
        event=event,
        idempotency=_key_of(command, thread_id, execution_id),
        webhook=command.webhook,
    )
    loaded = Loaded(
        thread=thread,
        spec=spec,
        execution=execution,
        parameters=asked,
        state=state,
        writer=writer,
        open_steps=[],
        head_at=at,
    )
    return start, loaded


def _asked_for(command: StartCommand) -> Parameters:
    if command.traceparent is None and not command.chain:
        return NOTHING
    trace = NO_TRACE if command.traceparent is None else called_by(command.traceparent)
    return Parameters(trace=trace, chain=command.chain)


def _key_of(command: StartCommand, thread_id: str, execution_id: str) -> IdempotencyRecord | None:
    if command.idempotency_key is None:
        return None
    return IdempotencyRecord(
        key=command.idempotency_key,
        request_sha256=command.request_sha256,
        thread_id=thread_id,
        execution_id=execution_id,
    )


def new_thread(
    command: StartCommand,
    record: WorkflowRecord,
    thread_id: str,
    execution_id: str,
    *,
    at: datetime,
    incarnation_id: str | None,
) -> ThreadRecord:
    """The row of a thread before its first version; without an incarnation it is due after the command's delay."""
    return ThreadRecord(
        thread_id=thread_id,
        tenant=command.tenant,
        definition_id=record.id,
        execution_id=execution_id,
        status=Status.PENDING,
        epoch=1,
        rev=0,
        incarnation_id=incarnation_id,
        head_version=0,
        last_version=0,
        last_seq=0,
        wake_at=None if incarnation_id is not None else at + timedelta(seconds=command.delay),
        queue=command.queue or DEFAULT,
        priority=command.priority or 0,
        parent_thread_id=command.parent_thread_id,
        parent_run_id=command.parent_run_id,
        created_at=at,
        updated_at=at,
    )


def new_execution(
    record: WorkflowRecord, thread_id: str, execution_id: str, kind: str, input_text: str | None, *, at: datetime
) -> ExecutionRecord:
    """A pending execution; an ad hoc document has no workflow_id."""
    return ExecutionRecord(
        id=execution_id,
        thread_id=thread_id,
        workflow_id=record.id if record.version is not None else None,
        workflow_name=record.name,
        workflow_version=record.version,
        kind=kind,
        status=Status.PENDING,
        input=input_text,
        input_sha256=jsontext.sha256(input_text) if input_text is not None else None,
        created_at=at,
    )


def plain(value: Any) -> Any:
    """A copy of a JSON value that nobody else holds.  Raises JsonError."""
    return jsontext.loads(jsontext.dumps(value))
