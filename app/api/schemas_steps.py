"""The answers about what steps are done in, what they cost, and what a rollback would undo of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.schemas import ErrorDocument
from app.domain.status import StepStatus


class UndoneStep(BaseModel):
    """One step run that a version does not hold; `compensate`: its step says what undoes it."""

    step_id: str
    run_id: str
    status: StepStatus
    agent: str | None
    effect: str | None
    compensate: bool


class PreviewAnswer(BaseModel):
    """What a rollback would do; the latest first."""

    thread_id: str
    from_version: int
    to_version: int
    undone: list[UndoneStep]
    irreversible: list[str]
    runs_again: list[str]


class ItemDocument(BaseModel):
    """An item of a `for_each` or an iteration of a `repeat`."""

    index: int
    status: StepStatus
    attempt: int
    retry_count: int
    agent: str | None
    agent_version: int | None
    session_id: str | None
    output: Any
    error: ErrorDocument | None
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None


class ItemCounts(BaseModel):
    """How many items have ended how; `open` have begun and wait, `total` is null where it is not known."""

    total: int | None
    completed: int
    failed: int
    open: int


class ItemsAnswer(BaseModel):
    """A page of the items of a step's present run."""

    thread_id: str
    step_id: str
    run_id: str | None
    status: StepStatus
    counts: ItemCounts
    items: list[ItemDocument]
    next_cursor: str | None


class ItemAnswer(ItemDocument):
    """One item, with its whole output."""

    thread_id: str
    step_id: str
    run_id: str


class Spent(BaseModel):
    """What so many step runs have cost together."""

    step_runs: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class UsageEntry(Spent):
    """One sum, with what it is summed by."""

    day: str | None = None
    workflow: str | None = None
    agent: str | None = None


class UsageAnswer(BaseModel):
    """Sums of what step runs that have ended have cost."""

    by: list[str]
    since: str | None
    until: str | None
    usage: list[UsageEntry]
    total: Spent
    next_cursor: str | None
