"""Webhooks as the API shows them: an endpoint without its secrets, a delivery with its tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import jsontext
from app.domain.views.common import Document, when
from app.domain.webhooks import MASK

if TYPE_CHECKING:
    from app.domain.webhooks import Delivery, Webhook


def webhook_document(webhook: Webhook) -> Document:
    """An endpoint."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "topics": list(webhook.topics),
        "workflows": list(webhook.workflows),
        "headers": dict.fromkeys(webhook.headers, MASK),
        "description": webhook.description,
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": when(webhook.failing_since),
        "old_secret_until": when(webhook.old_secret_until),
        "created_at": when(webhook.created_at),
        "updated_at": when(webhook.updated_at),
    }


def delivery_document(delivery: Delivery) -> Document:
    """A delivery without its body."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint_id,
        "thread_id": delivery.thread_id,
        "seq": delivery.seq or None,
        "message_id": delivery.message_id,
        "topic": delivery.topic,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "tries": [jsontext.loads(text) for text in delivery.tries],
        "at": when(delivery.at),
        "queued_at": when(delivery.queued_at),
        "next_attempt_at": when(delivery.next_attempt_at),
        "ended_at": when(delivery.ended_at),
    }


def whole_delivery_document(delivery: Delivery) -> Document:
    """With its body."""
    return {**delivery_document(delivery), "body": jsontext.loads(delivery.body)}
