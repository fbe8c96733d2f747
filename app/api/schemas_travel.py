"""The answers of time travel, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import ErrorDocument, Kind, Links, OriginDocument, Usage
from app.api.schemas_fork import ComparedValues
from app.domain.status import Status, StepStatus


class Moment(BaseModel):
    """One of the two versions."""

    version: int
    current_step: str
    created_at: str
    execution_id: str
    on_timeline: bool


class Changed(BaseModel):
    """What a patch changes: whether the input, which variables, which steps."""

    input: bool
    context: list[str]
    steps: list[str]


class DiffAnswer(BaseModel):
    """The RFC 6902 patch from the state of one version to that of another."""

    model_config = ConfigDict(populate_by_name=True)

    thread_id: str
    from_: Moment = Field(alias="from")
    to: Moment
    changed: Changed
    patch: list[dict[str, Any]]


class Branch(BaseModel):
    """What one execution wrote without a break; versions are null if it wrote none."""

    execution_id: str
    kind: Kind
    status: Status
    began: Literal["start", "again", "resume", "rollback", "repair", "fork", "replay", "migrate"]
    reason: str | None
    left_version: int | None
    triggered_by: str | None
    first_version: int | None
    last_version: int | None
    parent_version: int | None
    versions: int
    on_timeline: bool
    on_timeline_to: int | None
    created_at: str


class ForkEntry(BaseModel):
    """A thread that was forked from this one."""

    thread_id: str
    version: int
    variant: str | None
    status: Status
    created_at: str


class ReplayEntry(BaseModel):
    """A thread in which a step of this one was done again."""

    thread_id: str
    step_id: str
    item: int | None
    run_id: str
    version: int
    status: Status
    created_at: str


class ChildEntry(BaseModel):
    """A sub-workflow."""

    thread_id: str
    status: Status
    step_id: str | None
    run_id: str | None
    created_at: str


class ParentEntry(BaseModel):
    """The thread whose step started this one."""

    thread_id: str
    step_id: str | None
    run_id: str | None


class ReplayedRun(BaseModel):
    """Which step run a replay does again; `version`: the state that its templates saw."""

    thread_id: str
    execution_id: str
    run_id: str
    step_id: str
    version: int
    item: int | None


class TreeAnswer(BaseModel):
    """The timelines of a thread and the threads that belong to it; each list has a cursor for its next page."""

    thread_id: str
    status: Status
    head_version: int
    last_version: int
    forked_from: OriginDocument | None
    replay_of: ReplayedRun | None
    parent: ParentEntry | None
    branches: list[Branch]
    next_cursor: str | None
    forks: list[ForkEntry]
    forks_cursor: str | None
    replays: list[ReplayEntry]
    replays_cursor: str | None
    children: list[ChildEntry]
    children_cursor: str | None


class ReplayLinks(Links):
    """Where to look next; `replay` is the comparison."""

    replay: str


class ReplayAccepted(BaseModel):
    """A scratch thread that is durable."""

    thread_id: str
    execution_id: str
    status: Status
    replay_of: ReplayedRun
    durable: bool
    links: ReplayLinks


class ReplaySide(BaseModel):
    """The step as it was done; a long output by its size and a preview."""

    status: StepStatus
    agent: str | None
    agent_version: int | None
    attempt: int
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    usage: Usage | None
    output: Any
    error: ErrorDocument | None


class ReplayAnswer(BaseModel):
    """A replay beside what it does again; `same` is null until both have an output."""

    thread_id: str
    execution_id: str
    status: Status
    replay_of: ReplayedRun
    same: bool | None
    recorded: ReplaySide | None
    replayed: ReplaySide | None
    output: ComparedValues
    input: Any
    error: ErrorDocument | None
    links: Links


class ImportedAnswer(BaseModel):
    """A thread that came in; `renamed`: its executions and step runs have new ids, since the old ones are here already."""

    thread_id: str
    source_thread_id: str
    status: Status
    head_version: int
    last_version: int
    renamed: bool
    counts: dict[str, int]
    durable: bool
    links: Links
