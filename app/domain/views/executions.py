"""Executions: the entries of a list, and one with all its step runs, inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.status import StepStatus
from app.domain.times import duration_ms
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.records import ExecutionRecord, StepRecord


def execution_entry(execution: ExecutionRecord) -> Document:
    """One line of a list: without input, output and context."""
    took = None
    if execution.started_at is not None and execution.completed_at is not None:
        took = duration_ms(execution.started_at, execution.completed_at)
    return {
        "id": execution.id,
        "workflow_id": execution.workflow_id,
        "workflow": execution.workflow_name,
        "workflow_version": execution.workflow_version,
        "thread_id": execution.thread_id,
        "kind": execution.kind,
        "status": execution.status.value,
        "created_at": when(execution.created_at),
        "started_at": when(execution.started_at),
        "completed_at": when(execution.completed_at),
        "duration_ms": took,
        "error": raw(execution.error),
        "triggered_by": execution.triggered_by,
        "external_run_id": execution.external_run_id,
    }


def execution_document(execution: ExecutionRecord, runs: Sequence[StepRecord], total_steps: int) -> Document:
    """One execution; `runs` are its own step runs and those that it kept from before, `total_steps` the workflow's."""
    values = {
        "input": raw(execution.input),
        "output": raw(execution.output),
        "context": raw(execution.context),
        "parameters": raw(execution.parameters),
    }
    steps = [_run(run, execution.id) for run in sorted(runs, key=lambda run: (run.step_index, run.id))]
    return {
        "execution": {**execution_entry(execution), **values},
        "steps": steps,
        "metadata": {
            "total_steps": total_steps,
            "completed_steps": sum(run.status is StepStatus.COMPLETED for run in runs),
            "failed_steps": sum(run.status is StepStatus.FAILED for run in runs),
            "skipped_steps": sum(run.status is StepStatus.SKIPPED for run in runs),
        },
    }


def _run(run: StepRecord, execution_id: str) -> Document:
    return {
        "id": run.id,
        "name": run.step_id,
        "index": run.step_index,
        "status": run.status.value,
        "agent": run.agent,
        "attempt": run.attempt,
        "input": raw(run.input),
        "output": raw(run.output),
        "started_at": when(run.started_at),
        "completed_at": when(run.completed_at),
        "duration_ms": run.duration_ms,
        "error": raw(run.error),
        "retry_count": run.retry_count,
        "session_id": run.session_id,
        "reused": run.execution_id != execution_id,
        "agent_version": run.agent_version,
        "variant": run.variant,
        "usage": run.usage.value() if run.usage is not None else None,
    }
