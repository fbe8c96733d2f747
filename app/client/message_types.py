"""What the service answers to the client about messages, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from app.client.types import ErrorDocument, Links, Status


class DeduplicateAnswer(TypedDict):
    """How messages are told to be the same."""

    key: str
    window_ms: int


class DeletedTriggerAnswer(TypedDict):
    """A trigger that is gone."""

    name: str
    deleted: Literal[True]


class MessageAnswer(TypedDict):
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


class ProblemItem(TypedDict):
    """One fault: an RFC 6901 JSON pointer and what is wrong there. Of a workflow document also `line` and `column` in
    its text, from 1, null where they are not known.
    """

    pointer: str
    message: str
    line: NotRequired[int | None]
    column: NotRequired[int | None]


class PublishedAnswer(TypedDict):
    """A message that was published."""

    id: str
    source: str
    topic: str
    type: str
    time: str
    duplicate: bool
    durable: bool


class SignalAnswer(TypedDict):
    """A signal; `number` counts those of its thread."""

    thread_id: str
    number: int
    name: str
    value: Any
    by: str | None
    sent_at: str
    status: Literal["pending", "taken"]
    taken_at: str | None
    taken_by: TakerAnswer | None


class SignalSentAnswer(TypedDict):
    """A signal that is durable; `taken`: whether a step was waiting for it; `status` is the thread's."""

    thread_id: str
    execution_id: str
    name: str
    number: int
    taken: bool
    status: Status
    durable: bool
    links: Links


class TakerAnswer(TypedDict):
    """The step that took a signal."""

    step_id: str
    item: int | None
    round: int


class TrialAnswer(TypedDict):
    """What a trigger would make of a message. `condition` is null where it cannot be told."""

    trigger: str
    starts: bool
    topic_matches: bool
    condition: bool | None
    input: Any
    deduplication_key: str | None
    thread_id: str
    problems: list[ProblemItem]


class TriggerAnswer(TypedDict):
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


class TriggerFiringAnswer(TypedDict):
    """What came of a message: its thread (which may have been deleted since), or why there is none."""

    message_id: str
    source: str
    topic: str
    outcome: Literal["started", "duplicate", "waiting", "failed"]
    thread_id: str | None
    error: TriggerFiringError | None
    at: str


class TriggerFiringError(TypedDict):
    """Why nothing was started."""

    kind: str
    message: str
    problems: list[ProblemItem]


class WaitAnswer(TypedDict):
    """A wait: for a message on `topic` (or a pattern) that fits `match`, or for a `signal`; exactly one of the two."""

    thread_id: str
    step_id: str
    item: int | None
    round: int
    status: Literal["open", "taken", "timed_out", "failed", "closed"]
    topic: str | None
    signal: str | None
    match: str | None
    opened_at: str
    timeout_at: str | None
    message: Any
    by: str | None
    taken_at: str | None
    via: str | None
    error: ErrorDocument | None
