"""The answers about threads as OpenAPI documents them; the documents themselves come from domain.views as ready bytes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.domain.status import Status, StepStatus

Kind = Literal["invoke", "resume", "rollback", "fork", "migrate", "unknown"]


class Links(BaseModel):
    """Where to look next."""

    status: str
    stream: str
    history: str


class AcceptedAnswer(BaseModel):
    """A start that is durable."""

    thread_id: str
    execution_id: str
    status: Status
    version: int
    durable: bool
    estimated_duration_ms: int | None
    links: Links
    resumed_from_version: int | None = None


class ResumedAnswer(BaseModel):
    """A thread that goes on."""

    thread_id: str
    execution_id: str
    status: Status
    resumed_from_version: int
    durable: bool
    links: Links


class RolledBackAnswer(BaseModel):
    """A thread whose head has moved."""

    thread_id: str
    execution_id: str
    status: Status
    rolled_back_to_version: int
    rolled_back_from_version: int
    durable: bool
    links: Links


class ErrorDocument(BaseModel):
    """Why a step or a thread failed."""

    kind: str
    message: str
    step_id: str | None = None
    retryable: bool = False


class WaitingGate(BaseModel):
    """What a step asks that waits for an answer; a long `show` is told by its size and a preview."""

    round: int
    title: str | None
    show: Any
    form: dict[str, Any] | None
    assignees: list[str]
    timeout_at: str | None


class AwaitedDocument(BaseModel):
    """The message on a topic, or the signal, that a step waits for."""

    topic: str | None
    signal: str | None
    match: str | None
    opened_at: str
    timeout_at: str | None


class Usage(BaseModel):
    """What it cost: tokens of models, and US dollars as far as prices are known."""

    input_tokens: int
    output_tokens: int
    cost_usd: float


class StepDocument(BaseModel):
    """One step of a thread."""

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
    gate: WaitingGate | None = None
    waits_for: AwaitedDocument | None = None
    agent_version: int | None
    usage: Usage | None


class OriginDocument(BaseModel):
    """Where a fork comes from; `variant` is its name among those that were made with it."""

    thread_id: str
    version: int
    variant: str | None


class StatusDocument(BaseModel):
    """Where a thread stands."""

    thread_id: str
    execution_id: str
    workflow: str
    workflow_version: int | None
    kind: Kind
    status: Status
    version: int
    last_seq: int
    current_step: str | None
    completed_steps: list[str]
    progress: float
    steps: list[StepDocument]
    output: Any
    error: ErrorDocument | None
    last_update: str
    started_at: str | None
    completed_at: str | None
    usage: Usage
    forked_from: OriginDocument | None


class StateSummary(BaseModel):
    """What a version's state holds."""

    num_agent_results: int
    context_keys: list[str]


class HistoryEntry(BaseModel):
    """One version; a `hidden` one is shown as the head only, or when all are asked for, and says so."""

    version: int
    parent_version: int | None
    created_at: str
    current_step: str
    completed_steps: list[str]
    state_summary: StateSummary
    execution_id: str
    trigger: str
    progress: float
    size_bytes: int
    on_timeline: bool
    hidden: bool = False


class CheckpointAnswer(BaseModel):
    """The version that is shown from now on."""

    thread_id: str
    version: int


class HistoryAnswer(BaseModel):
    """A page of a thread's versions, oldest first."""

    thread_id: str
    head_version: int
    history: list[HistoryEntry]
    next_cursor: str | None


class StateValues(BaseModel):
    """The whole state at a version."""

    input: Any
    context: dict[str, Any]
    steps: dict[str, Any]
    metadata: dict[str, Any]


class VersionAnswer(HistoryEntry):
    """One version with its state."""

    thread_id: str
    state: StateValues


class ExecutionEntry(BaseModel):
    """One drive of a thread."""

    id: str
    workflow_id: str | None
    workflow: str
    workflow_version: int | None
    thread_id: str
    kind: Kind
    status: Status
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    triggered_by: str | None
    external_run_id: str | None


class ExecutionsAnswer(BaseModel):
    """A page of executions, newest first; `total` counts up to 10,000."""

    executions: list[ExecutionEntry]
    total: int
    next_cursor: str | None


class ExecutionValues(ExecutionEntry):
    """One execution with its values."""

    input: Any
    output: Any
    context: dict[str, Any] | None
    parameters: dict[str, Any] | None


class StepRunDocument(BaseModel):
    """One step run of an execution; `id` is the run's, `name` the step's."""

    id: str
    name: str
    index: int
    status: StepStatus
    agent: str | None
    variant: str | None
    attempt: int
    input: Any
    output: Any
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    retry_count: int
    session_id: str | None
    reused: bool
    agent_version: int | None
    usage: Usage | None


class ExecutionCounts(BaseModel):
    """How many steps there are, and how many of them ended how."""

    total_steps: int
    completed_steps: int
    failed_steps: int
    skipped_steps: int


class ExecutionAnswer(BaseModel):
    """One execution with its step runs."""

    execution: ExecutionValues
    steps: list[StepRunDocument]
    metadata: ExecutionCounts
