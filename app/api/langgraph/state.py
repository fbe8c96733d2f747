"""The state of a thread at a version, as LangGraph shows it: channels, what comes next, tasks and their questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.api.documents import version_of
from app.api.langgraph.asking import interrupts_by_step
from app.api.langgraph.views import checkpoint_of, error_of, state_metadata, values_of
from app.domain import jsontext
from app.domain.errors import Corrupt, NotFound
from app.domain.ids import derived_id
from app.domain.plan import Frontier
from app.domain.state import END
from app.domain.status import STEP_OPEN, Status, StepStatus
from app.domain.views.common import when
from app.engine.versions import check_shown

if TYPE_CHECKING:
    from app.api.langgraph.replies import Scale
    from app.api.services import Services
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs

Document = dict[str, Any]
NO_STATE: Final[Document] = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": {},
    "created_at": None,
    "parent_checkpoint": None,
    "interrupts": [],
}


async def checkpoint_at(services: Services, thread: ThreadRecord, version: int) -> CheckpointRecord:
    """A version that people may see.  Raises NotFound (version_not_found)."""
    found = await services.reads.checkpoints(thread.thread_id, first=version, last=version)
    if not found:
        message = f"no checkpoint {version}: the thread has 1 to {thread.last_version}"
        raise NotFound(message, code="version_not_found")
    return await check_shown(services.reads, thread, found[0])


async def state_document(
    services: Services,
    thread: ThreadRecord,
    checkpoint: CheckpointRecord,
    assistant: tuple[str, str],
    *,
    live: bool = True,
) -> Document:
    """A version; at the head, if it is asked for `live`, with what the running execution makes of it."""
    spec = await services.control.spec(thread.definition_id)
    at_head = live and checkpoint.version == thread.head_version
    state = await services.control.load_state(thread.thread_id, checkpoint.version)
    refs = await services.control.head_refs(thread) if at_head else state.refs
    runs = await _runs(services, thread) if at_head else {}
    asked = await interrupts_by_step(services, thread.thread_id) if at_head and _may_ask(runs) else {}
    names = _next(spec, checkpoint, refs, runs)
    tasks = [_task(checkpoint, name, runs.get(name), asked.get(name, [])) for name in names]
    output = await _output(services, checkpoint)
    return {
        **place_document(checkpoint, assistant),
        "values": values_of(state, output),
        "next": names,
        "tasks": tasks,
        "interrupts": [one for task in tasks for one in task["interrupts"]],
    }


def place_document(checkpoint: CheckpointRecord, assistant: tuple[str, str]) -> Document:
    """A version without its state."""
    return {
        **NO_STATE,
        "metadata": state_metadata(checkpoint, assistant),
        "created_at": when(checkpoint.created_at),
        "checkpoint": checkpoint_of(checkpoint.thread_id, checkpoint.version),
        "parent_checkpoint": checkpoint_of(checkpoint.thread_id, checkpoint.parent_version),
    }


async def values_at(services: Services, thread: ThreadRecord, scale: Scale | None = None) -> Document | None:
    """The channels at the head; None where they cannot be read, which must not hide the thread."""
    try:
        state = await services.control.load_state(thread.thread_id, thread.head_version)
    except (Corrupt, NotFound):
        return None
    if scale is not None:
        scale.add(state.size_bytes)
    execution = await services.reads.execution(thread.execution_id) if thread.status is Status.COMPLETED else None
    return values_of(state, execution.output if execution is not None else None)


async def result_of(services: Services, execution: ExecutionRecord) -> Document:
    """What a run has come to, as `wait` and `join` tell it: the channels, with `__interrupt__` or `__error__` if need be."""
    thread = await services.reads.thread(execution.thread_id)
    if thread is None:
        return {"__error__": {"error": "thread_not_found", "message": f"thread {execution.thread_id} is gone"}}
    if execution.status is not Status.COMPLETED and execution.error is not None:
        return {"__error__": error_of(execution)}
    version = await version_of(services, thread, execution.id)
    values: Document = {}
    if version:
        values = values_of(await services.control.load_state(thread.thread_id, version), execution.output)
    if thread.execution_id == execution.id:
        asked = await interrupts_by_step(services, thread.thread_id)
        if asked:
            values["__interrupt__"] = [one for each in asked.values() for one in each]
    return values


async def _output(services: Services, checkpoint: CheckpointRecord) -> str | None:
    if checkpoint.step_id != END:
        return None
    execution = await services.reads.execution(checkpoint.execution_id)
    return None if execution is None else execution.output


async def _runs(services: Services, thread: ThreadRecord) -> dict[str, StepRecord]:
    """The newest run of each step in the thread's execution."""
    rows = await services.reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
    return {row.step_id: row for row in sorted(rows, key=lambda row: row.id)}


def _may_ask(runs: dict[str, StepRecord]) -> bool:
    return any(run.status in STEP_OPEN for run in runs.values())


def _next(spec: WorkflowSpec, checkpoint: CheckpointRecord, refs: Refs, runs: dict[str, StepRecord]) -> list[str]:
    """The steps that run or may run next; of a workflow in Python, whose steps are known as they come, those that are open."""
    if checkpoint.step_id == END:
        return []
    if spec.code is not None:
        waiting = {*STEP_OPEN, StepStatus.FAILED}
        return [name for name, run in runs.items() if run.status in waiting and name not in refs.steps]
    return Frontier(spec.plan, [name for name in refs.ended() if name in spec.plan.index]).ready()


def _task(checkpoint: CheckpointRecord, name: str, run: StepRecord | None, asked: list[Document]) -> Document:
    failed = run is not None and run.status is StepStatus.FAILED and run.error is not None
    return {
        "id": run.id if run is not None else derived_id("task", checkpoint.thread_id, checkpoint.version, name),
        "name": name,
        "path": ["__pregel_pull", name],
        "error": jsontext.loads(run.error)["message"] if failed and run is not None and run.error is not None else None,
        "interrupts": asked,
        "checkpoint": None,
        "state": None,
        "result": None,
    }
