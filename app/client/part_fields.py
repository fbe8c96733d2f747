"""What the methods of the client's parts may be given beside their arguments, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed"]
Outcome: TypeAlias = Literal["started", "duplicate", "waiting", "failed"]


class AgentFilters(TypedDict, total=False):
    """The filters of `GET /api/agents`."""

    limit: int
    cursor: str | None
    kind: str | None
    tag: str | None
    enabled: bool | None


class DeduplicateRequest(TypedDict, total=False):
    """One thread for all messages of a key that are published within the window after the first."""

    key: str
    window: float | str


class DeliveryFilters(TypedDict, total=False):
    """The filters of `GET /api/webhooks/{webhook_id}/deliveries`."""

    limit: int
    cursor: str | None
    status: DeliveryStatus | None
    thread_id: str | None


class FiringFilters(TypedDict, total=False):
    """The filters of `GET /api/schedules/{name}/firings`."""

    limit: int
    cursor: str | None
    outcome: Literal["starting", "started", "buffered", "skipped", "missed", "failed"] | None
    kind: Literal["schedule", "manual", "backfill"] | None
    since: datetime | str | None
    until: datetime | str | None


class MessageFilters(TypedDict, total=False):
    """The filters of `GET /api/messages`."""

    limit: int
    cursor: str | None
    topic: str | None
    source: str | None
    since: datetime | str | None


class PreviewFields(TypedDict, total=False):
    """Times to look at: the next `count` after `after`, or after now."""

    cron: str | None
    every: float | str | None
    timezone: str | None
    start_at: datetime | str | None
    end_at: datetime | str | None
    count: int
    after: datetime | str | None


class ScheduleChanges(TypedDict, total=False):
    """What to change of a schedule; null: as usual. `cron` and `every` take each other's place."""

    cron: str | None
    every: float | str | None
    timezone: str | None
    start_at: datetime | str | None
    end_at: datetime | str | None
    input: Any
    context: Mapping[str, Any] | None
    queue: str | None
    priority: int | None
    overlap: Literal["skip", "buffer_one", "buffer_all", "allow", "cancel_other"] | None
    catchup_window: float | str | None
    jitter: float | str | None
    max_firings: int | None
    description: str | None
    workflow: str


class ScheduleFields(TypedDict, total=False):
    """A schedule: one of `cron` and `every`, and what it starts."""

    cron: str | None
    every: float | str | None
    timezone: str | None
    start_at: datetime | str | None
    end_at: datetime | str | None
    input: Any
    context: Mapping[str, Any] | None
    queue: str | None
    priority: int | None
    overlap: Literal["skip", "buffer_one", "buffer_all", "allow", "cancel_other"] | None
    catchup_window: float | str | None
    jitter: float | str | None
    max_firings: int | None
    description: str | None
    name: str
    workflow: str
    paused: bool


class ScheduleFilters(TypedDict, total=False):
    """The filters of `GET /api/schedules`."""

    limit: int
    cursor: str | None
    workflow: str | None
    paused: bool | None


class SecretFields(TypedDict, total=False):
    """A new secret; made unless it is given."""

    secret: str | None
    overlap: float | str


class SignalFilters(TypedDict, total=False):
    """The filters of `GET /api/invoke/signals/{thread_id}`."""

    limit: int
    cursor: str | None
    name: str | None
    pending: bool | None


class TriggerChanges(TypedDict, total=False):
    """What is to be another; null is what it is without, what is missing stays."""

    condition: str | None
    input: Any
    deduplicate: DeduplicateRequest | None
    enabled: bool | None
    queue: str | None
    priority: int | None
    delay: float | str | None
    description: str | None
    topic: str | None
    workflow: str | None


class TriggerFields(TypedDict, total=False):
    """Start a workflow for each message on some topics."""

    condition: str | None
    input: Any
    deduplicate: DeduplicateRequest | None
    enabled: bool | None
    queue: str | None
    priority: int | None
    delay: float | str | None
    description: str | None


class TriggerFiringFilters(TypedDict, total=False):
    """The filters of `GET /api/triggers/{name}/firings`."""

    limit: int
    cursor: str | None
    outcome: Outcome | None


class WaitFilters(TypedDict, total=False):
    """The filters of `GET /api/waits`."""

    limit: int
    cursor: str | None
    thread_id: str | None
    step_id: str | None
    topic: str | None
    signal: str | None
    open: bool | None


class WebhookChanges(TypedDict, total=False):
    """What is given is changed; null is what it is without it. A header whose value is `***` stays what it is."""

    url: str | None
    topics: Sequence[str] | None
    workflows: Sequence[str] | None
    headers: Mapping[str, Any] | None
    description: str | None
    enabled: bool | None


class WebhookFields(TypedDict, total=False):
    """Where to send which messages. `secret` is made unless it is given."""

    topics: Sequence[str] | None
    workflows: Sequence[str] | None
    headers: Mapping[str, Any] | None
    secret: str | None
    description: str | None
    enabled: bool
