"""Moving threads to another version of their workflow: which can, which cannot and why, and one transaction for each that can.

A move is a steering: decided under the row's lock, fencing the driver.  The old execution ends as superseded, a new one of kind
`migrate` goes on from the head; what is open goes on in it as the same step runs, with their attempts, times and children.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from app.domain import events
from app.domain.errors import BackstitchError, Conflict, InvalidRequest
from app.domain.moving import MOVABLE, Moved, Moves, Outcome, Pair, Reason, ThreadsOf, misfits, obstacles
from app.domain.ports import ExecutionFilter
from app.domain.state import END, Refs
from app.domain.status import ACTIVE, ENDED, STEP_OPEN, Status, StepStatus
from app.domain.times import utc_now
from app.engine.asked import unfinished
from app.engine.load import asked_of, begun, load_refs, manifests, resolved
from app.engine.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.domain.moving import MoveCommand
    from app.domain.ports import Reads
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord, WorkflowRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.domain.upkeep import Upkeep
    from app.engine.bus import Bus
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.worker import Worker

MISMATCH: Final = "workflow_mismatch"
_TRIES: Final = 3
_PAGE: Final = 200


class Move(Steering):
    """Of one thread, to the stored definition `to`."""

    def __init__(self, thread: ThreadRecord, reads: Reads, to: WorkflowRecord, pair: Pair) -> None:
        super().__init__(thread, reads, at=utc_now(), driver=None)
        self._to = to
        self._pair = pair
        self.reasons: list[Reason] = []

    async def decide(self, command: MoveCommand) -> Transition | None:
        """The transition; None, with `reasons`, when it cannot be."""
        old = await self._execution()
        self.reasons = _impossible(self._pair, old)
        if self.reasons:
            return None
        asked, before = asked_of(self.thread, old), self.thread.head_version
        chain = await manifests(self._reads, self.thread.thread_id, before, is_head=True)
        written = begun(self.thread, chain, old.id)
        refs = await resolved(chain, before)
        refs.forget(() if written else asked.reset)
        rows = await self._reads.steps(self.thread.thread_id, execution_id=old.id, values=False)
        self.reasons = [*misfits(self._pair, refs), *obstacles(self._pair, self._runs(rows, refs), asked, refs)]
        if self.reasons:
            return None
        changed = self._pair.new.plan.downstream(self._pair.changed())
        kept = await unfinished(self._reads, old, asked, exclude=changed | set(refs.ended()))
        carried = dataclasses.replace(asked, forked_from=None, **kept._asdict())
        if written:
            carried = dataclasses.replace(carried, reset=(), context={}, quiet=())
        await self._replace(old, "migrate", carried, command.triggered_by)
        return self._drawn(command, old, rows, refs)

    def _runs(self, rows: Sequence[StepRecord], refs: Refs) -> dict[str, StepStatus]:
        """The steps that are open, and those whose failure is about to end a thread that is driven; compensations aside."""
        known = {run for run, _ in refs.steps.values()}
        wanted = STEP_OPEN if self.thread.status in ENDED else {*STEP_OPEN, StepStatus.FAILED}
        return {
            row.step_id: row.status for row in rows if row.status in wanted and row.id not in known and _is_step(row)
        }

    def _drawn(self, command: MoveCommand, old: ExecutionRecord, rows: Sequence[StepRecord], refs: Refs) -> Transition:
        transition, status = self._draft.transition, self.thread.status
        execution = transition.executions[0]
        execution.workflow_id, execution.workflow_version = self._to.id, self._to.version
        execution.external_run_id = old.external_run_id
        transition.clear_signal = False  # a wish to pause or to cancel is not met by this
        by_id = self._pair.new.by_id
        places = {row.id: by_id[row.step_id].index if row.step_id in by_id else row.step_index for row in rows}
        runs = {row.id: places[row.id] for row in rows if row.status in STEP_OPEN}
        transition.moved = Moved(definition_id=self._to.id, runs=runs)
        if status in ACTIVE or command.resume:
            self._hand_over()
            transition.wake_at = self._when_to_begin()
        else:
            transition.status = execution.status = status
            execution.completed_at = self._draft.at if status in ENDED else None
            self._draft.let_go()
        data = {
            "status": transition.status.value,
            "progress": round(min(1.0, len(refs.steps) / max(1, len(by_id))), 4),
            "from_workflow_version": old.workflow_version,
            "to_workflow_version": self._to.version,
        }
        self._draft.event(events.WORKFLOW_MIGRATED, data)
        return transition

    def _when_to_begin(self) -> datetime:
        """Now, unless it was started with a delay that is not over."""
        begins = self.thread.wake_at if self.thread.status is Status.PENDING else None
        return max(begins, self._draft.at) if begins is not None else self._draft.at

    async def _close_steps(self, execution_id: str) -> None:
        """None: they go on in the new execution."""


class Mover:
    """One for the engine."""

    def __init__(self, stores: Stores, catalog: Catalog, worker: Worker, bus: Bus, upkeep: Upkeep) -> None:
        self._stores = stores
        self._catalog = catalog
        self._worker = worker
        self._bus = bus
        self._upkeep = upkeep

    async def move(self, command: MoveCommand) -> Moves:
        """Move the threads that can be moved, or see which could.  Raises NotFound, InvalidWorkflow, InvalidRequest."""
        wanted = [status for status in command.statuses if status not in MOVABLE]
        if wanted:
            raise InvalidRequest(f"a thread that is {wanted[0]} has nothing left to do in any version")
        reference = command.workflow if command.to_version is None else f"{command.workflow}@{command.to_version}"
        to, spec = await self._catalog.named(reference)
        if command.to_version is None:  # the newest, whatever this process thinks it is
            newest = await self._stores.registry.workflow(command.workflow)
            to, spec = (newest, await self._catalog.spec(newest.id)) if newest is not None else (to, spec)
        self._catalog.check(to.id, spec)
        ids, more = await self._chosen(command, to)
        outcomes = [await self._moved(command, thread_id, to, spec) for thread_id in ids]
        return Moves(to=to, outcomes=outcomes, more=more)

    async def _chosen(self, command: MoveCommand, to: WorkflowRecord) -> tuple[list[str], bool]:
        if command.thread_ids is not None:
            return list(dict.fromkeys(command.thread_ids)), False
        if command.from_version is not None:
            await self._catalog.named(f"{command.workflow}@{command.from_version}")
        where = ThreadsOf(
            workflow=command.workflow,
            version=command.from_version,
            statuses=command.statuses,
            beside=to.id,
            after=command.after,
            limit=command.limit + 1,
        )
        found = [thread.thread_id for thread in await self._upkeep.threads_of(where)]
        return found[: command.limit], len(found) > command.limit

    async def _moved(self, command: MoveCommand, thread_id: str, to: WorkflowRecord, new: WorkflowSpec) -> Outcome:
        """What becomes of one thread; what is wrong with it is its own affair."""
        for _ in range(_TRIES):
            thread = await self._stores.reads.thread(thread_id)
            if thread is None:
                return _refused(thread_id, "thread_not_found", f"there is no thread {thread_id}")
            record = await self._stores.registry.definition(thread.definition_id)
            version = record.version if record is not None else None
            outcome = Outcome(thread_id=thread_id, status=thread.status, from_version=version)
            reason = _unwanted(command, thread, record, to)
            if reason is not None:
                return dataclasses.replace(outcome, reasons=[reason])
            try:
                pair = Pair(await self._catalog.spec(thread.definition_id), new, to.version)
                found = await self._tried(command, thread, to, pair)
            except BackstitchError as error:
                return dataclasses.replace(outcome, reasons=[Reason(code=error.code, message=error.message)])
            if found is not None:
                status, move, written = found
                execution_id = written.execution_id if written is not None else None
                return dataclasses.replace(outcome, status=status, reasons=move.reasons, execution_id=execution_id)
        return _refused(thread_id, "thread_moving", f"thread {thread_id} is being moved by somebody else")

    async def _tried(
        self, command: MoveCommand, known: ThreadRecord, to: WorkflowRecord, pair: Pair
    ) -> tuple[Status, Move, Transition | None] | None:
        """The thread's status then, and what was decided and written; None when it was moved or ended meanwhile."""
        if command.dry_run:
            move = Move(known, self._stores.reads, to, pair)
            await move.decide(command)
            return known.status, move, None
        moves: list[tuple[Status, Move, Transition | None]] = []

        async def under_lock(thread: ThreadRecord, reads: Reads) -> Transition | None:
            if thread.definition_id != known.definition_id or thread.status not in command.statuses:
                return None
            move = Move(thread, reads, to, pair)
            written = await move.decide(command)
            moves.append((thread.status, move, written))
            return written

        try:
            await self._stores.journal.steer(known.thread_id, under_lock)
        finally:
            self._worker.hint()  # it may be written all the same
        if not moves:
            return None
        written = moves[-1][2]
        if written is not None:
            self._worker.stop_run(known.thread_id)
            self._bus.moved(written)
        return moves[-1]


async def check_version(
    stores: Stores, catalog: Catalog, thread: ThreadRecord, version: int, *, runs_on: bool = False
) -> None:
    """Whether a thread can go on from one of its versions, which may have been written under another version of its workflow;
    from an END nothing runs on, unless it is said to.

    Raises NotFound, Corrupt, Conflict (workflow_mismatch).
    """
    reads, thread_id = stores.reads, thread.thread_id
    found = await reads.checkpoints(thread_id, first=version, last=version)
    if not found or (found[0].step_id == END and not runs_on):
        return
    execution = await reads.execution(found[0].execution_id)
    written_by = execution.workflow_id if execution is not None else None
    if written_by == thread.definition_id:
        return
    if written_by is None:  # of a workflow without a version, which is never moved
        if execution is not None and await _was_moved_since(reads, execution):
            message = (
                f"version {version} was written before the thread was moved, by a workflow that is not registered here"
            )
            raise Conflict(message, code=MISMATCH, reasons=[])
        return
    new = await catalog.spec(thread.definition_id)
    record = await stores.registry.definition(thread.definition_id)
    pair = Pair(await catalog.spec(written_by), new, record.version if record is not None else None)
    reasons = misfits(pair, await load_refs(reads, thread_id, version))
    if reasons:
        told = [reason.value() for reason in reasons]
        message = f"version {version} was written before the thread was moved, and does not fit: {reasons[0].message}"
        raise Conflict(message, code=MISMATCH, reasons=told)


async def _was_moved_since(reads: Reads, execution: ExecutionRecord) -> bool:
    """Of an execution whose workflow is not known by a version: such a thread was moved before it was imported, if ever."""
    before: tuple[datetime, str] | None = None
    while page := await reads.executions(ExecutionFilter(thread_id=execution.thread_id, before=before, limit=_PAGE)):
        for one in page:
            if one.id == execution.id:
                return False
            if one.kind == "migrate":
                return True
        before = (page[-1].created_at, page[-1].id)
    return False


def _impossible(pair: Pair, execution: ExecutionRecord) -> list[Reason]:
    if pair.old.code is not None or pair.new.code is not None:
        message = "a workflow in Python is held against its calls as it runs: its threads are not moved, see the docs"
        return [Reason(code="python_workflow", message=message)]
    if execution.workflow_id is None:
        message = "it was started with its document, of which there are no versions"
        return [Reason(code="ad_hoc", message=message)]
    return []


def _unwanted(
    command: MoveCommand, thread: ThreadRecord, record: WorkflowRecord | None, to: WorkflowRecord
) -> Reason | None:
    """Why a thread is not among those that are to be moved: one that was named may be anything."""
    if record is None or record.name != to.name:
        name = record.name if record is not None else "unknown"
        return Reason(code="another_workflow", message=f"it is of the workflow {name}")
    if record.id == to.id:
        return Reason(code="already_there", message=f"it is at version {to.version} already")
    if record.version is None:
        return Reason(code="ad_hoc", message="it was started with its document, of which there are no versions")
    if command.from_version not in (None, record.version):
        return Reason(code="another_version", message=f"it is at version {record.version}")
    if thread.status not in command.statuses:
        return Reason(code="another_status", message=f"it is {thread.status}")
    return None


def _refused(thread_id: str, code: str, message: str) -> Outcome:
    return Outcome(thread_id=thread_id, reasons=[Reason(code=code, message=message)])


def _is_step(row: StepRecord) -> bool:
    """A compensation's id is no identifier."""
    return "." not in row.step_id
