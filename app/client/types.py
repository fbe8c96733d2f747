"""What the service answers to the client about threads, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Status: TypeAlias = Literal[
    "pending", "running", "waiting", "paused", "completed", "failed", "cancelled", "interrupted"
]
StepStatus: TypeAlias = Literal[
    "pending", "running", "retrying", "waiting", "completed", "failed", "skipped", "cancelled"
]


class AcceptedAnswer(TypedDict):
    """A start that is durable."""

    thread_id: str
    execution_id: str
    status: Status
    version: int
    durable: bool
    estimated_duration_ms: int | None
    links: Links
    resumed_from_version: NotRequired[int | None]


class AwaitedDocument(TypedDict):
    """The message on a topic, or the signal, that a step waits for."""

    topic: str | None
    signal: str | None
    match: str | None
    opened_at: str
    timeout_at: str | None


class BulkAnswer(TypedDict):
    """`thread_ids` are those that it was done with (in a dry run: would be). `more`: there are others; with `where`
    ask again with `next_cursor`, which is null too where none was begun with.
    """

    matched: int
    done: int
    refused: list[RefusedThread]
    more: bool
    next_cursor: str | None
    dry_run: bool
    thread_ids: list[str]


class ErrorDocument(TypedDict):
    """Why a step or a thread failed."""

    kind: str
    message: str
    step_id: NotRequired[str | None]
    retryable: NotRequired[bool]


class ForkDocument(TypedDict):
    """One thread that was made."""

    variant: str
    thread_id: str
    execution_id: str
    status: Status
    version: int
    links: Links


class ForkFailure(TypedDict):
    """A variant that was not made, and why: a code and a detail as in problem documents."""

    variant: str
    code: str
    detail: str


class ForkedAnswer(TypedDict):
    """The new threads; `version` is that of the source, and of each fork its own."""

    thread_id: str
    version: int
    forks: list[ForkDocument]
    failed: list[ForkFailure]
    durable: bool


class GateAnsweredAnswer(TypedDict):
    """An answer that is durable; `status` is the thread's."""

    thread_id: str
    execution_id: str
    step_id: str
    status: Status
    durable: bool
    links: Links


class Links(TypedDict):
    """Where to look next."""

    status: str
    stream: str
    history: str


class OriginDocument(TypedDict):
    """Where a fork comes from; `variant` is its name among those that were made with it."""

    thread_id: str
    version: int
    variant: str | None


class PreviewAnswer(TypedDict):
    """What a rollback would do; `undone` has the latest first. `status` is what the thread would be: pending, paused
    (then all this runs once it is resumed), completed. `compensations` are the steps that would be run first, to
    undo others.
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


class RefusedThread(TypedDict):
    """A thread that nothing was done with, and the problem that the route of one thread answers."""

    thread_id: str
    code: str
    detail: str


class ResumePreviewAnswer(TypedDict):
    """What a resume would do, step by step in the order of the document. `again` are the step runs whose steps would
    be done once more; `irreversible` those of them that cannot be undone. `skipped` would get the output that was
    sent, `kept` stay as they are. In a workflow in Python what comes after `would_run` is not known.
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


class ResumedAnswer(TypedDict):
    """A thread that goes on."""

    thread_id: str
    execution_id: str
    status: Status
    resumed_from_version: int
    durable: bool
    links: Links


class RolledBackAnswer(TypedDict):
    """A thread whose head has moved."""

    thread_id: str
    execution_id: str
    status: Status
    rolled_back_to_version: int
    rolled_back_from_version: int
    durable: bool
    links: Links


class StatusDocument(TypedDict):
    """Where a thread stands."""

    thread_id: str
    execution_id: str
    workflow: str
    workflow_version: int | None
    kind: Literal["invoke", "resume", "rollback", "fork", "migrate", "unknown"]
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


class StepDocument(TypedDict):
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
    gate: NotRequired[WaitingGate | None]
    waits_for: NotRequired[AwaitedDocument | None]
    agent_version: int | None
    usage: Usage | None


class UndoneStep(TypedDict):
    """One step run that a version does not hold; `compensate`: its step says what undoes it."""

    step_id: str
    run_id: str
    status: StepStatus
    agent: str | None
    effect: str | None
    compensate: bool


class Usage(TypedDict):
    """What it cost: tokens of models, and US dollars as far as prices are known."""

    input_tokens: int
    output_tokens: int
    cost_usd: float


class WaitingGate(TypedDict):
    """What a step asks that waits for an answer; a long `show` is told by its size and a preview."""

    round: int
    title: str | None
    show: Any
    form: dict[str, Any] | None
    assignees: list[str]
    timeout_at: str | None
