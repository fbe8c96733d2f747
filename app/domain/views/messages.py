"""Messages, triggers and firings as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.triggers import Outcome
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from app.domain.messages import Message
    from app.domain.triggers import Firing, Trigger


def message_document(message: Message) -> Document:
    """A message of the log."""
    return {
        "id": message.id,
        "source": message.source,
        "topic": message.topic,
        "type": message.type,
        "subject": message.subject,
        "time": when(message.time),
        "attributes": dict(message.attributes),
        "data": raw(message.data_json),
        "published_at": when(message.arrived),
    }


def published_document(message: Message, *, duplicate: bool) -> Document:
    """What is told of a message that was published."""
    return {
        "id": message.id,
        "source": message.source,
        "topic": message.topic,
        "type": message.type,
        "time": when(message.time),
        "duplicate": duplicate,
    }


def trigger_document(trigger: Trigger) -> Document:
    """A trigger."""
    deduplicate: dict[str, Any] | None = None
    if trigger.key is not None and trigger.window is not None:
        deduplicate = {"key": trigger.key, "window_ms": round(trigger.window * 1000)}
    return {
        "name": trigger.name,
        "topic": trigger.topic,
        "condition": trigger.condition,
        "workflow": trigger.workflow,
        "input": trigger.input,
        "deduplicate": deduplicate,
        "enabled": trigger.enabled,
        "queue": trigger.queue,
        "priority": trigger.priority,
        "delay_ms": round(trigger.delay * 1000),
        "description": trigger.description,
        "created_at": when(trigger.created_at),
        "updated_at": when(trigger.updated_at),
    }


def firing_document(firing: Firing) -> Document:
    """What came of a message; the thread may have been deleted since."""
    return {
        "message_id": firing.message_id,
        "source": firing.source,
        "topic": firing.topic,
        "outcome": firing.outcome.value,
        "thread_id": firing.id if firing.outcome is Outcome.STARTED else None,
        "error": None if firing.error is None else {"problems": [], **firing.error},
        "at": when(firing.at),
    }
