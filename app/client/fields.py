"""What the client's methods may be given beside their arguments, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Status: TypeAlias = Literal[
    "pending", "running", "waiting", "paused", "completed", "failed", "cancelled", "interrupted"
]


class BulkCancelFields(TypedDict, total=False):
    """Many threads at once, to be stopped for good."""

    where: ThreadsWhere | None
    limit: int
    cursor: str | None
    dry_run: bool
    reason: str | None
    triggered_by: str | None
    force: bool


class BulkFields(TypedDict, total=False):
    """Many threads at once: those that are named, or those that the list's filters leave, the newest first."""

    where: ThreadsWhere | None
    limit: int
    cursor: str | None
    dry_run: bool
    reason: str | None
    triggered_by: str | None


class CancelFields(TypedDict, total=False):
    """Stop a thread for good."""

    reason: str | None
    force: bool


class ExecutionFilters(TypedDict, total=False):
    """The filters of `GET /api/workflow/executions`."""

    limit: int
    cursor: str | None
    status: Status | None
    workflow: str | None
    since: datetime | str | None
    until: datetime | str | None
    thread_id: str | None
    triggered_by: str | None


class ForkFields(TypedDict, total=False):
    """New threads with the state of a version."""

    version: int | None
    variants: Sequence[VariantRequest] | None
    resume: bool
    reason: str | None
    triggered_by: str | None


class GateFields(TypedDict, total=False):
    """The answer to a gate; `by` is who gives it."""

    by: str | None
    via: str
    item: int | None
    round: int | None


class GateFilters(TypedDict, total=False):
    """The filters of `GET /api/gates`."""

    limit: int
    cursor: str | None
    assignee: str | None


class HistoryFilters(TypedDict, total=False):
    """The filters of `GET /api/invoke/history/{thread_id}`."""

    limit: int
    cursor: str | None
    from_version: int | None
    to_version: int | None
    since: datetime | str | None
    until: datetime | str | None
    all: bool
    step: str | None
    trigger: str | None
    execution_id: str | None
    on_timeline: bool | None


class LimitsRequest(TypedDict, total=False):
    """What a thread may cost, and how long its execution may go on; what is left out has no limit."""

    max_cost_usd: float | None
    max_tokens: int | None
    deadline: float | str | None


class OverrideRequest(TypedDict, total=False):
    """For one execution: another agent for a step, values merged over its input."""

    agent: str | None
    input: Mapping[str, Any] | None


class PageFilters(TypedDict, total=False):
    """The filters of `GET /api/workflows`."""

    limit: int
    cursor: str | None


class ResumeFields(TypedDict, total=False):
    """Go on with what has not completed."""

    from_step: str | None
    skip: Mapping[str, Any] | None
    overrides: Mapping[str, OverrideRequest] | None
    limits: LimitsRequest | None
    expected_version: int | None
    triggered_by: str | None


class RollbackFields(TypedDict, total=False):
    """Move the head to an earlier (or any other) version."""

    resume: bool
    compensate: bool
    reason: str | None
    overrides: Mapping[str, OverrideRequest] | None
    context: Mapping[str, Any] | None
    expected_version: int | None
    triggered_by: str | None


class StartFields(TypedDict, total=False):
    """Start a workflow. `github_run_id` is another name of `external_run_id`."""

    thread_id: str | None
    triggered_by: str | None
    external_run_id: str | None
    context: Mapping[str, Any] | None
    priority: int | None
    queue: str | None
    delay: float | str | None
    webhook: str | StartWebhookRequest | None


class StartWebhookRequest(TypedDict, total=False):
    """Where to tell of a thread, and of what: without `events` of its ends and its gates."""

    url: str
    events: Sequence[str] | None
    headers: Mapping[str, Any] | None
    secret: str | None


class StepRunFilters(TypedDict, total=False):
    """The filters of `GET /api/invoke/steps/{thread_id}/{step_id}`."""

    execution_id: str | None
    run_id: str | None
    values: bool


class ThreadCountFilters(TypedDict, total=False):
    """The filters of `GET /api/threads/counts`."""

    workflow: str | None
    since: datetime | str | None
    until: datetime | str | None
    triggered_by: str | None
    children: bool


class ThreadFilters(TypedDict, total=False):
    """The filters of `GET /api/threads`."""

    limit: int
    cursor: str | None
    status: str | None
    workflow: str | None
    since: datetime | str | None
    until: datetime | str | None
    triggered_by: str | None
    text: str | None
    children: bool
    ids: str | None


class ThreadsWhere(TypedDict, total=False):
    """The filters of the list; without `status` those threads that the request is usually for."""

    status: str | Sequence[str] | None
    workflow: str | None
    since: datetime | str | None
    until: datetime | str | None
    triggered_by: str | None
    text: str | None
    children: bool


class VariantRequest(TypedDict, total=False):
    """One of the threads that a fork makes."""

    name: str | None
    overrides: Mapping[str, OverrideRequest] | None
    context: Mapping[str, Any] | None
    thread_id: str | None
