"""The answers about messages and triggers, as OpenAPI documents them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from app.api.schemas_service import ProblemItem


class PublishedMessage(BaseModel):
    """A message that is in the log; `duplicate`: it was there before, and was not written again."""

    id: str
    source: str
    topic: str
    type: str
    time: str
    duplicate: bool


class PublishedAnswer(PublishedMessage):
    """A message that was published."""

    durable: bool


class PublishedBatchAnswer(BaseModel):
    """A batch that was published, in its order."""

    messages: list[PublishedMessage]
    duplicates: int
    durable: bool


class MessageAnswer(BaseModel):
    """A message; a list shows of data of more than 8 KB its size and its beginning."""

    id: str
    source: str
    topic: str
    type: str
    subject: str | None
    time: str
    attributes: dict[str, Any]
    data: Any
    published_at: str


class MessagesAnswer(BaseModel):
    """A page of messages, newest first; it may be short, or empty: only `next_cursor` null is the end."""

    messages: list[MessageAnswer]
    next_cursor: str | None


class DeduplicateAnswer(BaseModel):
    """How messages are told to be the same."""

    key: str
    window_ms: int


class TriggerAnswer(BaseModel):
    """A trigger."""

    name: str
    topic: str
    condition: str | None
    workflow: str
    input: Any
    deduplicate: DeduplicateAnswer | None
    enabled: bool
    queue: str | None
    priority: int | None
    delay_ms: int
    description: str | None
    created_at: str
    updated_at: str


class TriggersAnswer(BaseModel):
    """A page of triggers, by name."""

    triggers: list[TriggerAnswer]
    next_cursor: str | None


class DeletedTriggerAnswer(BaseModel):
    """A trigger that is gone."""

    name: str
    deleted: Literal[True]


class TriggerFiringError(BaseModel):
    """Why nothing was started."""

    kind: str
    message: str
    problems: list[ProblemItem]


class TriggerFiringAnswer(BaseModel):
    """What came of a message: its thread (which may have been deleted since), or why there is none."""

    message_id: str
    source: str
    topic: str
    outcome: Literal["started", "duplicate", "waiting", "failed"]
    thread_id: str | None
    error: TriggerFiringError | None
    at: str


class TriggerFiringsAnswer(BaseModel):
    """A page of firings, newest first."""

    firings: list[TriggerFiringAnswer]
    next_cursor: str | None


class TrialAnswer(BaseModel):
    """What a trigger would make of a message. `condition` is null where it cannot be told."""

    trigger: str
    starts: bool
    topic_matches: bool
    condition: bool | None
    input: Any
    deduplication_key: str | None
    thread_id: str
    problems: list[ProblemItem]
