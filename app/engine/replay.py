"""Replays: scratch threads of one step, which do again what a step run of another thread did; that one is never touched."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.commands import Accepted, StartCommand
from app.domain.errors import Conflict, InvalidRequest, InvalidWorkflow, NotFound, Problem
from app.domain.parameters import Parameters, ReplayOf
from app.domain.replay import WITH_INPUT, document_of, effect_of
from app.domain.times import utc_now
from app.engine.birth import give_birth, plain
from app.engine.load import load_refs
from app.engine.recall import Recall, check_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.replay import Recorded, ReplayCommand
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.domain.travel import Travels
    from app.engine.catalog import Catalog
    from app.engine.deps import Stores
    from app.engine.flow import Function
    from app.engine.starts import Starts

_GENERATIONS: Final = 10
"""Sub-workflows within each other whose steps are looked at for effects; deeper ones count as if they had some."""
_TRIGGER: Final = 500


class Replays:
    """One for the engine; `flows` gives the functions of workflows in Python."""

    def __init__(
        self,
        stores: Stores,
        travels: Travels,
        catalog: Catalog,
        starts: Starts,
        flows: Callable[[str], Function | None],
    ) -> None:
        self._reads = stores.reads
        self._registry = stores.registry
        self._travels = travels
        self._catalog = catalog
        self._starts = starts
        self._flows = flows

    async def replay(self, command: ReplayCommand) -> Accepted:
        """Start the scratch thread.

        Raises NotFound (thread, step, run, item), Corrupt, InvalidRequest (has_effects, item_required, not_replayable,
        state_too_large, what the agent cannot do), Conflict (thread_exists), Unavailable (QueueFull).
        """
        key = StartCommand(workflow="", idempotency_key=command.idempotency_key, request_sha256=command.request_sha256)
        with self._starts.once("default", command.idempotency_key):
            owner = await self._starts.owner(key)
            if owner is not None:
                return await self._starts.replay(key, owner)
            return await self._replay(command)

    async def _replay(self, command: ReplayCommand) -> Accepted:
        thread = await self._reads.thread(command.thread_id)
        if thread is None:
            raise NotFound(f"there is no thread {command.thread_id}", code="thread_not_found")
        run = await self._run(thread, await self._catalog.spec(thread.definition_id), command)
        check_run(run)
        spec = await self._spec_of(thread, run)
        version = await self._version(thread, run)
        recorded = await Recall(self._reads, thread, spec, run, version).recall(command.item, self._flows)
        recorded = await self._as_it_was(recorded, run)
        await self._check_effects(recorded.step, command)
        document, given = document_of(self._changed(recorded, command))
        try:
            record, own = await self._catalog.ad_hoc(document)
        except InvalidWorkflow as error:
            raise InvalidRequest(f"step {run.step_id} cannot be replayed: {error}", code="not_replayable") from None
        origin = ReplayOf(
            thread_id=thread.thread_id,
            execution_id=run.execution_id,
            run_id=run.id,
            step_id=run.step_id,
            version=version,
            item=command.item,
        )
        start_command = StartCommand(
            workflow="",
            input=given,
            has_input=True,
            thread_id=command.new_thread_id,
            triggered_by=command.triggered_by or f"replay of {thread.thread_id}/{run.step_id}"[:_TRIGGER],
            idempotency_key=command.idempotency_key,
            request_sha256=command.request_sha256,
            queue=thread.queue,
            priority=thread.priority,
        )
        start, loaded = give_birth(start_command, record, own, at=utc_now(), incarnation_id=None)
        start.execution.parameters = Parameters(replay_of=origin).text()
        accepted = await self._starts.bear(start_command, start, loaded)
        if accepted is None:
            told = f"thread {command.new_thread_id} exists: a replay is always a new one"
            raise Conflict(told, code="thread_exists")
        return accepted

    async def _run(self, thread: ThreadRecord, spec: WorkflowSpec, command: ReplayCommand) -> StepRecord:
        """The step run that is meant, with its values.  Raises NotFound."""
        step_id, name = command.step_id, thread.thread_id
        present = (
            command.run_id is None and command.execution_id is None
        )  # an earlier execution may be of another version
        if present and spec.code is None and step_id.removesuffix(".undo") not in spec.by_id:
            raise _no_step(spec, step_id)
        if command.run_id is not None:
            ids = [command.run_id]
        else:
            execution_id = command.execution_id or thread.execution_id
            rows = await self._reads.steps(name, execution_id=execution_id, values=False)
            ids = [row.id for row in rows if row.step_id == step_id][-1:]
            if not ids and command.execution_id is None:
                refs = await load_refs(self._reads, name, thread.head_version)
                ids = [refs.steps[step_id][0]] if step_id in refs.steps else []
        found = await self._reads.steps(name, ids=ids) if ids else []
        if not found or found[0].step_id != step_id:
            told = f"no run of step {step_id[:128]} is recorded there; name another `execution_id` or `run_id`"
            raise NotFound(told, code="run_not_found")
        return found[0]

    async def _spec_of(self, thread: ThreadRecord, run: StepRecord) -> WorkflowSpec:
        """The workflow in the version that the step run is of: the thread may have been moved since.  Raises NotFound."""
        execution = await self._reads.execution(run.execution_id)
        known = execution.workflow_id if execution is not None else None
        spec = await self._catalog.spec(known or thread.definition_id)
        if spec.code is None and run.step_id not in spec.by_id:
            raise _no_step(spec, run.step_id)
        return spec

    async def _version(self, thread: ThreadRecord, run: StepRecord) -> int:
        """The version whose state the step saw.  What a fork took over began in another thread: its first version is near."""
        began = await self._travels.began_at(thread.thread_id, run.id)
        if began is not None:
            return began
        execution = await self._reads.execution(run.execution_id)
        elsewhere = execution is None or execution.thread_id != thread.thread_id
        return 1 if elsewhere else thread.head_version

    async def _as_it_was(self, recorded: Recorded, run: StepRecord) -> Recorded:
        """With the version of a sub-workflow that ran then, where that is known."""
        child = None
        if recorded.step.kind == "workflow" and run.session_id is not None:
            child = await self._reads.thread(run.session_id)
        record = await self._registry.definition(child.definition_id) if child is not None else None
        if record is None or record.version is None:
            return recorded
        target = f"{record.name}@{record.version}"
        return dataclasses.replace(recorded, step=recorded.step.done_by(target), target=target)

    def _changed(self, recorded: Recorded, command: ReplayCommand) -> Recorded:
        """With the command's agent and input.  Raises InvalidRequest."""
        step = recorded.step
        if command.agent is not None:
            found = self._catalog.objections(step, command.agent)
            if found:
                raise _wrong("/agent", found[0])
            recorded = dataclasses.replace(recorded, agent=command.agent)
        if command.input is not None:
            if step.kind not in WITH_INPUT:
                raise _wrong("/input", f"a step of the kind {step.kind} has no input of its own")
            known: Any = recorded.input
            under = cast("dict[str, Any]", known) if isinstance(known, dict) else {}
            recorded = dataclasses.replace(recorded, input=plain({**under, **command.input}))
        return recorded

    async def _check_effects(self, step: StepSpec, command: ReplayCommand) -> None:
        if command.allow_effects:
            return
        why = await self._effect(step, 0)
        if why is not None:
            told = (
                f'step {step.id} may change something outside: {why}; say "allow_effects": true to do it all the same'
            )
            raise InvalidRequest(told, code="has_effects")

    async def _effect(self, step: StepSpec, depth: int) -> str | None:
        own = effect_of(step)
        if own is not None or step.kind != "workflow" or step.effect == "none":
            return own
        if depth >= _GENERATIONS:
            return "its sub-workflows are too deep to look at"
        try:
            _, child = await self._catalog.named(str(step.target.source))
        except NotFound:
            return None  # it fails before it does anything
        if child.code is not None:
            return f"it runs {child.name}, a workflow in Python, whose steps are not known before"
        for each in child.steps:
            found = await self._effect(each, depth + 1)
            if found is not None:
                return f"in the workflow {child.name}, step {each.id}: {found}"
        return None


def _no_step(spec: WorkflowSpec, step_id: str) -> NotFound:
    return NotFound(f"the workflow {spec.name} has no step {step_id[:128]}", code="step_not_found")


def _wrong(pointer: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{pointer}: {message}", problems=[Problem(pointer, message)])
