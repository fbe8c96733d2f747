"""The answers about what steps are done in, what they cost, and what a rollback would undo of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.schemas import ErrorDocument, Usage
from app.api.schemas_gates import GateAnswer
from app.api.schemas_waits import WaitAnswer
from app.domain.status import Status, StepStatus


class UndoneStep(BaseModel):
    """One step run that a version does not hold; `compensate`: its step says what undoes it."""

    step_id: str
    run_id: str
    status: StepStatus
    agent: str | None
    effect: str | None
    compensate: bool


class PreviewAnswer(BaseModel):
    """What a rollback would do; `undone` has the latest first.

    `status` is what the thread would be: pending, paused (then all this runs once it is resumed), completed. `compensations`
    are the steps that would be run first, to undo others.
    """

    thread_id: str
    from_version: int
    to_version: int
    status: Status
    undone: list[UndoneStep]
    irreversible: list[str]
    compensations: list[str]
    kept: list[str]
    runs_again: list[str]


class ResumePreviewAnswer(BaseModel):
    """What a resume would do, step by step in the order of the document.

    `again` are the step runs whose steps would be done once more; `irreversible` those of them that cannot be undone.
    `skipped` would get the output that was sent, `kept` stay as they are. In a workflow in Python what comes after
    `would_run` is not known.
    """

    thread_id: str
    status: Status
    resumed_from_version: int
    would_run: list[str]
    kept: list[str]
    skipped: list[str]
    compensations: list[str]
    again: list[UndoneStep]
    irreversible: list[str]


class StepRunEntry(BaseModel):
    """Another run of a step; `reused`: not by the execution that is asked for."""

    id: str
    execution_id: str
    status: StepStatus
    attempt: int
    started_at: str | None
    completed_at: str | None
    reused: bool


class StepRunAnswer(BaseModel):
    """One run of a step, or a step that has not begun (then `run_id` is null).

    `current`: it counts for the thread now. `input` and `output` are missing with `values=false`. `call` is the place of
    the call in a workflow in Python. `runs` are its other runs, newest first, `more_runs` whether there are more than these.
    """

    thread_id: str
    id: str
    index: int
    status: StepStatus
    agent: str | None
    variant: str | None
    attempt: int
    retry_count: int
    session_id: str | None
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    reused: bool
    agent_version: int | None
    usage: Usage | None
    run_id: str | None
    execution_id: str | None
    current: bool
    kind: str | None
    effect: str | None
    compensates: str | None
    call: str | None
    next_attempt_at: str | None
    gate: GateAnswer | None
    wait: WaitAnswer | None
    input_bytes: int | None
    output_bytes: int | None
    runs: list[StepRunEntry]
    more_runs: bool
    input: Any = None
    output: Any = None


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
