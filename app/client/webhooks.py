"""The webhooks of a Backstitch service, as methods.

async with Backstitch() as service:
    made = await Webhooks(service).create("https://hooks.example.com/backstitch", topics=["workflow.workflow_failed.>"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from app.client.http import path
from app.client.part import Part

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Unpack

    from app.client.fields import PageFilters
    from app.client.pages import Pages
    from app.client.part_fields import DeliveryFilters, SecretFields, WebhookChanges, WebhookFields
    from app.client.webhook_types import (
        DeletedWebhookAnswer,
        DeliveryAnswer,
        DeliveryEntry,
        RecoveredAnswer,
        RotatedAnswer,
        WebhookAnswer,
        WebhookSecretAnswer,
    )

_AT: Final = "/api/webhooks"


class Webhooks(Part):
    """The routes under /api/webhooks."""

    def list(self, **page: Unpack[PageFilters]) -> Pages[WebhookAnswer]:
        """The endpoints, the oldest first."""
        return self._service.pages(_AT, "webhooks", **page)

    async def create(self, url: str, **fields: Unpack[WebhookFields]) -> WebhookSecretAnswer:
        """Register an endpoint; its `secret` is told this once."""
        return cast("WebhookSecretAnswer", await self._service.request("POST", _AT, json={"url": url, **fields}))

    async def show(self, webhook_id: str) -> WebhookAnswer:
        """An endpoint."""
        return cast("WebhookAnswer", await self._service.request("GET", path(_AT, webhook_id)))

    async def change(self, webhook_id: str, **fields: Unpack[WebhookChanges]) -> WebhookAnswer:
        """Change what is given and leave the rest."""
        return cast("WebhookAnswer", await self._service.request("PATCH", path(_AT, webhook_id), json=fields))

    async def delete(self, webhook_id: str) -> DeletedWebhookAnswer:
        """Send nothing there any more."""
        return cast("DeletedWebhookAnswer", await self._service.request("DELETE", path(_AT, webhook_id)))

    async def rotate(self, webhook_id: str = "default", **fields: Unpack[SecretFields]) -> RotatedAnswer:
        """A new secret, told this once; `default`: the one that signs for starts that bring none."""
        return cast("RotatedAnswer", await self._service.request("POST", path(_AT, webhook_id, "rotate"), json=fields))

    async def test(self, webhook_id: str) -> DeliveryEntry:
        """Send a test event now; what came back."""
        return cast("DeliveryEntry", await self._service.request("POST", path(_AT, webhook_id, "test")))

    def deliveries(self, webhook_id: str | None = None, **filters: Unpack[DeliveryFilters]) -> Pages[DeliveryEntry]:
        """What was sent to an endpoint, or without one about the thread `thread_id`."""
        where = path(_AT, "deliveries") if webhook_id is None else path(_AT, webhook_id, "deliveries")
        return self._service.pages(where, "deliveries", **filters)

    async def delivery(self, delivery_id: str) -> DeliveryAnswer:
        """A delivery with its body."""
        return cast("DeliveryAnswer", await self._service.request("GET", path(_AT, "deliveries", delivery_id)))

    async def redeliver(self, delivery_id: str) -> DeliveryEntry:
        """Send it again, by the same webhook-id."""
        found = await self._service.request("POST", path(_AT, "deliveries", delivery_id, "redeliver"))
        return cast("DeliveryEntry", found)

    async def recover(self, webhook_id: str, since: datetime | str) -> RecoveredAnswer:
        """Send again all that have failed, of messages since a time (RFC 3339)."""
        found = await self._service.request("POST", path(_AT, webhook_id, "recover"), json={"since": since})
        return cast("RecoveredAnswer", found)
