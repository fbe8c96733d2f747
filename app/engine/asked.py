"""What a start asks for, held against the workflow and the thread that it names; and what a resume keeps of before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.domain import input_schema
from app.domain.errors import Conflict, InvalidInput, InvalidRequest
from app.domain.records import IdempotencyRecord
from app.domain.status import STEP_DONE

if TYPE_CHECKING:
    from app.domain.commands import StartCommand
    from app.domain.parameters import Parameters
    from app.domain.ports import Reads
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec


def check_input(spec: WorkflowSpec, command: StartCommand) -> None:
    """Raises InvalidInput where the workflow's input schema does not hold."""
    if spec.input_schema is not None:
        problems = input_schema.validate(spec.input_schema, command.input)
        if problems:
            raise InvalidInput(problems)


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


class Kept(NamedTuple):
    """What a resume keeps of step runs that began and did not complete, by step: their keys and their sessions."""

    keys: dict[str, str]
    sessions: dict[str, str]


async def unfinished(reads: Reads, old: ExecutionRecord, before: Parameters, exclude: set[str]) -> Kept:
    """Of the execution `old`, which was asked for `before`, and of those before it; nothing of the steps in `exclude`."""
    keys, sessions = dict(before.keys), dict(before.sessions)
    for row in await reads.steps(old.thread_id, execution_id=old.id, values=False):
        if row.status not in STEP_DONE:
            keys[row.step_id] = row.key_execution_id
            sessions |= {row.step_id: row.session_id} if row.session_id is not None else {}
    for step_id in exclude:
        keys.pop(step_id, None)
        sessions.pop(step_id, None)
    return Kept(keys, sessions)
