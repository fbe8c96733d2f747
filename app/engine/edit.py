"""Editing a thread's state: a version that nobody's step wrote, on top of one that is there, with other variables or an output
that stands for a step's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import events, jsontext
from app.domain.errors import InvalidRequest
from app.domain.parameters import Parameters
from app.domain.state import START, State, writer_after
from app.domain.status import StepStatus
from app.engine import steprows
from app.engine.load import manifests, reset, resolved, set_literals

if TYPE_CHECKING:
    from app.domain.commands import Edit, RollbackCommand
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, StepRecord
    from app.domain.spec import StepSpec, WorkflowSpec
    from app.domain.state import ManifestWriter
    from app.engine.draft import Draft

TRIGGER = "edit"
"""What such a version says it was written for."""


async def write_edit(
    draft: Draft, reads: Reads, target: CheckpointRecord, command: RollbackCommand, spec: WorkflowSpec
) -> str:
    """Draw up the version on top of `target`, to which the head has been moved; the step that it stands at.

    Raises Corrupt, InvalidRequest (step_not_found).
    """
    thread_id, edit = draft.transition.thread_id, command.edit
    assert edit is not None
    chain = await manifests(reads, thread_id, target.version)
    refs = await resolved(chain, target.version)
    writer = writer_after(refs, chain, target.version)
    state = State(refs, {"input": None, "context": {}}, target.size_bytes)
    step, row = _step(spec, edit), None
    at, progress = target.step_id, target.progress
    if step is not None:
        again = spec.plan.downstream([step.id]) & set(refs.steps)
        asked = Parameters(reset=tuple(sorted(again)), context=dict(command.context))
        await reset(reads, (thread_id, target.version), refs, writer, asked)
        row = _stand_in(draft, state, writer, step, jsontext.dumps(edit.output))
        at, progress = step.id, round(min(1.0, len(refs.steps) / len(spec.steps)), 4)
    set_literals(dict(command.context), state, writer)
    # Variables are looked up back to a START: one that is edited holds all that came before, as every START does.
    draft.checkpoint(state, writer, at, trigger=TRIGGER, progress=progress, full=at == START)
    if row is not None:
        data = {"status": "skipped", "progress": progress, "reason": "given output"}
        draft.event(events.STEP_SKIPPED, data, step_id=row.step_id, run_id=row.id, result=row.output)
    return at


def _step(spec: WorkflowSpec, edit: Edit) -> StepSpec | None:
    if edit.step_id is None:
        return None
    if edit.step_id not in spec.by_id:
        raise InvalidRequest(f"the workflow {spec.name} has no step {edit.step_id}", code="step_not_found")
    return spec.by_id[edit.step_id]


def _stand_in(draft: Draft, state: State, writer: ManifestWriter, step: StepSpec, text: str) -> StepRecord:
    """A step run that never ran, with the output that it is given."""
    row = steprows.ended_at_once(step, draft, StepStatus.SKIPPED, output=text)
    draft.transition.steps.append(row)
    state.end_step(step.id, row.id, StepStatus.SKIPPED, None)
    state.size_bytes += len(text)
    writer.step(step.id)
    if step.assign:
        state.assign(step.assign, row.id, None)
        writer.context(step.assign)
    return row
