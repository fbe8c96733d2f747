"""The answers of the lists to look back with: events, timelines, log entries."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.schemas import ErrorDocument
from app.domain.status import Status, StepStatus


class EventDocument(BaseModel):
    """One event of a thread."""

    seq: int
    thread_id: str
    execution_id: str
    type: str
    event: str
    step_id: str | None
    attempt: int | None
    version: int
    at: str
    data: dict[str, Any]
    workflow: str


class EventsAnswer(BaseModel):
    """A page of events; `next_cursor` is null at the end, `cursor` is where whoever follows goes on, at the end too."""

    events: list[EventDocument]
    next_cursor: str | None
    cursor: str


class Span(BaseModel):
    """What something was at, from when to when; one that goes on has no `ended_at`, and has lasted until now."""

    state: str
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None
    attempt: int | None = None
    outcome: str | None = None
    waits_for: str | None = None
    recovered: bool | None = None
    error: ErrorDocument | None = None


class ExecutionSpans(BaseModel):
    """An execution; `waiting`: it holds no slot now."""

    execution_id: str
    kind: str
    status: Status
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None
    waiting: bool
    spans: list[Span]


class ItemSpan(BaseModel):
    """An item or an iteration, from its first attempt to its end."""

    index: int
    status: StepStatus
    agent: str | None
    attempt: int
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None


class RunSpans(BaseModel):
    """A step run."""

    step_id: str
    run_id: str
    execution_id: str
    step_index: int
    kind: str | None
    agent: str | None
    status: StepStatus
    attempt: int
    error: ErrorDocument | None
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None
    spans: list[Span]
    items: list[ItemSpan]


class TimelineAnswer(BaseModel):
    """A page of a thread's timeline; `whole`: no event was left out of it because there are too many."""

    thread_id: str
    status: Status
    now: str
    executions: list[ExecutionSpans]
    steps: list[RunSpans]
    whole: bool
    next_cursor: str | None


class LogDocument(BaseModel):
    """One log entry; `process` is the incarnation that said it."""

    id: str
    at: str
    level: str
    logger: str
    message: str
    thread_id: str | None
    execution_id: str | None
    workflow: str | None
    step_id: str | None
    index: int | None
    attempt: int | None
    agent: str | None
    context: Any
    process: str | None


class LogsAnswer(BaseModel):
    """A page of log entries; `dropped` are those of this process that could not be kept, since it started."""

    logs: list[LogDocument]
    dropped: int
    next_cursor: str | None
