"""The answers about the events of one thread, beside its stream."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.schemas import ErrorDocument
from app.domain.status import Status


class ThreadEvent(BaseModel):
    """One event; in a `gap`, which stands for events that are not kept, some fields are null."""

    seq: int | None
    thread_id: str
    execution_id: str | None
    type: str
    event: str
    step_id: str | None
    attempt: int | None
    version: int | None
    at: str | None = None
    data: dict[str, Any]


class ThreadEventsAnswer(BaseModel):
    """Events in their order. `next_cursor` is where to go on; `done`: the thread has ended, and all of it was told."""

    thread_id: str
    status: Status
    events: list[ThreadEvent]
    next_cursor: int
    last_seq: int
    done: bool


class StreamTokenAnswer(BaseModel):
    """A token for a thread's stream; `stream` is the way with the token in it."""

    thread_id: str
    token: str
    expires_at: str
    stream: str


class Reason(BaseModel):
    """What holds a thread up; `until`: when that ends by itself, if it does. `topic` or `signal`: what is waited for."""

    reason: str
    step_id: str | None
    detail: str
    until: str | None = None
    error: ErrorDocument | None = None
    item: int | None = None
    round: int | None = None
    topic: str | None = None
    signal: str | None = None


class MonitoredThread(BaseModel):
    """A thread that has not ended. `stuck`: nothing moves, or nothing will without somebody's help."""

    thread_id: str
    workflow: str
    status: Status
    progress: float
    current_steps: list[str]
    queue: str
    started_at: str | None
    last_update: str
    idle_ms: int
    stuck: bool
    why: list[Reason]


class Ability(BaseModel):
    """Whether the service can work, and what keeps it from it."""

    able: bool
    detail: str | None


class MonitorAnswer(BaseModel):
    """`counts` are executions by status, counted up to 10,000; `more`: there are threads beyond the limit."""

    now: str
    counts: dict[str, int]
    service: Ability
    threads: list[MonitoredThread]
    more: bool
