"""The answers about retention, deleted threads and settings, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class DeletedAnswer(BaseModel):
    """`threads` are all that were deleted: the thread and its sub-workflows; `rows` those of all tables."""

    thread_id: str
    deleted: bool
    threads: list[str]
    rows: int


class WorkflowRetentionAnswer(BaseModel):
    """What a workflow is told; null: as all others."""

    workflow: str
    keep: bool
    days: float | None
    status_days: dict[str, float]
    max_threads: int | None


class RetentionPolicyAnswer(BaseModel):
    """What holds: for all, and for the workflows that are told otherwise."""

    days: float | None
    status_days: dict[str, float]
    max_per_workflow: int | None
    max_bytes: float | None
    every_ms: int
    workflows: list[WorkflowRetentionAnswer]


class RetentionRunAnswer(BaseModel):
    """One run, or what one would do. `threads` with their sub-workflows; `reasons` and `workflows` count those without.

    `size_bytes` is reckoned; the files of the database shrink by nothing, their room is used again.
    """

    id: str
    status: Literal["running", "completed", "failed"]
    dry_run: bool
    asked: dict[str, Any]
    started_at: str
    ended_at: str | None
    scanned: int
    threads: int
    rows: int
    size_bytes: int
    reasons: dict[str, int]
    workflows: dict[str, int]
    definitions: int
    agent_events: int
    error: str | None


class TableSize(BaseModel):
    """A table with its indexes."""

    name: str
    size_bytes: int


class RetentionAnswer(BaseModel):
    """The policy, the last runs, newest first, the tables, largest first, and what would be deleted if that was asked."""

    policy: RetentionPolicyAnswer
    runs: list[RetentionRunAnswer]
    size_bytes: int | None
    tables: list[TableSize]
    would_delete: RetentionRunAnswer | None


class SettingAnswer(BaseModel):
    """A setting; a secret is masked."""

    name: str
    value: Any
    source: Literal["default", "file", "environment", "command_line", "api"]
    reloadable: bool


class ConfigAnswer(BaseModel):
    """All settings, by name."""

    settings: list[SettingAnswer]


class ConfigChange(BaseModel):
    """A setting that has changed."""

    id: str
    at: str
    name: str
    old: Any
    new: Any
    source: Literal["api", "file"]
    by: str | None


class ConfigChangedAnswer(BaseModel):
    """What a request has changed."""

    changes: list[ConfigChange]


class ConfigChangesAnswer(ConfigChangedAnswer):
    """A page of what has changed, newest first."""

    next_cursor: str | None
