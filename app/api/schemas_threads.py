"""The answers about threads as a list, and about what was asked of many at once."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from app.api.schemas import ErrorDocument, Usage
from app.domain.status import Status, StepStatus


class OpenStep(BaseModel):
    """A step that has begun and not ended. `waits`: what for, where that is known."""

    id: str
    status: StepStatus
    agent: str | None
    attempt: int
    started_at: str | None
    next_attempt_at: str | None
    waits: Literal["gate", "message", "signal", "child", "sleep"] | None


class ThreadEntry(BaseModel):
    """A thread by its present execution, whose times these are. `open` are the first five steps that have begun and not
    ended, `open_more` how many more there are; `steps_total` is null for a workflow in Python.
    """

    thread_id: str
    execution_id: str
    workflow: str
    workflow_version: int | None
    kind: str
    status: Status
    version: int
    last_seq: int
    title: str | None
    steps_total: int | None
    steps_done: int
    progress: float
    open: list[OpenStep]
    open_more: int
    error: ErrorDocument | None
    usage: Usage | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    updated_at: str
    triggered_by: str | None
    parent_thread_id: str | None


class ThreadsAnswer(BaseModel):
    """Threads, newest first. A page may be short, or empty: only `next_cursor` null is the end."""

    threads: list[ThreadEntry]
    next_cursor: str | None


class ThreadCountsAnswer(BaseModel):
    """Threads by status, each counted up to `capped_at`; `whole` false: more than are looked at might have been counted."""

    counts: dict[str, int]
    total: int
    capped_at: int
    whole: bool


class RefusedThread(BaseModel):
    """A thread that nothing was done with, and the problem that the route of one thread answers."""

    thread_id: str
    code: str
    detail: str


class BulkAnswer(BaseModel):
    """`thread_ids` are those that it was done with (in a dry run: would be). `more`: there are others; with `where` ask
    again with `next_cursor`, which is null too where none was begun with.
    """

    matched: int
    done: int
    refused: list[RefusedThread]
    more: bool
    next_cursor: str | None
    dry_run: bool
    thread_ids: list[str]
