"""Steering decisions: what resume, rollback, cancel, pause and a new run of an old thread mean for its row.

Each is decided under the row's lock and written as one transition, which raises the epoch: whoever drove the thread before
is fenced by the same commit that moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from app.domain import events, jsontext
from app.domain.errors import Conflict, InvalidRequest
from app.domain.ids import uuid7
from app.domain.parameters import Parameters
from app.domain.records import ErrorInfo, ExecutionRecord, ExecutionUpdate, StepUpdate
from app.domain.retry import EXHAUSTED
from app.domain.state import END, START, ManifestWriter
from app.domain.status import ACTIVE, ENDED, STEP_OPEN, Status, StepStatus
from app.domain.times import duration_ms
from app.domain.tracing import called_by
from app.engine.asked import downstream_of, failed_call, owed_by, present, unfinished
from app.engine.draft import PREVIEW, Draft, error_text
from app.engine.edit import write_edit
from app.engine.load import asked_of, begun, context_text, load_variables, manifests, resolved, set_literals
from app.engine.undo import to_undo
from app.engine.versions import check_shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.domain.commands import ResumeCommand, RollbackCommand, StartCommand
    from app.domain.ports import Journal, Reads
    from app.domain.records import CheckpointRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition

NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
SUPERSEDED = ErrorInfo(kind="superseded", message="another execution of the thread took over")


class Steering:
    """One decision about a locked thread; `driver` is the process that shall drive it next, None for whoever claims it."""

    def __init__(self, thread: ThreadRecord, reads: Reads, *, at: datetime, driver: str | None) -> None:
        self.thread = thread
        self._reads = reads
        self._driver = driver
        self._draft = Draft(thread, at)
        transition = self._draft.transition
        transition.new_epoch, transition.clear_signal, transition.recoveries = thread.epoch + 1, True, 0
        transition.shown = thread.head_version  # where people steer from stays in sight

    async def cancel(self, reason: str | None, texts: Mapping[str, str] = NO_TEXTS) -> Transition:
        """End it now; what completed is kept, and `texts`, what running steps (by id) had streamed so far.

        Raises Conflict when it has ended.
        """
        if self.thread.status in ENDED:
            raise Conflict(f"thread {self.thread.thread_id} has ended: {self.thread.status}", code="thread_ended")
        error = ErrorInfo(kind="cancelled", message=reason or "cancelled on request")
        transition = await self._end(Status.CANCELLED, events.WORKFLOW_CANCELLED, error)
        await self._keep_texts(texts)
        return transition

    async def interrupt(self, error: ErrorInfo) -> Transition | None:
        """Give it up: it could not be driven."""
        if self.thread.status in ENDED:
            return None
        error.message = jsontext.clean(error.message)[:4_000]
        told = error.kind != EXHAUSTED  # loading its variables may be what has ended its processes
        return await self._end(Status.INTERRUPTED, events.WORKFLOW_INTERRUPTED, error, told=told)

    async def pause(self) -> Transition | None:
        """Pause it if nobody drives it; None when its driver has to."""
        if self.thread.status in ENDED:
            raise Conflict(f"thread {self.thread.thread_id} has ended: {self.thread.status}", code="thread_ended")
        if self.thread.status is Status.PAUSED or self.thread.incarnation_id is not None:
            return None
        self._draft.execution(Status.PAUSED, context=await self._context())
        self._draft.event(events.WORKFLOW_PAUSED, {"status": "paused"})
        self._draft.let_go()
        return self._draft.transition

    async def resume(self, command: ResumeCommand, spec: WorkflowSpec) -> Transition | None:
        """Go on from the head; None when it is complete and nothing is asked to run again."""
        self._expect(command.expected_version)
        if self.thread.status in ACTIVE:
            raise Conflict(
                f"thread {self.thread.thread_id} is {self.thread.status}: pause or cancel it first",
                code="thread_running",
            )
        _known(spec, [*command.skip, *command.overrides, *([command.from_step] if command.from_step else [])])
        if self.thread.status is Status.COMPLETED and command.from_step is None:
            return None
        old = await self._execution()
        if self.thread.status is Status.PAUSED and not (
            command.from_step or command.skip or command.overrides or command.limits
        ):
            self._draft.execution(Status.PENDING)
        else:
            await self._replace(old, "resume", await self._carried(command, old, spec), command.triggered_by)
        self._draft.transition.webhook = command.webhook
        data = {"status": "pending", "trigger": "resume", "from_version": self.thread.head_version}
        self._draft.event(
            events.WORKFLOW_RESUMED, data | ({"from_step": command.from_step} if command.from_step else {})
        )
        self._hand_over()
        return self._draft.transition

    async def rollback(self, command: RollbackCommand, spec: WorkflowSpec) -> Transition:
        """Move the head; the next version is the highest so far + 1, its parent the new head."""
        self._expect(command.expected_version)
        _known(spec, command.overrides)
        target = await self._version(command.to_version)
        if (
            target.step_id == END
            and command.edit is None
            and (command.context or command.overrides or command.compensate)
        ):
            raise InvalidRequest(
                f"version {target.version} is the end: nothing runs after it that could see the changes",
                code="nothing_to_run",
            )
        old, left, edit = await self._execution(stand_in=True), self.thread.head_version, command.edit
        undo = await owed_by(self._reads, self.thread, old)
        undo += await to_undo(self._reads, self.thread, spec, target.version) if command.compensate else ()
        context, overrides = {} if edit else dict(command.context), dict(command.overrides)
        asked = Parameters(context=context, overrides=overrides, undo=undo, hold=not command.resume)
        await self._replace(old, "rollback", asked, command.triggered_by)
        transition = self._draft.transition
        transition.head_version = target.version
        data = {"status": "pending", "from_version": left, "to_version": target.version, "reason": command.reason}
        self._draft.event(events.WORKFLOW_ROLLED_BACK, data)
        where = await write_edit(self._draft, self._reads, target, command, spec) if edit else target.step_id
        if where == END:
            await self._complete_again(target)
        elif command.resume or asked.undo:
            self._hand_over()
        else:
            transition.status = transition.executions[0].status = Status.PAUSED
            self._draft.event(events.WORKFLOW_PAUSED, {"status": "paused", "progress": target.progress})
            self._draft.let_go()
        return transition

    async def run_again(self, command: StartCommand, spec: WorkflowSpec) -> Transition:
        """A new execution on an ended thread: the context is kept, the steps begin anew with a START version."""
        if self.thread.status not in ENDED:
            raise Conflict(f"thread {self.thread.thread_id} is {self.thread.status}", code="thread_running")
        old = await self._execution(stand_in=True)
        state = await load_variables(self._reads, self.thread.thread_id, self.thread.head_version)
        asked = Parameters(undo=await owed_by(self._reads, self.thread, old), trace=called_by(command.traceparent))
        await self._replace(old, "invoke", asked, command.triggered_by)
        execution = self._draft.transition.executions[0]
        execution.input, execution.external_run_id = jsontext.dumps(command.input), command.external_run_id
        execution.input_sha256 = jsontext.sha256(execution.input)
        self._draft.transition.webhook = command.webhook
        state.refs.input, state.size_bytes = execution.id, state.size_bytes + len(execution.input)
        writer = ManifestWriter(state.refs, base_version=0, since_base=0, base_entries=0)
        set_literals(dict(command.context), state, writer)
        self._draft.checkpoint(state, writer, START, trigger="start", progress=0.0, full=True)
        self._draft.event(events.WORKFLOW_START, {"status": "pending", "progress": 0.0, "workflow": spec.name})
        self._hand_over()
        return self._draft.transition

    async def _context(self) -> str:
        """The variables at the head, none where the state cannot be read: that must not keep a thread from ending."""
        return await context_text(self._reads, self.thread.thread_id, self.thread.head_version)

    async def _end(self, status: Status, event: str, error: ErrorInfo, *, told: bool = True) -> Transition:
        await self._close_steps(self.thread.execution_id)
        context = await self._context() if told else None
        self._draft.execution(status, context=context, error=error_text(error))
        self._draft.event(event, {"status": status.value, "error": error.value()})
        self._draft.let_go()
        self._draft.transition.wake_thread_id = self.thread.parent_thread_id
        return self._draft.transition

    async def _replace(self, old: ExecutionRecord, kind: str, asked: Parameters, by: str | None) -> None:
        """A new execution takes the place of the old one, which ends as superseded if it has not ended yet."""
        transition = self._draft.transition
        transition.workflow = old.workflow_name
        if old.status not in ENDED:
            await self._close_steps(old.id)
            transition.execution_updates.append(
                ExecutionUpdate(
                    id=old.id, status=Status.CANCELLED, completed_at=self._draft.at, error=error_text(SUPERSEDED)
                )
            )
        small = old.input if old.input is not None and len(old.input) <= PREVIEW else None
        execution = ExecutionRecord(
            id=uuid7(),
            thread_id=old.thread_id,
            tenant=old.tenant,
            workflow_id=old.workflow_id,
            workflow_name=old.workflow_name,
            workflow_version=old.workflow_version,
            kind=kind,
            status=Status.PENDING,
            input=small,
            input_sha256=old.input_sha256 if small is not None else None,  # a damaged text must not pass for sound
            parameters=asked.following(old, kind).text(),
            triggered_by=by,
            created_at=self._draft.at,
        )
        transition.executions.append(execution)
        transition.execution_id = execution.id
        transition.status = Status.PENDING

    def _hand_over(self) -> None:
        self._draft.transition.incarnation_id = self._driver
        self._draft.transition.wake_at = None if self._driver is not None else self._draft.at

    async def _complete_again(self, target: CheckpointRecord) -> None:
        writer_of_end = await self._reads.execution(target.execution_id)
        output = writer_of_end.output if writer_of_end is not None else None
        transition, execution = self._draft.transition, self._draft.transition.executions[0]
        execution.status = transition.status = Status.COMPLETED
        execution.output, execution.started_at, execution.completed_at = output, self._draft.at, self._draft.at
        execution.output_sha256 = writer_of_end.output_sha256 if writer_of_end is not None else None
        self._draft.event(events.WORKFLOW_COMPLETE, {"status": "completed", "progress": 1.0}, result=output)
        self._draft.let_go()

    async def _close_steps(self, execution_id: str) -> None:
        at = self._draft.at
        for row in await self._reads.steps(self.thread.thread_id, execution_id=execution_id, values=False):
            if row.status in STEP_OPEN:
                self._draft.transition.step_updates.append(
                    StepUpdate(
                        id=row.id,
                        status=StepStatus.CANCELLED,
                        attempt=row.attempt,
                        retry_count=row.retry_count,
                        completed_at=at,
                        duration_ms=duration_ms(row.started_at or at, at),
                    )
                )

    async def _keep_texts(self, texts: Mapping[str, str]) -> None:
        """What cancelled steps had streamed goes into their rows, marked as partial."""
        if not texts:
            return
        updates = {update.id: update for update in self._draft.transition.step_updates}
        for row in await self._reads.steps(self.thread.thread_id, ids=sorted(updates), values=False):
            if row.step_id in texts:
                text = jsontext.dumps({"partial": True, "text": texts[row.step_id]})
                updates[row.id].output, updates[row.id].output_sha256 = text, jsontext.sha256(text)

    async def _carried(self, command: ResumeCommand, old: ExecutionRecord, spec: WorkflowSpec) -> Parameters:
        """What the resumed execution is asked for: the command's wishes on top of those that the old one had not met."""
        thread, before = self.thread, asked_of(self.thread, old)
        chain = await manifests(self._reads, thread.thread_id, thread.head_version, is_head=True)
        refs = await resolved(chain, thread.head_version)
        from_step = command.from_step or failed_call(thread, old, spec, refs)
        downstream = await downstream_of(self._reads, thread, spec, refs, from_step)
        again = downstream & set(refs.steps)
        written = begun(thread, chain, old.id)
        reset = again if written else again | set(before.reset)
        done = downstream | (set(refs.ended()) - reset)
        kept = await unfinished(self._reads, old, before, exclude=done)
        return Parameters(
            reset=tuple(sorted(reset)),
            context={} if written else before.context,
            skip={**{step: given for step, given in before.skip.items() if step not in downstream}, **command.skip},
            overrides={**before.overrides, **command.overrides},
            quiet=() if written else before.quiet,
            limits=command.limits or before.limits,
            hold=before.hold,
            **kept._asdict(),
        )

    async def _execution(self, *, stand_in: bool = False) -> ExecutionRecord:
        return await present(self._reads, self.thread, stand_in=stand_in)

    async def _version(self, version: int) -> CheckpointRecord:
        chain = await manifests(self._reads, self.thread.thread_id, version)
        return await check_shown(self._reads, self.thread, chain[-1])

    def _expect(self, version: int | None) -> None:
        if version is not None and version != self.thread.head_version:
            raise Conflict(f"the head is version {self.thread.head_version}, not {version}", code="version_conflict")


async def interrupt(journal: Journal, thread: ThreadRecord, error: ErrorInfo, at: datetime) -> Transition | None:
    """Give up a thread that its driver could not drive, unless it has moved on since: then None."""
    written: list[Transition | None] = []

    async def decide(now: ThreadRecord, reads: Reads) -> Transition | None:
        if (now.epoch, now.rev) != (thread.epoch, thread.rev):
            return None
        written.append(await Steering(now, reads, at=at, driver=None).interrupt(error))
        return written[-1]

    await journal.steer(thread.thread_id, decide)
    return written[-1] if written else None


def _known(spec: WorkflowSpec, step_ids: Iterable[str]) -> None:
    unknown = [step_id for step_id in step_ids if step_id not in spec.by_id]
    if unknown and spec.code is None:  # whose steps are known only while it runs
        raise InvalidRequest(f"the workflow {spec.name} has no step {', '.join(unknown)}", code="step_not_found")
