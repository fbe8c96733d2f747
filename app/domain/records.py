"""The rows that the journal keeps, as values: what a transition writes and what readers get back.

Identifiers are text, times are aware UTC datetimes, JSON documents are JSON text unless a name says `value`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from app.domain.status import Status, StepStatus


@dataclass(slots=True, kw_only=True)
class WorkflowRecord:
    """A stored definition.  `version` is None for an ad hoc document, which nobody can start by name."""

    id: str
    tenant: str = "default"
    name: str
    version: int | None
    hash: str
    document: str
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class ThreadRecord:
    """A thread's narrow row: who drives it and where it stands.

    `epoch` is the fencing token, `rev` the driver's own counter of transitions: a write must name both.
    `head_version` is where the thread is, `last_version` the highest ever given, `last_seq` its newest event's.
    `wake_at` is when anybody may take it up (None: driven, ended, paused, or waiting until it is woken); `signal` is a wish
    that its driver must see.
    `recoveries` counts those in a row in which a step had started and nothing came of it.
    """

    thread_id: str
    tenant: str = "default"
    definition_id: str
    execution_id: str
    status: Status
    epoch: int
    rev: int
    incarnation_id: str | None
    head_version: int
    last_version: int
    last_seq: int
    wake_at: datetime | None = None
    signal: str | None = None
    queue: str = "default"
    priority: int = 0
    recoveries: int = 0
    parent_thread_id: str | None = None
    parent_run_id: str | None = None
    created_at: datetime
    updated_at: datetime


WITH_INPUT: Final = frozenset({"invoke", "fork"})
"""Kinds of execution that hold an input of their own, of whatever length; others refer to it."""


@dataclass(slots=True, kw_only=True)
class ExecutionRecord:
    """One drive of a thread.  `parameters`: what resume, rollback or fork asked for (see domain.parameters)."""

    id: str
    thread_id: str
    tenant: str = "default"
    workflow_id: str | None
    workflow_name: str
    workflow_version: int | None
    kind: str
    status: Status
    input: str | None
    input_sha256: bytes | None
    parameters: str | None = None
    triggered_by: str | None = None
    external_run_id: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: str | None = None
    context: str | None = None
    error: str | None = None
    output_sha256: bytes | None = None


@dataclass(slots=True, kw_only=True)
class ExecutionUpdate:
    """What a transition changes on an execution; None leaves a column as it is."""

    id: str
    status: Status
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: str | None = None
    output_sha256: bytes | None = None
    context: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What work has cost: tokens in and out, and US dollars as far as the price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    def bounded(self) -> Usage:
        """What can be counted of it: whoever told it may be wrong, and a sum of it must stay a number and never shrink."""
        return Usage(
            input_tokens=_count(self.input_tokens),
            output_tokens=_count(self.output_tokens),
            cost_usd=min(self.cost_usd, _MOST) if math.isfinite(self.cost_usd) and self.cost_usd > 0 else 0.0,
        )

    def value(self) -> dict[str, Any]:
        """As the contract writes it."""
        return {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens, "cost_usd": self.cost_usd}


NO_USAGE: Final = Usage()
_MOST: Final = 1_000_000_000
"""Tokens, and dollars, that one report may tell of."""


def _count(tokens: Any) -> int:
    return min(tokens, _MOST) if isinstance(tokens, int) and tokens > 0 else 0


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """A step run, one row of workflow_steps.

    `key_execution_id` is the execution in the idempotency key: the one that first started this step run.
    `output` is stored here and nowhere else; manifests refer to `id`.  `agent_version` is that of the last attempt's agent,
    `variant` which of the step's variants was chosen; `call` is where and as what a Python workflow called it.
    """

    id: str
    thread_id: str
    execution_id: str
    key_execution_id: str
    step_id: str
    step_index: int
    status: StepStatus
    agent: str | None = None
    agent_version: int | None = None
    variant: str | None = None
    call: str | None = None
    attempt: int = 1
    retry_count: int = 0
    input: str | None = None
    output: str | None = None
    output_sha256: bytes | None = None
    error: str | None = None
    session_id: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_ms: int | None = None
    next_attempt_at: datetime | None = None
    usage: Usage | None = None


@dataclass(slots=True, kw_only=True)
class StepUpdate:
    """What a transition changes on an open step run; `usage` is what it has cost so far in all."""

    id: str
    status: StepStatus
    attempt: int
    retry_count: int
    agent_version: int | None = None
    usage: Usage | None = None
    output: str | None = None
    output_sha256: bytes | None = None
    error: str | None = None
    session_id: str | None = None
    completed_at: datetime | None = None
    duration_ms: int | None = None
    next_attempt_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class ItemRecord:
    """One item of a `for_each`, or one iteration of a `repeat`: written when it ends, waits or is to be tried again.

    It belongs to the step's idempotency key and outlives the step run: a resume finds the items that had completed.
    """

    key_execution_id: str
    step_id: str
    item: int
    status: StepStatus
    attempt: int = 1
    retry_count: int = 0
    agent: str | None = None
    agent_version: int | None = None
    output: str | None = None
    output_sha256: bytes | None = None
    error: str | None = None
    session_id: str | None = None
    started_at: datetime
    completed_at: datetime | None = None
    next_attempt_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class PartMarks:
    """How far a step is that is done in parts: the places that have ended, ascending, and the parts that have begun and not."""

    completed: list[int] = field(default_factory=list[int])
    failed: list[int] = field(default_factory=list[int])
    open: list[ItemRecord] = field(default_factory=list[ItemRecord])


@dataclass(slots=True, kw_only=True)
class NoteRecord:
    """What an attempt remembered (see StepContext.remember); `item` is -1 outside of items, `place` their order."""

    key_execution_id: str
    step_id: str
    item: int
    place: int
    name: str
    value: str
    sha256: bytes
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class CheckpointRecord:
    """The state of a thread at a version, as a manifest (see domain.state).

    `step_id` is the step that wrote it, START or END.  `base_version` is the nearest full manifest on its timeline
    (itself when full).  `size_bytes` is that of the whole state's values.  A `hidden` one serves recovery only.
    """

    thread_id: str
    version: int
    parent_version: int | None
    base_version: int
    execution_id: str
    step_id: str
    trigger: str
    manifest: str
    sha256: bytes
    size_bytes: int
    progress: float
    created_at: datetime
    hidden: bool = False
    format: int = 1


@dataclass(slots=True, kw_only=True)
class IncarnationRecord:
    """One life of one serving process.  `process` tells whether its owner is provably dead on this host."""

    id: str
    host: str
    process: str
    started_at: datetime
    heartbeat_at: datetime


@dataclass(slots=True, kw_only=True)
class IdempotencyRecord:
    """Which start an Idempotency-Key belongs to."""

    key: str
    tenant: str = "default"
    request_sha256: bytes
    thread_id: str
    execution_id: str


@dataclass(slots=True, kw_only=True)
class ErrorInfo:
    """Why a step or a thread failed; `kind` is what a retry or a catch can name."""

    kind: str
    message: str
    step_id: str | None = None
    retryable: bool = False

    def value(self) -> dict[str, Any]:
        """As the contract writes it."""
        return {"kind": self.kind, "message": self.message, "step_id": self.step_id, "retryable": self.retryable}
