"""The answers about workflows and health, and the problem document, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.domain.breakers import BreakerState

Readiness = Literal["ready", "degraded", "unavailable"]


class WorkflowEntry(BaseModel):
    """A registered definition; `steps` are the ids of its steps."""

    id: str
    name: str
    version: int | None
    hash: str
    description: str | None
    steps: list[str]
    created_at: str


class UndoingStep(BaseModel):
    """What undoes a step; `id` is that of its runs."""

    id: str
    kind: str
    label: str | None


class CaughtErrors(BaseModel):
    """When the step has failed for good with one of `kinds` (null: any), the thread goes on, first with the step `run` if there
    is one.
    """

    kinds: list[str] | None
    run: str | None


class GraphNode(BaseModel):
    """A step; `label` is what it calls or waits for, `rescues` the steps whose caught failure it runs after."""

    id: str
    index: int
    kind: Literal["agent", "python", "http", "mcp", "workflow", "gate", "wait_for", "sleep"]
    agent: str | None
    label: str | None
    condition: str | None
    parts: Literal["for_each", "repeat"] | None
    effect: Literal["none", "idempotent", "irreversible"] | None
    compensate: UndoingStep | None
    on_error: CaughtErrors | None
    rescues: list[str]
    timeout_ms: int | None


class WorkflowGraph(BaseModel):
    """The steps in document order, and what waits for what: `to` for `from`."""

    nodes: list[GraphNode]
    edges: list[dict[Literal["from", "to"], str]]


class WorkflowAnswer(WorkflowEntry):
    """A definition with its document and the graph of its steps; `graph` is null for a workflow in Python."""

    document: dict[str, Any]
    graph: WorkflowGraph | None


class WorkflowsAnswer(BaseModel):
    """A page of the newest versions, by name."""

    workflows: list[WorkflowEntry]
    next_cursor: str | None


class WorkflowVersionsAnswer(BaseModel):
    """A page of the versions of a workflow, newest first."""

    name: str
    versions: list[WorkflowEntry]
    next_cursor: str | None


class ProblemItem(BaseModel):
    """One fault: an RFC 6901 JSON pointer and what is wrong there.

    Of a workflow document also `line` and `column` in its text, from 1, null where they are not known.
    """

    pointer: str
    message: str
    line: int | None = None
    column: int | None = None


class ValidationAnswer(BaseModel):
    """Whether a document holds, and its steps as a graph and as a Mermaid flowchart if it does."""

    valid: bool
    name: str | None
    hash: str | None
    steps: list[str]
    graph: WorkflowGraph | None
    diagram: str | None
    problems: list[ProblemItem]


class PartHealth(BaseModel):
    """How one part is; `detail` says what is wrong unless it is ready.  Further fields depend on the part."""

    model_config = ConfigDict(extra="allow")

    status: Readiness
    detail: str | None = None


class HealthAnswer(BaseModel):
    """Whether the service can work, and why not.

    It is `unavailable` when a part is without which no thread gets on: database, journal, worker, monitor, disk, service.
    """

    status: Readiness
    durable: bool
    parts: dict[str, PartHealth]


class BreakerAnswer(BaseModel):
    """An agent's circuit breaker.

    `forced`: opened by hand. `probe_at`: when an open one may be probed (null: not before it is closed by hand); of a
    half-open one, until when its probe is waited for. `trips`: how often it has opened in a row.
    """

    agent: str
    state: BreakerState
    forced: bool
    reason: str | None
    opened_at: str | None
    probe_at: str | None
    trips: int
    changed_at: str | None


class BreakersAnswer(BaseModel):
    """A page of breakers, by agent."""

    breakers: list[BreakerAnswer]
    next_cursor: str | None


class CheckpointerAnswer(BaseModel):
    """The store that checkpoints go to."""

    kind: str
    durable: bool
    reachable: bool
    latency_ms: float | None
    error_rate: float
    size_bytes: int | None
    error: str | None
    fallback: str | None


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["live"]


class Problem(BaseModel):
    """An error, RFC 9457, as application/problem+json."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    problems: list[ProblemItem] = []
