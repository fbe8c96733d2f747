"""The rows of workflow_steps that a drive writes: a step run begun, ended at once, or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import jsontext
from app.domain.ids import uuid7
from app.domain.records import NO_USAGE, ItemRecord, StepRecord, StepUpdate
from app.domain.status import StepStatus
from app.domain.times import duration_ms
from app.engine.draft import PREVIEW, error_text

if TYPE_CHECKING:
    from app.domain.records import ErrorInfo
    from app.domain.spec import StepSpec
    from app.engine.draft import Draft
    from app.engine.openstep import OpenStep


def begun(step: OpenStep, draft: Draft) -> StepRecord:
    """A step run that starts now.  A long input is told by the template that it came from: its values stand elsewhere."""
    text = jsontext.dumps(step.input)
    if len(text) > PREVIEW:
        given = step.spec.for_each.items if step.spec.for_each is not None else step.spec.input
        source = "{input}" if given is None else given.source
        number = {"items": len(step.input)} if step.spec.for_each is not None else {}
        text = jsontext.dumps({"$template": source, "size_bytes": len(text), **number})
    return StepRecord(
        id=step.run_id,
        thread_id=draft.transition.thread_id,
        execution_id=draft.transition.execution_id,
        key_execution_id=step.key_execution_id,
        step_id=step.spec.id,
        step_index=step.spec.index,
        status=StepStatus.RUNNING,
        agent=step.agent,
        call=step.call,
        input=text,
        started_at=draft.at,
        variant=step.variant,
    )


def ended_at_once(
    spec: StepSpec, draft: Draft, status: StepStatus, *, output: str | None = None, error: ErrorInfo | None = None
) -> StepRecord:
    """A step run that never ran: skipped, or failed before its first attempt."""
    return StepRecord(
        id=uuid7(),
        thread_id=draft.transition.thread_id,
        execution_id=draft.transition.execution_id,
        key_execution_id=draft.transition.execution_id,
        step_id=spec.id,
        step_index=spec.index,
        status=status,
        agent=spec.agent,
        call=spec.call,
        output=output,
        output_sha256=jsontext.sha256(output) if output is not None else None,
        error=error_text(error) if error is not None else None,
        started_at=draft.at,
        completed_at=draft.at,
        duration_ms=0,
    )


def changed(step: OpenStep, draft: Draft, end: StepStatus | None = None) -> StepUpdate:
    """What changes on an open step run; `end` closes it."""
    return StepUpdate(
        id=step.run_id,
        status=end or step.status,
        attempt=step.attempt,
        retry_count=step.retry_count,
        agent_version=step.agent_version,
        usage=None if step.usage is NO_USAGE or step.usage == NO_USAGE else step.usage,
        error=step.error if end is not StepStatus.COMPLETED else None,
        session_id=step.session_id,
        completed_at=draft.at if end else None,
        duration_ms=duration_ms(step.started_at, draft.at) if end else None,
        next_attempt_at=None if end else step.due,
    )


def left(row: StepRecord, draft: Draft) -> StepUpdate:
    """A step run that had begun and that nobody goes on with."""
    return StepUpdate(
        id=row.id,
        status=StepStatus.CANCELLED,
        attempt=row.attempt,
        retry_count=row.retry_count,
        completed_at=draft.at,
        duration_ms=duration_ms(row.started_at or draft.at, draft.at),
    )


def part(step: OpenStep, draft: Draft, end: StepStatus | None = None, output: str | None = None) -> ItemRecord:
    """An item or iteration as it stands now; `end` closes it."""
    assert step.item is not None
    return ItemRecord(
        key_execution_id=step.key_execution_id,
        step_id=step.spec.id,
        item=step.item,
        status=end or step.status,
        attempt=step.attempt,
        retry_count=step.retry_count,
        agent=step.agent,
        agent_version=step.agent_version,
        output=output,
        output_sha256=jsontext.sha256(output) if output is not None else None,
        error=step.error if end is not StepStatus.COMPLETED else None,
        session_id=step.session_id,
        started_at=step.started_at,
        completed_at=draft.at if end else None,
        next_attempt_at=None if end else step.due,
    )
