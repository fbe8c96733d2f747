"""The status document: where a thread stands, with every step of its workflow in document order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain.records import NO_USAGE
from app.domain.status import Status, StepStatus
from app.domain.views.common import Document, raw, when
from app.domain.views.gates import waiting_gate
from app.domain.views.waits import awaited

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.domain.gates import GateRecord
    from app.domain.parameters import Origin
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord, Usage
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.domain.state import Refs
    from app.domain.waits import MessageWait


def links(thread_id: str) -> dict[str, str]:
    """Where to look next; a thread id needs no escaping in a path."""
    return {
        "status": f"/api/invoke/status/{thread_id}",
        "stream": f"/api/invoke/stream/{thread_id}",
        "history": f"/api/invoke/history/{thread_id}",
    }


def kept_runs(refs: Refs, own: Iterable[StepRecord]) -> list[str]:
    """The ids of the step runs in the state that are not among `own`, those of an execution: kept from before."""
    known = {run.id for run in own}
    return [run_id for run_id, _ in refs.steps.values() if run_id not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """What else a status tells: where a fork comes from, and the gates and waits that can be answered, newest
    first.
    """

    origin: Origin | None = None
    gates: Sequence[GateRecord] = ()
    waits: Sequence[MessageWait] = ()


def status_document(
    thread: ThreadRecord,
    execution: ExecutionRecord,
    spec: WorkflowSpec,
    refs: Refs,
    runs: Iterable[StepRecord],
    aside: Aside,
) -> Document:
    """`refs` is the state at the head; `runs` are the execution's step runs and those that it kept from before.

    A run of the execution itself tells of a step before one that was kept.
    """
    by_step: dict[str, StepRecord] = {}
    for run in sorted(runs, key=lambda run: (run.execution_id == execution.id, run.id)):
        by_step[run.step_id] = run
    completed = thread.status is Status.COMPLETED and execution.status is Status.COMPLETED
    steps = [step_entry(step, by_step.get(step.id), execution.id) for step in spec.steps]
    if spec.code is not None:  # whose steps are known only as they come
        called = sorted(by_step.values(), key=lambda run: (run.step_index, run.id))
        steps = [run_entry(run.step_id, run.step_index, run, execution.id) for run in called]
    asked = {gate.key.step_id: gate for gate in aside.gates}
    waited_for = {wait.key.step_id: wait for wait in aside.waits}
    for step in steps:
        if step["status"] != StepStatus.WAITING:
            continue
        if step["id"] in asked:
            step["gate"] = waiting_gate(asked[step["id"]])
        if step["id"] in waited_for:
            step["waits_for"] = awaited(waited_for[step["id"]])
    return {
        "thread_id": thread.thread_id,
        "execution_id": execution.id,
        "workflow": execution.workflow_name,
        "workflow_version": execution.workflow_version,
        "kind": execution.kind,
        "status": thread.status.value,
        "version": thread.head_version,
        "last_seq": thread.last_seq,
        "current_step": next((step["id"] for step in steps if step["status"] == StepStatus.RUNNING), None),
        "completed_steps": refs.done(),
        "progress": progress(len(refs.steps), len(spec.steps) or len(steps) + (not completed)),
        "steps": steps,
        "output": raw(execution.output) if completed else None,
        "error": raw(execution.error),
        "last_update": when(thread.updated_at),
        "started_at": when(execution.started_at),
        "completed_at": when(execution.completed_at),
        "usage": usage_of(by_step.values()).value(),
        "forked_from": aside.origin.value() if aside.origin is not None else None,
    }


def usage_of(runs: Iterable[StepRecord]) -> Usage:
    """What step runs have cost together."""
    return sum((run.usage for run in runs if run.usage is not None), start=NO_USAGE)


def progress(ended: int, total: int) -> float:
    """The share of steps that have ended, 0 to 1."""
    return round(min(1.0, ended / total), 4) if total else 1.0


def step_entry(step: StepSpec, run: StepRecord | None, execution_id: str) -> dict[str, Any]:
    """A step and how the run of it stands that counts for an execution, if there is one."""
    if run is None:
        return {
            "id": step.id,
            "index": step.index,
            "status": StepStatus.PENDING.value,
            "agent": step.agent,
            "variant": None,
            "attempt": 0,
            "retry_count": 0,
            "session_id": None,
            "started_at": None,
            "completed_at": None,
            "duration_ms": None,
            "error": None,
            "reused": False,
            "agent_version": None,
            "usage": None,
        }
    return run_entry(step.id, step.index, run, execution_id)


def run_entry(step_id: str, index: int, run: StepRecord, execution_id: str) -> dict[str, Any]:
    """How a step run stands; `reused`: another execution did it."""
    return {
        "id": step_id,
        "index": index,
        "status": run.status.value,
        "agent": run.agent,
        "attempt": run.attempt,
        "retry_count": run.retry_count,
        "session_id": run.session_id,
        "started_at": when(run.started_at),
        "completed_at": when(run.completed_at),
        "duration_ms": run.duration_ms,
        "error": raw(run.error),
        "reused": run.execution_id != execution_id,
        "agent_version": run.agent_version,
        "variant": run.variant,
        "usage": run.usage.value() if run.usage is not None else None,
    }
