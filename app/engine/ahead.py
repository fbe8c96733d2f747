"""Looking ahead: what a resume or a rollback would do, decided as the real one is and then not written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.domain import parameters
from app.domain.parameters import Parameters
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now
from app.engine.asked import present
from app.engine.load import asked_of, begun, manifests, resolved
from app.engine.moving import check_version
from app.engine.steering import Steering
from app.engine.undo import IRREVERSIBLE, Undone, undone_by, undone_of

if TYPE_CHECKING:
    from app.domain.commands import ResumeCommand, RollbackCommand
    from app.domain.ports import Reads
    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs
    from app.domain.transition import Transition
    from app.engine.catalog import Catalog
    from app.engine.definite import Definite
    from app.engine.deps import Stores

_BROKEN = (StepStatus.FAILED, StepStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What would come of it: the thread's `status` (paused: all this once it is resumed), the steps that would `run`, in the
    order of the document, those that are `kept` as they are and those `skipped` for an output that was given.

    `undone` are the step runs that would count no more, or be done once more; `irreversible` the steps of those that cannot
    be undone; `compensations` the steps that would first undo others.  Of a workflow in Python only what is known is told.
    """

    thread: ThreadRecord
    status: Status
    kept: list[str]
    run: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])
    undone: list[Undone] = field(default_factory=list[Undone])
    irreversible: list[str] = field(default_factory=list[str])
    compensations: list[str] = field(default_factory=list[str])


class Foresight:
    """Nothing here changes anything."""

    def __init__(self, stores: Stores, catalog: Catalog, definite: Definite) -> None:
        self._stores = stores
        self._catalog = catalog
        self._definite = definite

    async def rollback(self, command: RollbackCommand) -> Ahead:
        """What a rollback would undo, the latest first, and do.  Raises what it would raise."""
        reads = self._stores.reads
        thread, spec = await self._definite.known(command.thread_id)
        await check_version(self._stores, self._catalog, thread, command.to_version)
        transition = await _steering(thread, reads).rollback(command, spec)
        asked = _asked(transition)
        undone = await undone_by(reads, thread, spec, command.to_version)
        refs = await resolved(await manifests(reads, thread.thread_id, command.to_version), command.to_version)
        status = _status(transition, asked)
        known = [step.id for step in spec.steps] or [one.step_id for one in reversed(undone)]
        again = [] if status is Status.COMPLETED else [step_id for step_id in known if step_id not in refs.steps]
        return Ahead(
            thread=thread,
            status=status,
            kept=_in_order(spec, refs.ended()),
            run=list(dict.fromkeys(again)),
            undone=undone,
            irreversible=list(dict.fromkeys(one.step_id for one in undone if one.effect == IRREVERSIBLE)),
            compensations=[f"{step_id}.undo" for step_id, _ in asked.undo],
        )

    async def resume(self, command: ResumeCommand) -> Ahead:
        """What a resume would do, and which step runs it would do once more.  Raises what it would raise."""
        reads = self._stores.reads
        thread, spec = await self._definite.known(command.thread_id)
        transition = await _steering(thread, reads).resume(command, spec)
        chain = await manifests(reads, thread.thread_id, thread.head_version, is_head=True)
        refs = await resolved(chain, thread.head_version)
        if transition is None:
            return Ahead(thread=thread, status=thread.status, kept=_in_order(spec, refs.ended()))
        asked, fresh = _asked(transition), bool(transition.executions)
        if not fresh:  # it goes on with the execution that it has
            old = await present(reads, thread)
            asked, fresh = asked_of(thread, old), not begun(thread, chain, old.id)
        reset = set(asked.reset) if fresh else set[str]()
        kept = [step_id for step_id in refs.ended() if step_id not in reset]
        again = await _again(reads, thread, refs, reset, set(kept))
        known = [step.id for step in spec.steps] or [
            row.step_id for row in sorted(again, key=lambda row: row.step_index)
        ]
        skipped = _in_order(spec, [step_id for step_id in asked.skip if step_id not in kept])
        runs = [step_id for step_id in dict.fromkeys(known) if step_id not in kept and step_id not in skipped]
        had = reset | asked.keys.keys()
        return Ahead(
            thread=thread,
            status=_status(transition, asked),
            kept=_in_order(spec, kept),
            run=runs,
            skipped=skipped,
            undone=[undone_of(spec, row) for row in again if row.step_id in runs],
            irreversible=[step_id for step_id in runs if step_id in had and _is_irreversible(spec, step_id)],
            compensations=[f"{step_id}.undo" for step_id, _ in asked.undo],
        )


def _steering(thread: ThreadRecord, reads: Reads) -> Steering:
    """Without the lock of the thread's row: what it decides is told and not written."""
    return Steering(dataclasses.replace(thread), reads, at=utc_now(), driver=None)


def _asked(transition: Transition) -> Parameters:
    return parameters.parse(transition.executions[0].parameters) if transition.executions else Parameters()


def _status(transition: Transition, asked: Parameters) -> Status:
    return Status.PAUSED if asked.hold and asked.undo else transition.status


async def _again(reads: Reads, thread: ThreadRecord, refs: Refs, reset: set[str], kept: set[str]) -> list[StepRecord]:
    """The step runs that are taken out of the state, and those that the execution began and could not finish."""
    ids = sorted(refs.steps[step_id][0] for step_id in reset if step_id in refs.steps)
    gone = await reads.steps(thread.thread_id, ids=ids, values=False) if ids else []
    own = await reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
    known = {row.id for row in gone} | {run for run, _ in refs.steps.values()}
    broken = [row for row in own if row.status in _BROKEN and row.step_id not in kept and row.id not in known]
    return [row for row in [*gone, *broken] if row.status is not StepStatus.SKIPPED]


def _in_order(spec: WorkflowSpec, step_ids: list[str]) -> list[str]:
    places = {step.id: step.index for step in spec.steps}
    return sorted(step_ids, key=lambda step_id: places.get(step_id, len(places)))


def _is_irreversible(spec: WorkflowSpec, step_id: str) -> bool:
    step = spec.by_id.get(step_id)
    return step is not None and step.effect == IRREVERSIBLE
