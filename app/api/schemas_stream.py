"""The answers about the events of one thread, beside its stream."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

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
