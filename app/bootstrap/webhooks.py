"""Wires webhooks: who is told, what sends, what tidies up, and what people ask."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.messages import Message
from app.domain.times import utc_now
from app.runners.webhook_post import WebhookPost
from app.telemetry.metrics_webhooks import WebhookFigures
from app.triggers.events import SOURCE
from app.triggers.sender import Sender, SendPolicy
from app.triggers.webhook_desk import WebhookDesk
from app.triggers.webhook_upkeep import WebhookUpkeep
from app.triggers.webhooks import Deliverer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from app.bootstrap.stores import Store
    from app.engine.pulse import Pulse
    from app.settings import Settings
    from app.telemetry.figures import Figure
    from app.triggers.publishing import Publisher

DISABLED: Final = "webhook.disabled"
"""The topic that tells of endpoints that were disabled because they failed."""
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """All of it; `deliverer` follows the events of threads, `publisher` what is published."""

    deliverer: Deliverer
    publisher: Deliverer
    sender: Sender
    upkeep: WebhookUpkeep
    desk: WebhookDesk
    post: WebhookPost

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """The background work."""
        return [self._send(), self.upkeep.run()]

    def pulses(self) -> dict[str, Pulse]:
        """Of each loop, by its name in the health."""
        return {"webhook_sender": self.sender.pulse, "webhook_upkeep": self.upkeep.pulse}

    def figures(self) -> Iterable[Figure]:
        """See telemetry.figures.Source."""
        return WebhookFigures(self.sender.stats, self.upkeep).figures()

    async def _send(self) -> None:
        try:
            await self.sender.run()
        finally:
            await self.post.aclose()


def open_webhooks(settings: Settings, store: Store, process: str) -> Webhooks:
    """Made, and not yet going; `process` is this one's incarnation."""
    post = WebhookPost(allow_private=settings.http_allow_private)
    policy = SendPolicy(
        pauses=settings.webhook_retries,
        concurrency=settings.webhook_concurrency,
        share=settings.webhook_endpoint_concurrency,
        timeout=settings.webhook_timeout_seconds,
        disable_after=settings.webhook_disable_days * _DAY,
    )
    sender = Sender(store.webhooks, store.deliveries, post, policy, owner=process, dice=random.random)
    return Webhooks(
        deliverer=Deliverer(store.webhooks, store.deliveries, sender.hint),
        publisher=Deliverer(store.webhooks, store.deliveries, sender.hint),
        sender=sender,
        upkeep=WebhookUpkeep(
            store.webhooks, store.deliveries, store.delivery_log, days=settings.webhook_retention_days
        ),
        desk=WebhookDesk(store.webhooks, store.delivery_log, post, sender),
        post=post,
    )


def disabled_told(publisher: Publisher) -> Callable[[str, str], Awaitable[None]]:
    """Publishes that an endpoint was disabled, so that other endpoints and triggers can know of it."""

    async def tell(webhook_id: str, why: str) -> None:
        message = Message(
            id=uuid7(),
            topic=DISABLED,
            source=SOURCE,
            type=f"{SOURCE}.webhook_disabled",
            subject=webhook_id,
            time=utc_now(),
            data_json=jsontext.dumps({"webhook_id": webhook_id, "reason": why}),
        )
        with contextlib.suppress(Unavailable):  # the log, the metrics and the health tell of it too
            await publisher.publish([message])

    return tell
