"""The answers about agents, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.schemas_service import BreakerAnswer, ProblemItem
from app.domain.breakers import BreakerState


class AgentEntry(BaseModel):
    """A version of an agent. `origin` is where in its source it stands; `current`: it is the version that steps use.

    `loaded`: the code or the file that it comes from is there in the process that answers.
    While the agent is not `enabled` its steps wait.
    """

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


class AgentAnswer(AgentEntry):
    """A version of an agent with its config and its JSON Schemas; `problems`: why it could not work here and now."""

    config: dict[str, Any]
    input: dict[str, Any] | None
    output: dict[str, Any] | None
    problems: list[ProblemItem]


class RefusedFile(BaseModel):
    """A file of AGENTS_DIR that does not hold; what it said before stays."""

    file: str
    problems: list[ProblemItem]


class AgentsAnswer(BaseModel):
    """A page of agents, by name, and the files that the process that answers has refused."""

    agents: list[AgentEntry]
    refused_files: list[RefusedFile]
    next_cursor: str | None


class DeletedAgentAnswer(BaseModel):
    """The agent that was deleted, in its last version."""

    name: str
    version: int
    deleted: Literal[True]


class Percentiles(BaseModel):
    """Milliseconds; null when nothing was counted."""

    p50: float | None
    p95: float | None
    p99: float | None


class LastError(BaseModel):
    """The last error of an attempt."""

    kind: str
    message: str
    step_id: str | None
    retryable: bool
    at: str


class AgentHealthAnswer(BaseModel):
    """How an agent does, over all processes. `failed` speaks against it, as for its breaker; `rejected` failed for good.

    `success_rate` is succeeded / (succeeded + failed); `duration_ms` is of these.
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


class AgentEventAnswer(BaseModel):
    """Something that has happened to an agent."""

    id: str
    at: str
    agent: str
    event: str
    data: dict[str, Any]


class AgentEventsAnswer(BaseModel):
    """A page of events, newest first."""

    events: list[AgentEventAnswer]
    next_cursor: str | None
