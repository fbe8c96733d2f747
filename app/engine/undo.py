"""What a rollback leaves behind: the steps whose work is undone, what they did to the world outside, and what undoes that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain.status import STEP_OPEN, StepStatus
from app.engine.load import manifests, resolved
from app.engine.versions import check_shown

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec

IRREVERSIBLE: Final = "irreversible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """One step run that the target version does not hold; `effect` and `compensate` are what its step declares."""

    step_id: str
    run_id: str
    status: StepStatus
    agent: str | None
    effect: str | None
    compensate: bool

    def value(self) -> dict[str, Any]:
        """As the contract writes it."""
        return {
            "step_id": self.step_id,
            "run_id": self.run_id,
            "status": self.status.value,
            "agent": self.agent,
            "effect": self.effect,
            "compensate": self.compensate,
        }


async def undone_by(reads: Reads, thread: ThreadRecord, spec: WorkflowSpec, to_version: int) -> list[Undone]:
    """What a rollback to a version undoes, the latest first; steps that are running come before all.

    Raises NotFound for a version that is not there, Corrupt.
    """
    chain = await manifests(reads, thread.thread_id, to_version)
    await check_shown(reads, thread, chain[-1])
    target = await resolved(chain, to_version)
    chain = await manifests(reads, thread.thread_id, thread.head_version, is_head=True)
    head = await resolved(chain, thread.head_version)
    kept = {run for run, _ in target.steps.values()}
    gone = [run for run, status in head.steps.values() if run not in kept and status is not StepStatus.SKIPPED]
    rows = {row.id: row for row in await reads.steps(thread.thread_id, ids=sorted(gone), values=False)}
    own = await reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
    running = [row for row in own if row.status in STEP_OPEN]
    return [undone_of(spec, row) for row in [*running, *(rows[run] for run in reversed(gone) if run in rows)]]


async def to_undo(reads: Reads, thread: ThreadRecord, spec: WorkflowSpec, version: int) -> tuple[tuple[str, str], ...]:
    """(step, run) of what a rollback to a version can compensate, the latest first."""
    undone = await undone_by(reads, thread, spec, version)
    return tuple(
        (each.step_id, each.run_id) for each in undone if each.compensate and each.status is StepStatus.COMPLETED
    )


def undone_of(spec: WorkflowSpec, row: StepRecord) -> Undone:
    """A step run with what its step declares."""
    step = spec.by_id.get(row.step_id)
    return Undone(
        step_id=row.step_id,
        run_id=row.id,
        status=row.status,
        agent=row.agent,
        effect=step.effect if step is not None else None,
        compensate=step is not None and step.compensate is not None,
    )
