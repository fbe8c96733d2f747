"""Loading: a thread's state from its manifests and the rows that they refer to, and all that a drive needs to go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain import jsontext, parameters
from app.domain.errors import NotFound
from app.domain.state import ManifestWriter, Refs, State, context_of, resolve, writer_after
from app.domain.status import STEP_OPEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.domain.parameters import Parameters
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A thread as its driver holds it in memory; `open_steps` are the step runs that had begun and not ended."""

    thread: ThreadRecord
    spec: WorkflowSpec
    execution: ExecutionRecord
    parameters: Parameters
    state: State
    writer: ManifestWriter
    open_steps: list[StepRecord]


async def manifests(reads: Reads, thread_id: str, version: int) -> list[CheckpointRecord]:
    """The checkpoints that make up `version`, and perhaps others among them.  Raises NotFound."""
    found = await reads.checkpoints(thread_id, first=version, last=version)
    if not found:
        raise NotFound(f"thread {thread_id} has no version {version}", code="version_not_found")
    if found[0].base_version == version:
        return found
    return await reads.checkpoints(thread_id, first=found[0].base_version, last=version)


async def load_refs(reads: Reads, thread_id: str, version: int) -> Refs:
    """Where the values of the state at `version` are.  Raises NotFound."""
    return resolve(await manifests(reads, thread_id, version), version)


async def load_state(reads: Reads, thread_id: str, version: int) -> State:
    """The state at `version` with all its values.  Raises NotFound."""
    return await _fill(reads, thread_id, await load_refs(reads, thread_id, version))


async def load_thread(reads: Reads, thread: ThreadRecord, spec: WorkflowSpec) -> Loaded:
    """What a driver of `thread` needs to go on from its head."""
    execution = await reads.execution(thread.execution_id)
    if execution is None:
        raise NotFound(f"execution {thread.execution_id} is gone", code="execution_not_found")
    chain = await manifests(reads, thread.thread_id, thread.head_version)
    refs = resolve(chain, thread.head_version)
    writer = writer_after(refs, chain, thread.head_version)
    asked = parameters.parse(execution.parameters)
    fresh = not begun(thread, chain, execution.id)
    if fresh and asked.reset:
        await _reset(reads, thread, refs, writer, asked.reset)
    state = await _fill(reads, thread.thread_id, refs)
    if fresh:
        set_literals(asked.context, state, writer)
    steps = await reads.steps(thread.thread_id, execution_id=execution.id, values=False)
    return Loaded(
        thread=thread,
        spec=spec,
        execution=execution,
        parameters=asked,
        state=state,
        writer=writer,
        open_steps=[step for step in steps if step.status in STEP_OPEN],
    )


def begun(thread: ThreadRecord, checkpoints: Sequence[CheckpointRecord], execution_id: str) -> bool:
    """Whether the execution has written a version of its own, which holds what its parameters changed."""
    return any(c.version == thread.head_version and c.execution_id == execution_id for c in checkpoints)


async def _reset(
    reads: Reads, thread: ThreadRecord, refs: Refs, writer: ManifestWriter, step_ids: Iterable[str]
) -> None:
    """Take the steps that are to run again out; a variable that they had set gets back what it was before them."""
    before = set(refs.context)
    refs.forget(step_ids)
    lost = before - set(refs.context)
    if lost:
        versions = await reads.checkpoints(thread.thread_id, last=thread.head_version)
        earlier = context_of(versions, thread.head_version, {run for run, _ in refs.steps.values()})
        refs.context |= {name: earlier[name] for name in lost if name in earlier}
    for step_id in step_ids:
        writer.step(step_id)
    for name in lost:
        writer.context(name)


def set_literals(values: dict[str, Any], state: State, writer: ManifestWriter) -> None:
    """Set variables from outside; their values go into the next manifest."""
    for name, value in values.items():
        state.context[name] = value
        state.size_bytes += len(jsontext.dumps(value))
        writer.literal(name, value)


async def _fill(reads: Reads, thread_id: str, refs: Refs) -> State:
    execution = await reads.execution(refs.input)
    input_text = execution.input if execution is not None and execution.input is not None else "null"
    runs = {run for run, _ in refs.steps.values()} | {ref for kind, ref in refs.context.values() if kind == "run"}
    rows = {row.id: row for row in await reads.steps(thread_id, ids=sorted(runs))} if runs else {}
    await _older_literals(reads, thread_id, refs)
    state = State(refs, {"input": jsontext.loads(input_text), "context": {}}, len(input_text))
    for step_id, (run, status) in refs.steps.items():
        state.scope[step_id] = {"output": _output(rows, run), "status": status.value}
    for name, (kind, ref) in refs.context.items():
        state.context[name] = _output(rows, ref) if kind == "run" else refs.literals[ref, name]
    state.size_bytes += sum(len(row.output or "") for row in rows.values())
    return state


async def _older_literals(reads: Reads, thread_id: str, refs: Refs) -> None:
    known = {version for version, _ in refs.literals}
    for version in sorted(refs.literal_versions() - known):
        for checkpoint in await reads.checkpoints(thread_id, first=version, last=version):
            _take_literals(refs, version, jsontext.loads(checkpoint.manifest).get("literals", {}).items())


def _take_literals(refs: Refs, version: int, literals: Iterable[tuple[str, Any]]) -> None:
    for name, value in literals:
        refs.literals[version, name] = value


def _output(rows: dict[str, StepRecord], run: str) -> Any:
    row = rows.get(run)
    return None if row is None or row.output is None else jsontext.loads(row.output)
