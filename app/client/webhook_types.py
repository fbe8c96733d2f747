"""What the service answers to the client about webhooks, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class DeletedWebhookAnswer(TypedDict):
    """It is gone, and its deliveries with it."""

    id: str
    deleted: bool


class DeliveryAnswer(TypedDict):
    """A delivery with what is sent."""

    id: str
    webhook_id: str
    thread_id: str | None
    seq: int | None
    message_id: str
    topic: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    tries: list[TryAnswer]
    at: str
    queued_at: str
    next_attempt_at: str | None
    ended_at: str | None
    body: dict[str, Any]


class DeliveryEntry(TypedDict):
    """One message for one endpoint. `id` is the `webhook-id` of every try; `attempts` are those since it was queued
    last.
    """

    id: str
    webhook_id: str
    thread_id: str | None
    seq: int | None
    message_id: str
    topic: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    tries: list[TryAnswer]
    at: str
    queued_at: str
    next_attempt_at: str | None
    ended_at: str | None


class RecoveredAnswer(TypedDict):
    """How many are sent again."""

    webhook_id: str
    recovered: int


class RotatedAnswer(TypedDict):
    """The new secret, which is told this once; both sign until `old_secret_until`."""

    id: str
    secret: str
    old_secret_until: str | None


class TryAnswer(TypedDict):
    """One sending: the status that came back, else why none did, and how the answer began."""

    at: str
    duration_ms: int
    status_code: int | None
    error: str | None
    answer: str


class WebhookAnswer(TypedDict):
    """An endpoint; of its headers the values are not told, and its secret not at all. `failing_since`: when the first
    failed since the last that was delivered. `disabled_reason`: why the service disabled it. `old_secret_until`:
    until when the secret before signs too.
    """

    id: str
    url: str
    topics: list[str]
    workflows: list[str]
    headers: dict[str, str]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    updated_at: str


class WebhookSecretAnswer(TypedDict):
    """An endpoint with its secret, which is told this once."""

    id: str
    url: str
    topics: list[str]
    workflows: list[str]
    headers: dict[str, str]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    updated_at: str
    secret: str
