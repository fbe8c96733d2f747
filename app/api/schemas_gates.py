"""The answers about gates, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.schemas import Links
from app.domain.status import Status


class GateAnswer(BaseModel):
    """A gate. `item` is the place in a `for_each`, `round` counts the questions of one step."""

    thread_id: str
    step_id: str
    item: int | None
    round: int
    status: Literal["open", "answered", "timed_out", "closed"]
    title: str | None
    show: Any
    form: dict[str, Any] | None
    assignees: list[str]
    opened_at: str
    timeout_at: str | None
    answer: Any
    answered_by: str | None
    answered_at: str | None
    via: str | None


class GatesAnswer(BaseModel):
    """Gates, newest first; a long `show` or answer is told by its size and a preview."""

    gates: list[GateAnswer]
    next_cursor: str | None


class GateAnsweredAnswer(BaseModel):
    """An answer that is durable; `status` is the thread's."""

    thread_id: str
    execution_id: str
    step_id: str
    status: Status
    durable: bool
    links: Links
