"""The answers about waits and signals, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.schemas import ErrorDocument, Links
from app.domain.status import Status


class WaitAnswer(BaseModel):
    """A wait: for a message on `topic` (or a pattern) that fits `match`, or for a `signal`; exactly one of the two."""

    thread_id: str
    step_id: str
    item: int | None
    round: int
    status: Literal["open", "taken", "timed_out", "failed", "closed"]
    topic: str | None
    signal: str | None
    match: str | None
    opened_at: str
    timeout_at: str | None
    message: Any
    by: str | None
    taken_at: str | None
    via: str | None
    error: ErrorDocument | None


class WaitsAnswer(BaseModel):
    """Waits, newest first; a long message is told by its size and a preview."""

    waits: list[WaitAnswer]
    next_cursor: str | None


class TakerAnswer(BaseModel):
    """The step that took a signal."""

    step_id: str
    item: int | None
    round: int


class SignalAnswer(BaseModel):
    """A signal; `number` counts those of its thread."""

    thread_id: str
    number: int
    name: str
    value: Any
    by: str | None
    sent_at: str
    status: Literal["pending", "taken"]
    taken_at: str | None
    taken_by: TakerAnswer | None


class SignalsAnswer(BaseModel):
    """Signals of a thread, oldest first; a long value is told by its size and a preview."""

    signals: list[SignalAnswer]
    next_cursor: str | None


class SignalSentAnswer(BaseModel):
    """A signal that is durable; `taken`: whether a step was waiting for it; `status` is the thread's."""

    thread_id: str
    execution_id: str
    name: str
    number: int
    taken: bool
    status: Status
    durable: bool
    links: Links
