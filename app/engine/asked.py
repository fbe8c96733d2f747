"""What a start asks for, held against the workflow and the thread that it names; and what a resume keeps of before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from app.domain import input_schema, integrity, jsontext
from app.domain.commands import ResumeCommand
from app.domain.errors import Conflict, Corrupt, InvalidInput, InvalidRequest
from app.domain.ports import ExecutionFilter
from app.domain.records import IdempotencyRecord
from app.domain.status import STEP_DONE, Status, StepStatus
from app.engine.load import asked_of
from app.engine.parts import ITEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.commands import StartCommand
    from app.domain.errors import Problem
    from app.domain.parameters import Parameters
    from app.domain.ports import Reads
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs


async def misfits(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """As input_schema.validate; a heavy value in a thread: the event loop must not stand still for it."""
    if input_schema.is_heavy(value):
        return await asyncio.to_thread(input_schema.validate, schema, value)
    return input_schema.validate(schema, value)


async def check_input(spec: WorkflowSpec, command: StartCommand) -> None:
    """Raises InvalidInput where the workflow's input schema does not hold."""
    if spec.input_schema is not None:
        problems = await misfits(spec.input_schema, command.input)
        if problems:
            raise InvalidInput(problems)


async def fitting(spec: WorkflowSpec, command: StartCommand) -> StartCommand:
    """The start of a new thread with the input that counts: {} where none was sent and the schema wants an object.

    Raises InvalidInput.
    """
    if command.omits_input and spec.input_schema is not None and input_schema.validate(spec.input_schema, None):
        command = replace(command, input={})
    await check_input(spec, command)
    return command


def check_place(command: StartCommand, thread: ThreadRecord) -> None:
    """A thread waits where it was born.  Raises Conflict for another queue or priority, InvalidRequest for a delay."""
    if command.queue not in (None, thread.queue) or command.priority not in (None, thread.priority):
        raise Conflict(
            f"thread {thread.thread_id} is in the queue {thread.queue} with the priority {thread.priority}",
            code="thread_exists",
        )
    if command.delay > 0:
        raise InvalidRequest(f"delay: thread {thread.thread_id} exists, only a new one can be delayed")


def key_of(command: StartCommand, thread: ThreadRecord) -> IdempotencyRecord | None:
    """The command's Idempotency-Key, if it has one, for what it does with an existing thread."""
    if command.idempotency_key is None:
        return None
    return IdempotencyRecord(
        key=command.idempotency_key,
        tenant=command.tenant,
        request_sha256=command.request_sha256,
        thread_id=thread.thread_id,
        execution_id=thread.execution_id,
    )


def going_on(command: StartCommand, thread: ThreadRecord) -> ResumeCommand:
    """What a start without an input asks of an existing thread."""
    return ResumeCommand(thread_id=thread.thread_id, triggered_by=command.triggered_by, webhook=command.webhook)


async def present(reads: Reads, thread: ThreadRecord, *, stand_in: bool = False) -> ExecutionRecord:
    """A thread's execution; where its row is gone an older one may `stand_in`, which tells what it was of.  Raises Corrupt."""
    thread_id, name = thread.thread_id, thread.execution_id
    execution = await reads.execution(name)
    if execution is None and stand_in:
        for older in await reads.executions(ExecutionFilter(thread_id=thread_id, limit=1)):
            asked: dict[str, Any] = {"parameters": None, "input": None, "input_sha256": None}
            execution = replace(older, id=name, status=thread.status, **asked)
    if execution is None:
        raise Corrupt(thread_id, integrity.check_input(None, name))
    return execution


class Kept(NamedTuple):
    """What a resume keeps of step runs that began and did not complete, by step: their keys, their sessions and which
    lists their items are of; and what is still to be undone."""

    keys: dict[str, str]
    sessions: dict[str, str]
    marks: dict[str, str]
    undo: tuple[tuple[str, str], ...]


async def unfinished(reads: Reads, old: ExecutionRecord, before: Parameters, exclude: set[str]) -> Kept:
    """Of the execution `old`, which was asked for `before`, and of those before it; nothing of the steps in `exclude`."""
    keys, sessions, marks = dict(before.keys), dict(before.sessions), dict(before.marks)
    rows = await reads.steps(old.thread_id, execution_id=old.id, values=False)
    for row in rows:
        if row.status not in STEP_DONE:
            keys[row.step_id] = row.key_execution_id
            sessions |= {row.step_id: row.session_id} if row.session_id is not None else {}
            marks |= {row.step_id: row.call} if row.call is not None and row.call.startswith(ITEMS) else {}
    for step_id in exclude:
        for kept in (keys, sessions, marks):
            kept.pop(step_id, None)
    undone = {row.step_id for row in rows if row.status in STEP_DONE}
    return Kept(keys, sessions, marks, tuple(pair for pair in before.undo if f"{pair[0]}.undo" not in undone))


async def downstream_of(
    reads: Reads, thread: ThreadRecord, spec: WorkflowSpec, refs: Refs, step_id: str | None
) -> set[str]:
    """The step, if any, and all that depends on it; in a workflow in Python, all called after it.  Raises InvalidRequest."""
    if step_id is None:
        return set()
    if spec.code is None:
        return spec.plan.downstream([step_id])
    runs = await reads.steps(thread.thread_id, ids=sorted(run for run, _ in refs.steps.values()), values=False)
    first = next((run.step_index for run in runs if run.step_id == step_id), None)
    if first is None:
        raise InvalidRequest(f"no step {step_id} has ended in thread {thread.thread_id}", code="step_not_found")
    return {run.step_id for run in runs if run.step_index >= first}


def failed_call(thread: ThreadRecord, old: ExecutionRecord, spec: WorkflowSpec, refs: Refs) -> str | None:
    """The step whose failure a workflow in Python had caught, gone on after, and ended with all the same."""
    if spec.code is None or thread.status is not Status.FAILED or old.error is None:
        return None
    step_id: str | None = jsontext.loads(old.error).get("step_id")
    known = refs.steps.get(step_id or "")
    return step_id if known is not None and known[1] is StepStatus.FAILED else None


async def owed_by(reads: Reads, thread: ThreadRecord, old: ExecutionRecord) -> tuple[tuple[str, str], ...]:
    """What an earlier rollback was to undo and has not; nothing where that cannot be told any more."""
    try:
        before = asked_of(thread, old)
    except Corrupt:
        return ()
    return (await unfinished(reads, old, before, exclude=set())).undo if before.undo else ()
