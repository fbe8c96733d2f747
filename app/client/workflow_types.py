"""What the service answers to the client about workflows, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class CaughtErrors(TypedDict):
    """When the step has failed for good with one of `kinds` (null: any), the thread goes on, first with the step `run`
    if there is one.
    """

    kinds: list[str] | None
    run: str | None


class GraphNode(TypedDict):
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


class ProblemItem(TypedDict):
    """One fault: an RFC 6901 JSON pointer and what is wrong there. Of a workflow document also `line` and `column` in
    its text, from 1, null where they are not known.
    """

    pointer: str
    message: str
    line: NotRequired[int | None]
    column: NotRequired[int | None]


class UndoingStep(TypedDict):
    """What undoes a step; `id` is that of its runs."""

    id: str
    kind: str
    label: str | None


class ValidationAnswer(TypedDict):
    """Whether a document holds, and its steps as a graph and as a Mermaid flowchart if it does."""

    valid: bool
    name: str | None
    hash: str | None
    steps: list[str]
    graph: WorkflowGraph | None
    diagram: str | None
    problems: list[ProblemItem]


class WorkflowAnswer(TypedDict):
    """A definition with its document and the graph of its steps; `graph` is null for a workflow in Python."""

    id: str
    name: str
    version: int | None
    hash: str
    description: str | None
    steps: list[str]
    created_at: str
    document: dict[str, Any]
    graph: WorkflowGraph | None


class WorkflowEntry(TypedDict):
    """A registered definition; `steps` are the ids of its steps."""

    id: str
    name: str
    version: int | None
    hash: str
    description: str | None
    steps: list[str]
    created_at: str


class WorkflowGraph(TypedDict):
    """The steps in document order, and what waits for what: `to` for `from`."""

    nodes: list[GraphNode]
    edges: list[dict[str, str]]
