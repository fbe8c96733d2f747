"""Loading: a thread's state from its manifests and the rows that they refer to, and all that a drive needs to go on.

Whatever is loaded is checked against its digest: a damaged or missing value raises Corrupt and is never used.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.domain import integrity, jsontext, parameters
from app.domain.errors import Corrupt, JsonError, NotFound, UnknownFormat
from app.domain.integrity import Finding
from app.domain.records import NO_USAGE, ErrorInfo, Usage
from app.domain.state import ManifestWriter, Refs, State, context_of, resolve, writer_after
from app.domain.status import STEP_OPEN, StepStatus
from app.domain.times import utc_now
from app.engine.compensation import compensations
from app.engine.draft import context_for_people, error_from
from app.engine.known_parts import known_parts
from app.engine.values import BIG_JSON, off_loop, read_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from app.domain.parameters import Parameters
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.engine.compensation import Compensation
    from app.engine.known_parts import KnownParts
    from app.engine.values import Values

_log = logging.getLogger(__name__)
_NEAR = 16
"""Versions that are read at once in the hope that the full manifest is among them: one query in place of two."""


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A thread as its driver holds it in memory; `open_steps` are the step runs that had begun and not ended, `failed` why
    one has failed for good, which its thread does once the others have ended; `parts` is what is known of items and
    iterations by step, `spent` what the thread has cost so far, if that is limited.  For a workflow in Python there are
    `calls`, where each step run was called and as what, and `failed_steps` in place of `failed`.  `compensations` are those
    that are left to run.  `head_at` is when the head was written.
    """

    thread: ThreadRecord
    spec: WorkflowSpec
    execution: ExecutionRecord
    parameters: Parameters
    state: State
    writer: ManifestWriter
    open_steps: list[StepRecord]
    head_at: datetime
    failed: ErrorInfo | None = None
    parts: dict[str, KnownParts] = field(default_factory=dict[str, "KnownParts"])
    spent: Usage = NO_USAGE
    calls: dict[str, str] = field(default_factory=dict[str, str])
    failed_steps: list[StepRecord] = field(default_factory=list["StepRecord"])
    compensations: list[Compensation] = field(default_factory=list["Compensation"])


async def manifests(reads: Reads, thread_id: str, version: int, *, is_head: bool = False) -> list[CheckpointRecord]:
    """The checkpoints that make up `version`, and perhaps others among them.

    Raises Corrupt, UnknownFormat, and NotFound when there is no such version, which a head must have.
    """
    found = await damaged_manifests(reads, thread_id, version)
    if not found and is_head:
        raise Corrupt(thread_id, [integrity.gone(version)])
    if not found:
        raise NotFound(f"thread {thread_id} has no version {version}", code="version_not_found")
    findings = await off_loop(lambda: integrity.check_chain(found, version), _weight(found), BIG_JSON)
    integrity.refuse(thread_id, findings)
    return found


async def resolved(chain: Sequence[CheckpointRecord], version: int) -> Refs:
    """What the state at `version` refers to; variables from outside stand in manifests, and may be large."""
    return await off_loop(lambda: resolve(chain, version), _weight(chain), BIG_JSON)


async def salvaged(chain: Sequence[CheckpointRecord], version: int) -> Refs:
    """See integrity.salvage: for showing."""
    return await off_loop(lambda: integrity.salvage(chain, version), _weight(chain), BIG_JSON)


def _weight(chain: Sequence[CheckpointRecord]) -> int:
    return sum(len(checkpoint.manifest) for checkpoint in chain)


async def damaged_manifests(reads: Reads, thread_id: str, version: int) -> list[CheckpointRecord]:
    """As `manifests`, but whatever state they are in; none when there is no such version."""
    first = max(1, version - _NEAR)
    found = await reads.checkpoints(thread_id, first=first, last=version)
    if not found or found[-1].version != version:
        return []
    base = min(found[-1].base_version, version)
    if base < first:
        return await reads.checkpoints(thread_id, first=base, last=version)
    return [checkpoint for checkpoint in found if checkpoint.version >= base]


async def load_refs(reads: Reads, thread_id: str, version: int) -> Refs:
    """Where the values of the state at `version` are.  Raises NotFound, Corrupt."""
    return await resolved(await manifests(reads, thread_id, version), version)


async def load_state(reads: Reads, thread_id: str, version: int) -> State:
    """The state at `version` with all its values.  Raises NotFound, Corrupt."""
    return await fill(reads, thread_id, await load_refs(reads, thread_id, version))


async def load_variables(reads: Reads, thread_id: str, version: int) -> State:
    """The state at `version`, the head, with its variables alone, neither input nor steps.  Raises Corrupt."""
    refs = await resolved(await manifests(reads, thread_id, version, is_head=True), version)
    refs.steps, refs.input = {}, ""
    state = await fill(reads, thread_id, refs)
    state.size_bytes -= len("null")
    return state


async def context_text(reads: Reads, thread_id: str, version: int) -> str:
    """The variables at `version` for people; none when the state cannot be read, which must stop no one from ending."""
    try:
        return context_for_people(await load_variables(reads, thread_id, version))
    except (Corrupt, UnknownFormat, KeyError, ValueError, TypeError, JsonError) as error:
        _log.warning("the variables of thread %s cannot be told: %r", thread_id, error)
        return "{}"


async def load_thread(reads: Reads, thread: ThreadRecord, spec: WorkflowSpec) -> Loaded:
    """What a driver of `thread` needs to go on from its head.  Raises Corrupt."""
    execution = await reads.execution(thread.execution_id)
    asked = asked_of(thread, execution)
    chain = await manifests(reads, thread.thread_id, thread.head_version, is_head=True)
    refs = await resolved(chain, thread.head_version)
    writer = await off_loop(lambda: writer_after(refs, chain, thread.head_version), _weight(chain), BIG_JSON)
    assert execution is not None
    fresh = not begun(thread, chain, execution.id)
    if fresh and asked.reset:
        await reset(reads, (thread.thread_id, thread.head_version), refs, writer, asked)
    state = await fill(reads, thread.thread_id, refs, asked.context if fresh else (), known=execution)
    if fresh:
        set_literals(asked.context, state, writer)
    steps = await reads.steps(thread.thread_id, execution_id=execution.id, values=False)
    open_steps = [step for step in steps if step.status in STEP_OPEN]
    limits = asked.limits or spec.limits
    limited = limits.max_cost_usd is not None or limits.max_tokens is not None
    return Loaded(
        thread=thread,
        spec=spec,
        execution=execution,
        parameters=asked,
        state=state,
        writer=writer,
        open_steps=open_steps,
        failed=_failure(_failed(steps, refs)) if spec.code is None else None,
        parts=await _parts(reads, thread.thread_id, spec, asked, open_steps),
        spent=await reads.spent(thread.thread_id) if limited else NO_USAGE,
        calls=await _calls(reads, thread.thread_id, refs, steps) if spec.code is not None else {},
        failed_steps=_failed(steps, refs),
        compensations=await compensations(reads, thread.thread_id, spec, asked.undo, steps),
        head_at=chain[-1].created_at,
    )


async def _calls(reads: Reads, thread_id: str, refs: Refs, own: Iterable[StepRecord]) -> dict[str, str]:
    """Where the step runs of the state and of the execution were called; one that was cancelled never was."""
    kept = await reads.steps(thread_id, ids=sorted(run for run, _ in refs.steps.values()), values=False)
    rows = [*kept, *(step for step in own if step.status is not StepStatus.CANCELLED)]
    return {row.step_id: row.call for row in rows if row.call is not None}


async def _parts(
    reads: Reads, thread_id: str, spec: WorkflowSpec, asked: Parameters, open_steps: Iterable[StepRecord]
) -> dict[str, KnownParts]:
    """What is known of the parts of steps that are open, or begin anew under an old key."""
    keys = {**asked.keys, **{step.step_id: step.key_execution_id for step in open_steps}}
    composite = {name: step for name in keys if (step := spec.by_id.get(name)) is not None and step.composite}
    return {name: await known_parts(reads, thread_id, keys[name], step) for name, step in composite.items()}


def _failed(steps: Iterable[StepRecord], refs: Refs) -> list[StepRecord]:
    """The step runs of an execution that failed for good; one after which the thread went on has its place in the state."""
    caught = {run for run, _ in refs.steps.values()}
    return [step for step in steps if step.status is StepStatus.FAILED and step.id not in caught]


def _failure(failed: Iterable[StepRecord]) -> ErrorInfo | None:
    """Why the first of them did."""
    first = min(failed, key=lambda step: step.completed_at or step.started_at or utc_now(), default=None)
    return None if first is None else error_from(first.error, first.step_id)


def asked_of(thread: ThreadRecord, execution: ExecutionRecord | None) -> Parameters:
    """What a thread's execution was asked for.  Raises Corrupt where its row does not tell."""
    if execution is None:
        raise Corrupt(thread.thread_id, integrity.check_input(None, thread.execution_id))
    try:
        return parameters.parse(execution.parameters)
    except (KeyError, ValueError, JsonError):
        problem = "what was asked of it cannot be read"
        finding = Finding(kind="missing", execution_id=execution.id, problem=problem, stored=execution.parameters)
        raise Corrupt(thread.thread_id, [finding]) from None


def begun(thread: ThreadRecord, checkpoints: Sequence[CheckpointRecord], execution_id: str) -> bool:
    """Whether the execution has written a version of its own, which holds what its parameters changed."""
    return any(c.version == thread.head_version and c.execution_id == execution_id for c in checkpoints)


async def reset(reads: Reads, at: tuple[str, int], refs: Refs, writer: ManifestWriter, asked: Parameters) -> None:
    """Take the steps that are to run again out of the state `at` a thread's version; a variable that they had set gets back
    what it was before them.
    """
    thread_id, version = at
    before = set(refs.context)
    refs.forget(asked.reset)
    lost = before - set(refs.context)
    if lost - asked.context.keys():
        versions = await reads.checkpoints(thread_id, last=version)
        integrity.refuse(thread_id, integrity.check_timeline(versions, version))
        earlier = context_of(versions, version, {run for run, _ in refs.steps.values()})
        refs.context |= {name: earlier[name] for name in lost if name in earlier}
    for step_id in asked.reset:
        writer.step(step_id)
    for name in lost:
        writer.context(name)


def set_literals(values: dict[str, Any], state: State, writer: ManifestWriter) -> None:
    """Set variables from outside; their values go into the next manifest."""
    for name, value in values.items():
        state.context[name] = value
        state.size_bytes += len(jsontext.dumps(value))
        writer.literal(name, value)


async def fill(
    reads: Reads, thread_id: str, refs: Refs, given: Collection[str] = (), *, known: ExecutionRecord | None = None
) -> State:
    """The state with its values, without those of the variables in `given`, which are about to be set."""
    values = await read_values(reads, thread_id, refs, given, known=known)
    integrity.refuse(thread_id, values.findings)
    size = sum(len(row.output or "") for row in values.rows.values())
    size += len((values.execution and values.execution.input) or "")
    return await off_loop(lambda: _filled(refs, values, given), size, BIG_JSON)


def _filled(refs: Refs, values: Values, given: Collection[str]) -> State:
    rows = values.rows
    input_text = (values.execution and values.execution.input) or "null"
    state = State(refs, {"input": jsontext.loads(input_text), "context": {}}, len(input_text))
    for step_id, (run, status) in refs.steps.items():
        state.scope[step_id] = {
            "output": _output(rows, run),
            "status": status.value,
            "error": _error(rows, run, status),
        }
    for name, (kind, ref) in refs.context.items():
        if name in given:
            state.context[name] = None
        else:
            state.context[name] = _output(rows, ref) if kind == "run" else refs.literals[ref, name]
    state.size_bytes += sum(len(row.output or "") for row in rows.values())
    return state


def _error(rows: dict[str, StepRecord], run: str, status: StepStatus) -> Any:
    row = rows.get(run)
    failed = status is StepStatus.FAILED and row is not None and row.error is not None
    return jsontext.loads(row.error) if failed and row is not None and row.error is not None else None


def _output(rows: dict[str, StepRecord], run: str) -> Any:
    row = rows.get(run)
    return None if row is None or row.output is None else jsontext.loads(row.output)
