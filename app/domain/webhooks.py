"""Webhooks as values: endpoints, what a start brings, deliveries and their tries; what is sent, and whether it is tried again.

Signatures, headers and payload are those of Standard Webhooks (https://www.standardwebhooks.com, version 1.0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from app.domain import events, jsontext, topics
from app.domain.ids import derived_id
from app.domain.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.messages import Message

SERVICE: Final = "00000000-0000-0000-0000-000000000000"
"""The row whose secret signs for the webhooks of starts that bring none; people call it `default`."""
MOST: Final = 100
"""Endpoints that there may be."""
SHOWN: Final = 1_000
"""Characters of an answer that are kept."""
TRIES: Final = 20
"""Tries of a delivery that are kept."""
MASK: Final = "***"
ALL: Final = "*"
USUAL: Final = (*sorted(events.TERMINAL), events.GATE_WAITING)
"""What is delivered unless something else is asked for."""
USUAL_TOPICS: Final = tuple(f"{topics.OWN}.{name}.>" for name in USUAL)
TEST: Final = "webhook.test"
"""The topic of the event that a test sends."""

_DELIVERED: Final = range(200, 300)
_GONE: Final = 410
_ASKS_TO_WAIT: Final = frozenset({429, 503})
_LONGEST_WAIT: Final = 86_400.0
_SPREAD: Final = 0.1
"""By which share a pause is made longer at random, so that what failed together does not come back together."""
_PATIENCE: Final = 1.25
"""A message is given up when it has waited for this times all pauses together, behind others of its thread above all."""


@dataclass(slots=True, kw_only=True)
class Webhook:
    """An endpoint.  `workflows` narrows down the topics of threads, empty: of any; `old_secret` signs too until its time.

    `failing_since`: when the first failed since the last that was delivered.
    """

    id: str
    url: str
    topics: tuple[str, ...] = USUAL_TOPICS
    workflows: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secret: str = field(repr=False)
    old_secret: str | None = field(default=None, repr=False)
    old_secret_until: datetime | None = None
    description: str | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime

    def wants(self, topic: str) -> bool:
        """Whether it is to be told of a message on this topic."""
        if self.workflows and not (topics.is_own(topic) and topic.split(".", 2)[-1] in self.workflows):
            return False
        return any(topics.matches(pattern, topic) for pattern in self.topics)

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """What signs now, the newest first."""
        if self.old_secret is None or self.old_secret_until is None or self.old_secret_until <= now:
            return (self.secret,)
        return (self.secret, self.old_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartHook:
    """The webhook that a start brings for its thread; without a secret the service's own signs."""

    id: str
    url: str
    events: tuple[str, ...] = USUAL
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadHook:
    """The webhook of a thread's events from `from_seq` on, until one with a higher number takes its place.

    `gone`: its receiver has said that it is no more.
    """

    thread_id: str
    from_seq: int
    hook: StartHook
    gone: bool = False


class DeliveryStatus(StrEnum):
    """What became of a delivery so far."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One sending of a delivery: the status that came back, else why none did; `answer` is its beginning."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    answer: str = ""

    def text(self) -> str:
        """As it is stored."""
        return jsontext.dumps(self.value())

    def value(self) -> dict[str, Any]:
        """As it is shown."""
        return {
            "at": rfc3339(self.at),
            "duration_ms": self.duration_ms,
            "status_code": self.status_code,
            "error": self.error,
            "answer": self.answer,
        }


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One message for one endpoint; its id, which belongs to the two, is the `webhook-id` of every try.

    Those of one `lane` are sent in the order of `seq`, one after the other: a lane is a thread, or the message itself.
    `target` is who shares the limit of sendings at a time: an endpoint, or a host that webhooks of starts lead to.
    `attempts` are those since it was queued the last time; `tries` JSON texts, oldest first.
    """

    id: str
    endpoint_id: str
    thread_id: str | None
    lane: str
    seq: int
    target: str
    message_id: str
    topic: str
    body: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    tries: tuple[str, ...] = ()
    at: datetime
    queued_at: datetime
    next_attempt_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of sending: a status, or an `error` in words; `seconds` that it took."""

    status: int | None = None
    error: str | None = None
    text: str = ""
    retry_after: float | None = None
    seconds: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status in _DELIVERED

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == _GONE


class Post(Protocol):
    """Sends, to addresses that requests may reach."""

    def problem(self, url: str) -> str | None:
        """Why nothing can be sent there, as far as the URL tells; None: nothing speaks against it."""
        ...

    def header_problem(self, name: str, value: str) -> str | None:
        """Why a header cannot be sent, in words that do not hold its value."""
        ...

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, limit: float) -> Answer:
        """Send once, within `limit` seconds; whatever goes wrong is the answer's `error`."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an answer: the delivery's status, and for one that is pending how many seconds it waits."""

    status: DeliveryStatus
    wait: float = 0.0


def verdict(
    answer: Answer, attempts: int, waited: float, pauses: tuple[float, ...], dice: Callable[[], float]
) -> Verdict:
    """Whether a delivery is tried again after its attempt number `attempts`, `waited` seconds after it was queued."""
    if answer.is_delivered:
        return Verdict(DeliveryStatus.DELIVERED)
    if answer.is_gone or attempts > len(pauses):
        return Verdict(DeliveryStatus.FAILED)
    pause = pauses[attempts - 1] * (1 + _SPREAD * dice())
    if answer.status in _ASKS_TO_WAIT and answer.retry_after is not None:
        pause = max(pause, min(answer.retry_after, _LONGEST_WAIT))
    if waited + pause > _PATIENCE * sum(pauses) + _LONGEST_WAIT * (answer.retry_after is not None):
        return Verdict(DeliveryStatus.FAILED)
    return Verdict(DeliveryStatus.PENDING, pause)


def body_of(message: Message) -> str:
    """The payload: `type`, `timestamp` and `data` of Standard Webhooks, and what else is known of the message."""
    head = {
        "id": message.id,
        "type": message.type,
        "topic": message.topic,
        "source": message.source,
        "subject": message.subject,
        "timestamp": rfc3339(message.time),
    }
    return f'{jsontext.dumps(head)[:-1]},"data":{message.data_json}}}'


def delivery_of(message: Message, body: str, endpoint_id: str, url: str | None, now: datetime) -> Delivery:
    """The delivery of a message to an endpoint; `url`: where a thread's own webhook leads, None for an endpoint."""
    name = derived_id(endpoint_id, message.source, message.id, message.time.isoformat())
    in_thread = message.thread_id is not None and topics.is_own(message.topic)
    return Delivery(
        id=name,
        endpoint_id=endpoint_id,
        thread_id=message.thread_id,
        lane=str(message.thread_id) if in_thread else f"#{name}",
        seq=message.place.seq if in_thread and message.place is not None else 0,
        target=endpoint_id if url is None else origin(url),
        message_id=message.id,
        topic=message.topic,
        body=body,
        at=message.time,
        queued_at=now,
    )


def origin(url: str) -> str:
    """Whom a URL leads to: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
