"""What the service lists and shows to the client, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from app.client.types import ErrorDocument, Status, StepStatus, Usage


class ExecutionAnswer(TypedDict):
    """One execution with its step runs."""

    execution: ExecutionValues
    steps: list[StepRunDocument]
    metadata: ExecutionCounts


class ExecutionCounts(TypedDict):
    """How many steps there are, and how many of them ended how."""

    total_steps: int
    completed_steps: int
    failed_steps: int
    skipped_steps: int


class ExecutionEntry(TypedDict):
    """One drive of a thread."""

    id: str
    workflow_id: str | None
    workflow: str
    workflow_version: int | None
    thread_id: str
    kind: Literal["invoke", "resume", "rollback", "fork", "migrate", "unknown"]
    status: Status
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    triggered_by: str | None
    external_run_id: str | None


class ExecutionValues(TypedDict):
    """One execution with its values."""

    id: str
    workflow_id: str | None
    workflow: str
    workflow_version: int | None
    thread_id: str
    kind: Literal["invoke", "resume", "rollback", "fork", "migrate", "unknown"]
    status: Status
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    error: ErrorDocument | None
    triggered_by: str | None
    external_run_id: str | None
    input: Any
    output: Any
    context: dict[str, Any] | None
    parameters: dict[str, Any] | None


class GateAnswer(TypedDict):
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


class HistoryEntry(TypedDict):
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
    hidden: NotRequired[bool]


class OpenStep(TypedDict):
    """A step that has begun and not ended. `waits`: what for, where that is known."""

    id: str
    status: StepStatus
    agent: str | None
    attempt: int
    started_at: str | None
    next_attempt_at: str | None
    waits: Literal["gate", "message", "signal", "child", "sleep"] | None


class StateSummary(TypedDict):
    """What a version's state holds."""

    num_agent_results: int
    context_keys: list[str]


class StateValues(TypedDict):
    """The whole state at a version."""

    input: Any
    context: dict[str, Any]
    steps: dict[str, Any]
    metadata: dict[str, Any]


class StepRunAnswer(TypedDict):
    """One run of a step, or a step that has not begun (then `run_id` is null). `current`: it counts for the thread
    now. `input` and `output` are missing with `values=false`. `call` is the place of the call in a workflow in
    Python. `runs` are its other runs, newest first, `more_runs` whether there are more than these.
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
    input: NotRequired[Any]
    output: NotRequired[Any]


class StepRunDocument(TypedDict):
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


class StepRunEntry(TypedDict):
    """Another run of a step; `reused`: not by the execution that is asked for."""

    id: str
    execution_id: str
    status: StepStatus
    attempt: int
    started_at: str | None
    completed_at: str | None
    reused: bool


class ThreadCountsAnswer(TypedDict):
    """Threads by status, each counted up to `capped_at`; `whole` false: more than are looked at might have been
    counted.
    """

    counts: dict[str, int]
    total: int
    capped_at: int
    whole: bool


class ThreadEntry(TypedDict):
    """A thread by its present execution, whose times these are. `open` are the first five steps that have begun and
    not ended, `open_more` how many more there are; `steps_total` is null for a workflow in Python.
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


class VersionAnswer(TypedDict):
    """One version with its state."""

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
    hidden: NotRequired[bool]
    thread_id: str
    state: StateValues


class WaitAnswer(TypedDict):
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
