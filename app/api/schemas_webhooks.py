"""The answers about webhooks, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

Status = Literal["pending", "delivered", "failed"]


class WebhookAnswer(BaseModel):
    """An endpoint; of its headers the values are not told, and its secret not at all.

    `failing_since`: when the first failed since the last that was delivered. `disabled_reason`: why the service disabled it.
    `old_secret_until`: until when the secret before signs too.
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


class WebhookSecretAnswer(WebhookAnswer):
    """An endpoint with its secret, which is told this once."""

    secret: str


class RotatedAnswer(BaseModel):
    """The new secret, which is told this once; both sign until `old_secret_until`."""

    id: str
    secret: str
    old_secret_until: str | None


class WebhooksAnswer(BaseModel):
    """A page of endpoints, the oldest first."""

    webhooks: list[WebhookAnswer]
    next_cursor: str | None


class DeletedWebhookAnswer(BaseModel):
    """It is gone, and its deliveries with it."""

    id: str
    deleted: bool


class TryAnswer(BaseModel):
    """One sending: the status that came back, else why none did, and how the answer began."""

    at: str
    duration_ms: int
    status_code: int | None
    error: str | None
    answer: str


class DeliveryEntry(BaseModel):
    """One message for one endpoint. `id` is the `webhook-id` of every try; `attempts` are those since it was queued last."""

    id: str
    webhook_id: str
    thread_id: str | None
    seq: int | None
    message_id: str
    topic: str
    status: Status
    attempts: int
    tries: list[TryAnswer]
    at: str
    queued_at: str
    next_attempt_at: str | None
    ended_at: str | None


class DeliveryAnswer(DeliveryEntry):
    """A delivery with what is sent."""

    body: dict[str, Any]


class DeliveriesAnswer(BaseModel):
    """A page of deliveries, those of the newest messages first."""

    deliveries: list[DeliveryEntry]
    next_cursor: str | None


class RecoveredAnswer(BaseModel):
    """How many are sent again."""

    webhook_id: str
    recovered: int
