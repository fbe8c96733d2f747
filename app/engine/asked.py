"""What a start asks for, held against the workflow and against the thread that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import input_schema
from app.domain.errors import Conflict, InvalidInput, InvalidRequest
from app.domain.records import IdempotencyRecord

if TYPE_CHECKING:
    from app.domain.commands import StartCommand
    from app.domain.records import ThreadRecord
    from app.domain.spec import WorkflowSpec


def check_input(spec: WorkflowSpec, command: StartCommand) -> None:
    """Raises InvalidInput where the workflow's input schema does not hold."""
    if spec.input_schema is not None:
        problems = input_schema.validate(spec.input_schema, command.input)
        if problems:
            raise InvalidInput(problems)


def fitting(spec: WorkflowSpec, command: StartCommand) -> StartCommand:
    """The start of a new thread with the input that counts: {} where none was sent and the schema wants an object.

    Raises InvalidInput.
    """
    if command.omits_input and spec.input_schema is not None and input_schema.validate(spec.input_schema, None):
        command = replace(command, input={})
    check_input(spec, command)
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
