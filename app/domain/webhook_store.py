"""The ports of webhooks: who is told of what, the queue of deliveries, and their log.

PostgreSQL and memory keep them behind these ports, and pass one contract suite (tests/contracts/test_webhooks.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from app.domain.histogram import Distribution

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from app.domain.webhooks import Delivery, DeliveryStatus, ThreadHook, Try, Verdict, Webhook


SEND_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
"""Upper bounds of the buckets of how long sending takes, in seconds."""

QUIET: Final = timedelta(days=2)
"""Longer than any pause between two tries: who has not failed for so long does not fail any more, as far as is known."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The endpoints that are enabled, and the names of the events that webhooks of threads ask for (`*`: all)."""

    endpoints: Sequence[Webhook]
    events: frozenset[str]


class Lane(NamedTuple):
    """What is sent one after the other: the messages of a thread, or one message, for an endpoint."""

    lane: str
    endpoint_id: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where a delivery goes, and with what."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What comes next in a lane.  `news` is how often it had got something; None for `delivery`: nothing is left.

    `recipient` None: there is nobody any more.  `held`: the endpoint was disabled meanwhile.
    """

    news: int
    delivery: Delivery | None = None
    recipient: Recipient | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries, those of the newest messages first; `before` is (at, seq, id) of the last of the page before."""

    endpoint_id: str | None = None
    thread_id: str | None = None
    status: DeliveryStatus | None = None
    before: tuple[datetime, int, str] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits for endpoints that are enabled, counted no further than a bound, and since when the oldest does."""

    pending: int = 0
    oldest: datetime | None = None


@dataclass(slots=True)
class SendStats:
    """What this process has sent."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    """By delivered, retried and failed; disabled counts endpoints."""
    seconds: Distribution = field(default_factory=lambda: Distribution(SEND_SECONDS))


class WebhookBook(Protocol):
    """The endpoints and the webhooks of threads.  All raise Unavailable."""

    async def listed(self, after: str, limit: int) -> list[Webhook]:
        """Endpoints in the order of their making, which is that of their ids."""
        ...

    async def find(self, webhook_id: str) -> Webhook | None:
        """One of them; the service's own by webhooks.SERVICE."""
        ...

    async def add(self, webhook: Webhook, most: int) -> bool:
        """Write a new one; False, and nothing is written, when there are `most` already."""
        ...

    async def change(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook | None:
        """Set fields by name, of url, topics, workflows, headers, description, enabled; None when there is no such one.

        Enabling one takes its failures for over, and sets going what has waited for it.
        """
        ...

    async def rotate(self, webhook_id: str, secret: str, overlap: float) -> Webhook | None:
        """A new secret; the one before signs too for `overlap` seconds."""
        ...

    async def delete(self, webhook_id: str) -> bool:
        """Nothing is sent to it any more; its deliveries go with the next tidying."""
        ...

    async def wanted(self) -> Wanted:
        """Who wants what at present."""
        ...

    async def of_threads(self, thread_ids: Collection[str]) -> list[ThreadHook]:
        """The webhooks of threads, by `from_seq`."""
        ...

    async def delivered(self, endpoint_id: str) -> None:
        """It has taken something: it fails no longer."""
        ...

    async def failed(self, lane: Lane, *, gone: bool, after: float) -> str | None:
        """It has not.  It is disabled when it is gone, or has done nothing but fail for `after` seconds: then why.

        Failures between which there is more than that, and QUIET, are none in a row: nothing was sent meanwhile.
        The webhook of a thread is over when it is gone, with all that waits for it.
        """
        ...

    async def failing(self) -> list[Webhook]:
        """Those that fail, the last time within QUIET, and those that were disabled because they did."""
        ...


class DeliveryQueue(Protocol):
    """What is to be delivered, and who is at it.  A lane is held by one process at a time.  All raise Unavailable."""

    async def put(self, deliveries: Sequence[Delivery]) -> int:
        """Queue those that are not known yet; how many those were."""
        ...

    async def claim(self, owner: str, lease: float, limit: int, share: int, busy: Mapping[str, int]) -> list[Lane]:
        """Hold up to `limit` lanes that are due, for `lease` seconds, of each target up to `share` with those in `busy`.

        What a process held that is gone is due at once.
        """
        ...

    async def next(self, owner: str, lane: Lane, lease: float) -> Turn | None:
        """The first that is pending in a lane, which is held for `lease` seconds more; None when it is held no longer."""
        ...

    async def finish(self, owner: str, lane: Lane, delivery: Delivery, verdict: Verdict, done: Try) -> bool:
        """What came of sending it; one that is to wait lets go of its lane until then.

        False, and nothing is written, when the lane is held no longer: whoever holds it sends again.
        """
        ...

    async def release(self, owner: str, lane: Lane, news: int | None) -> None:
        """Let go of a lane in which nothing was left when it had got `news`; None: it is due again at once."""
        ...

    async def release_all(self, owner: str) -> None:
        """Let go of all that a process holds."""
        ...

    async def backlog(self) -> Backlog:
        """How much waits."""
        ...


class DeliveryLog(Protocol):
    """The deliveries, as people ask for them.  All raise Unavailable."""

    async def page(self, where: DeliveryFilter) -> list[Delivery]:
        """Deliveries without their bodies."""
        ...

    async def find(self, delivery_id: str) -> Delivery | None:
        """One, with its body."""
        ...

    async def note(self, delivery: Delivery) -> None:
        """Write down one that was sent by hand, as it is."""
        ...

    async def again(self, delivery_id: str) -> bool:
        """Queue it anew, whatever became of it; False when there is none."""
        ...

    async def recover(self, endpoint_id: str, since: datetime) -> int:
        """Queue those anew that have failed, of messages since then; how many those were."""
        ...

    async def tidy(self, days: float, limit: int) -> int:
        """Delete, up to `limit` at once, what ended longer ago, or has waited that long for an endpoint that is disabled,
        and what is left of endpoints that were deleted; how many rows those were.
        """
        ...
