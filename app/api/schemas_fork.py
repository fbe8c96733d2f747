"""The answers about forks and comparisons, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.schemas import ErrorDocument, Kind, Links, OriginDocument, Usage
from app.domain.status import Status, StepStatus


class ForkDocument(BaseModel):
    """One thread that was made."""

    variant: str
    thread_id: str
    execution_id: str
    status: Status
    version: int
    links: Links


class ForkFailure(BaseModel):
    """A variant that was not made, and why: a code and a detail as in problem documents."""

    variant: str
    code: str
    detail: str


class ForkedAnswer(BaseModel):
    """The new threads; `version` is that of the source, and of each fork its own."""

    thread_id: str
    version: int
    forks: list[ForkDocument]
    failed: list[ForkFailure]
    durable: bool


class SideSteps(BaseModel):
    """How the steps of an execution stand; `reused`: kept from before it."""

    total: int
    completed: int
    failed: int
    skipped: int
    reused: int


class ComparedExecution(BaseModel):
    """One side; `steps_ms`, `attempts` and `usage` are of its own step runs, not of those kept from before."""

    execution_id: str
    thread_id: str
    workflow: str
    workflow_version: int | None
    kind: Kind
    status: Status
    version: int | None
    forked_from: OriginDocument | None
    started_at: str | None
    completed_at: str | None
    error: ErrorDocument | None
    duration_ms: int | None
    steps_ms: int
    attempts: int
    usage: Usage | None
    steps: SideSteps


class Ancestor(BaseModel):
    """The newest version that both came from."""

    thread_id: str
    version: int


class Difference(BaseModel):
    """What `b` took more than `a`; null where either is not known."""

    duration_ms: int | None
    steps_ms: int
    attempts: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


class ComparedValues(BaseModel):
    """Two values; `a`, `b` and the RFC 6902 `patch` from one to the other where they differ, unless `omitted` says why not."""

    equal: bool | None
    a: Any
    b: Any
    patch: list[dict[str, Any]] | None
    omitted: Literal["too_large", "damaged", "not_written"] | None


class ComparedRun(BaseModel):
    """A step on one side."""

    status: StepStatus
    agent: str | None
    agent_version: int | None
    variant: str | None
    attempt: int
    retry_count: int
    duration_ms: int | None
    usage: Usage | None
    reused: bool
    error: ErrorDocument | None


class ComparedStep(BaseModel):
    """A step on both sides; null where the workflow has none of that name."""

    id: str
    a: ComparedRun | None
    b: ComparedRun | None
    output: ComparedValues


class CompareAnswer(BaseModel):
    """Two executions side by side."""

    a: ComparedExecution
    b: ComparedExecution
    ancestor: Ancestor | None
    difference: Difference
    steps: list[ComparedStep]
    input: ComparedValues
    context: ComparedValues
    output: ComparedValues
