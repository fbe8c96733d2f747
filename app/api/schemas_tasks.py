"""The answers about single tasks, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.schemas import ErrorDocument, Usage
from app.domain.status import Status


class TaskLinks(BaseModel):
    """Where to look next; `thread` is the task as the thread that it is."""

    task: str
    stream: str
    thread: str


class TaskAccepted(BaseModel):
    """A task that is durable."""

    task_id: str
    execution_id: str
    status: Status
    durable: bool
    links: TaskLinks


class TaskDocument(BaseModel):
    """Where a task stands; `output` once it has completed."""

    task_id: str
    execution_id: str
    agent: str | None
    status: Status
    output: Any
    error: ErrorDocument | None
    attempts: int
    session_id: str | None
    started_at: str | None
    completed_at: str | None
    last_update: str
    duration_ms: int | None
    usage: Usage
    links: TaskLinks


class TaskEntry(BaseModel):
    """One line of the list."""

    task_id: str
    execution_id: str
    agent: str | None
    status: Status
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    triggered_by: str | None
    external_run_id: str | None


class TasksAnswer(BaseModel):
    """A page of tasks, newest first; it may hold fewer than asked for before the last one."""

    tasks: list[TaskEntry]
    next_cursor: str | None
