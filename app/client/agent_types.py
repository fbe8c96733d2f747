"""What the service answers to the client about agents, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]


class AgentAnswer(TypedDict):
    """A version of an agent with its config and its JSON Schemas; `problems`: why it could not work here and now."""

    name: str
    version: int
    kind: str
    description: str | None
    tags: list[str]
    source: Literal["code", "file", "api"]
    origin: str | None
    loaded: bool
    hash: str
    current: bool
    created_at: str
    enabled: bool
    disabled_reason: str | None
    breaker: BreakerState
    config: dict[str, Any]
    input: dict[str, Any] | None
    output: dict[str, Any] | None
    problems: list[ProblemItem]


class AgentEventAnswer(TypedDict):
    """Something that has happened to an agent."""

    id: str
    at: str
    agent: str
    event: str
    data: dict[str, Any]


class AgentHealthAnswer(TypedDict):
    """How an agent does, over all processes. `failed` speaks against it, as for its breaker; `rejected` failed for
    good. `success_rate` is succeeded / (succeeded + failed); `duration_ms` is of these.
    """

    agent: str
    version: int
    window_ms: int
    attempts: int
    succeeded: int
    failed: int
    rejected: int
    success_rate: float | None
    duration_ms: Percentiles
    last_error: LastError | None
    enabled: bool
    disabled_reason: str | None
    breaker: BreakerAnswer


class BreakerAnswer(TypedDict):
    """An agent's circuit breaker. `forced`: opened by hand. `probe_at`: when an open one may be probed (null: not
    before it is closed by hand); of a half-open one, until when its probe is waited for. `trips`: how often it has
    opened in a row.
    """

    agent: str
    state: BreakerState
    forced: bool
    reason: str | None
    opened_at: str | None
    probe_at: str | None
    trips: int
    changed_at: str | None


class DeletedAgentAnswer(TypedDict):
    """The agent that was deleted, in its last version."""

    name: str
    version: int
    deleted: Literal[True]


class LastError(TypedDict):
    """The last error of an attempt."""

    kind: str
    message: str
    step_id: str | None
    retryable: bool
    at: str


class Percentiles(TypedDict):
    """Milliseconds; null when nothing was counted."""

    p50: float | None
    p95: float | None
    p99: float | None


class ProblemItem(TypedDict):
    """One fault: an RFC 6901 JSON pointer and what is wrong there. Of a workflow document also `line` and `column` in
    its text, from 1, null where they are not known.
    """

    pointer: str
    message: str
    line: NotRequired[int | None]
    column: NotRequired[int | None]
