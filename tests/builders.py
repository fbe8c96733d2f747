"""Valid starts and transitions for tests, numbered as a driver numbers them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.domain import events as names
from app.domain import jsontext
from app.domain.events import Event
from app.domain.ids import uuid7
from app.domain.records import (
    CheckpointRecord,
    ExecutionRecord,
    ExecutionUpdate,
    IdempotencyRecord,
    IncarnationRecord,
    StepRecord,
    ThreadRecord,
    WorkflowRecord,
)
from app.domain.state import END, FORMAT, START, ManifestWriter, Refs, Writing, resolve, writer_after
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.domain.transition import Start, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.ports import Journal


def incarnation(host: str = "here") -> IncarnationRecord:
    """A serving process."""
    return IncarnationRecord(id=uuid7(), host=host, process="{}", started_at=utc_now(), heartbeat_at=utc_now())


def a_thread(thread_id: str) -> ThreadRecord:
    """The row of a thread that nothing is known of."""
    at = utc_now()
    return ThreadRecord(
        thread_id=thread_id,
        definition_id=uuid7(),
        execution_id=uuid7(),
        status=Status.RUNNING,
        epoch=1,
        rev=0,
        incarnation_id=None,
        head_version=1,
        last_version=1,
        last_seq=1,
        created_at=at,
        updated_at=at,
    )


def key_for(start: Start, key: str = "once", body: str = "{}") -> IdempotencyRecord:
    """The Idempotency-Key of a start whose request was `body`."""
    return IdempotencyRecord(
        key=key,
        request_sha256=jsontext.sha256(body),
        thread_id=start.thread.thread_id,
        execution_id=start.execution.id,
    )


def new_start(workflow: WorkflowRecord, *, input_value: Any = None, **thread_fields: Any) -> Start:
    """A new thread of `workflow`; `thread_fields` overrides fields of its row."""
    at: datetime = thread_fields.get("created_at", utc_now())
    execution_id = uuid7()
    thread = ThreadRecord(
        **{
            "thread_id": uuid7(),
            "definition_id": workflow.id,
            "execution_id": execution_id,
            "status": Status.PENDING,
            "epoch": 1,
            "rev": 0,
            "incarnation_id": None,
            "head_version": 1,
            "last_version": 1,
            "last_seq": 1,
            "created_at": at,
            "updated_at": at,
        }
        | thread_fields
    )
    text = jsontext.dumps(input_value)
    return Start(
        thread=thread,
        execution=ExecutionRecord(
            id=execution_id,
            thread_id=thread.thread_id,
            workflow_id=workflow.id,
            workflow_name=workflow.name,
            workflow_version=workflow.version,
            kind="invoke",
            status=Status.PENDING,
            input=text,
            input_sha256=jsontext.sha256(text),
            created_at=at,
        ),
        checkpoint=_checkpoint(thread, START, _first_writer(execution_id)),
        event=Event(
            thread_id=thread.thread_id, seq=1, execution_id=execution_id, name=names.WORKFLOW_START, at=at, version=1
        ),
    )


class Driver:
    """Builds the moves of one thread as whoever drives it would; `thread` is the row after the last `commit`."""

    def __init__(self, start: Start) -> None:
        self.thread = replace(start.thread)
        self.refs = Refs(input=start.execution.id)
        self._manifests = ManifestWriter(self.refs, base_version=1, since_base=0, base_entries=0)
        self._manifests.write(1, Writing(None, start.execution.id, START, "start"), full=True)

    def move(self, **changes: Any) -> Transition:
        """One that changes only what is named."""
        row = self.thread
        return Transition(
            **{
                "thread_id": row.thread_id,
                "epoch": row.epoch,
                "rev": row.rev,
                "held_execution_id": row.execution_id,
                "at": utc_now(),
                "new_epoch": row.epoch,
                "incarnation_id": row.incarnation_id,
                "execution_id": row.execution_id,
                "status": Status.RUNNING,
                "head_version": row.head_version,
                "last_version": row.last_version,
                "last_seq": row.last_seq,
                "wake_at": row.wake_at,
            }
            | changes
        )

    def event(self, name: str, **fields: Any) -> Transition:
        """One that tells an event."""
        return self._next(name, fields, {})

    def end_step(
        self, step_id: str, output: Any, *, assign: str | None = None, status: StepStatus = StepStatus.COMPLETED
    ) -> Transition:
        """One that ends a step run which nobody saw begin, with its checkpoint and its event."""
        row, now, text = self.thread, utc_now(), jsontext.dumps(output)
        run = StepRecord(
            id=uuid7(),
            thread_id=row.thread_id,
            execution_id=row.execution_id,
            key_execution_id=row.execution_id,
            step_id=step_id,
            step_index=len(self.refs.steps),
            status=status,
            input='{"given":1}',
            output=text,
            output_sha256=jsontext.sha256(text),
            started_at=now,
            completed_at=now,
            duration_ms=0,
        )
        self.refs.steps[step_id] = (run.id, status)
        self._manifests.step(step_id)
        if assign is not None:
            self.refs.context[assign] = ("run", run.id)
            self._manifests.context(assign)
        name = names.STEP_SKIPPED if status is StepStatus.SKIPPED else names.STEP_COMPLETE
        return self._next(name, {"step_id": step_id, "run_id": run.id, "attempt": 1}, {"steps": [run]}, step_id)

    def set_context(self, name: str, value: Any) -> None:
        """A variable from outside: it goes into the next checkpoint."""
        self._manifests.literal(name, value)

    def forget(self, step_id: str) -> None:
        """A step is taken out of the state with the next checkpoint."""
        del self.refs.steps[step_id]
        self._manifests.step(step_id)

    def roll_back(self, checkpoints: Sequence[CheckpointRecord], version: int) -> Transition:
        """One that moves the head back to `version`; `checkpoints` are all of the thread."""
        self.refs = resolve(checkpoints, version)
        self._manifests = writer_after(self.refs, checkpoints, version)
        return self.move(head_version=version)

    def complete(self, output: Any) -> Transition:
        """One that ends the execution and the thread."""
        text, now = jsontext.dumps(output), utc_now()
        update = ExecutionUpdate(
            id=self.thread.execution_id, status=Status.COMPLETED, started_at=now, completed_at=now, output=text
        )
        more = {"execution_updates": [update], "status": Status.COMPLETED, "incarnation_id": None, "wake_at": None}
        return self._next(names.WORKFLOW_COMPLETE, {}, more, END)

    async def commit(self, journal: Journal, transition: Transition) -> str | None:
        """Commit a move and follow it."""
        signal = await journal.commit(transition)
        transition.apply_to(self.thread)
        return signal

    def _next(self, name: str, event: dict[str, Any], changes: dict[str, Any], writes: str | None = None) -> Transition:
        row, version = self.thread, self.thread.last_version + (writes is not None)
        told = Event(
            thread_id=row.thread_id,
            seq=row.last_seq + 1,
            execution_id=row.execution_id,
            name=name,
            at=utc_now(),
            version=version,
            **event,
        )
        moved: dict[str, Any] = {"last_seq": told.seq, "events": [told]}
        if writes is not None:
            checkpoint = _checkpoint(row, writes, self._manifests, version)
            moved |= {"checkpoints": [checkpoint], "head_version": version, "last_version": version}
        return self.move(**(moved | changes))


def _first_writer(execution_id: str) -> ManifestWriter:
    return ManifestWriter(Refs(input=execution_id), base_version=1, since_base=0, base_entries=0)


def _checkpoint(thread: ThreadRecord, step_id: str, writer: ManifestWriter, version: int = 1) -> CheckpointRecord:
    parent, trigger = (None, "start") if version == 1 else (thread.head_version, "step")
    manifest = writer.write(version, Writing(parent, thread.execution_id, step_id, trigger), full=version == 1)
    return CheckpointRecord(
        thread_id=thread.thread_id,
        version=version,
        parent_version=parent,
        base_version=writer.base_version,
        execution_id=thread.execution_id,
        step_id=step_id,
        trigger=trigger,
        manifest=manifest,
        sha256=jsontext.sha256(manifest),
        size_bytes=len(manifest),
        progress=1.0 if step_id == END else 0.5,
        created_at=utc_now(),
        format=FORMAT,
    )
