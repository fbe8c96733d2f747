"""The desk of webhooks over the tables in memory; everything is delivered, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.webhooks import Answer
from app.store.memory_deliveries import MemoryDeliveries, MemoryDeliveryLog
from app.store.memory_webhooks import MemoryWebhooks, WebhookTables
from app.triggers.sender import Sender, SendPolicy
from app.triggers.webhook_desk import WebhookDesk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.store.memory_tables import MemoryTables


class Nowhere:
    """A way out that leads nowhere."""

    def problem(self, url: str) -> str | None:
        return None if url.startswith("https://") else "should be https"

    def header_problem(self, name: str, value: str) -> str | None:
        return None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, limit: float) -> Answer:
        return Answer(status=204)


def webhook_desk(tables: MemoryTables) -> WebhookDesk:
    """One of a service that sends nothing by itself."""
    shared, post = WebhookTables(tables), Nowhere()
    policy = SendPolicy(pauses=(1.0,), concurrency=1, share=1, timeout=1.0, disable_after=1.0)
    book = MemoryWebhooks(shared)
    sender = Sender(book, MemoryDeliveries(shared), post, policy, owner="me", dice=lambda: 0.0)
    return WebhookDesk(book, MemoryDeliveryLog(shared), post, sender)
