"""The webhooks of a Backstitch service, as methods.

async with Backstitch() as service:
    made = await Webhooks(service).create("https://hooks.example.com/backstitch", topics=["workflow.workflow_failed.>"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject: TypeAlias = dict[str, Any]


class Service(Protocol):
    """What is needed of client.Backstitch."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> JsonObject:
        """The JSON answer of any route."""
        ...


class Webhooks:
    """The routes under /api/webhooks; every method raises what the service's own methods raise."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, **page: object) -> JsonObject:
        """A page of endpoints, the oldest first; `page`: limit, cursor."""
        return await self._service.request("GET", "/api/webhooks", params=page)

    async def create(self, url: str, **fields: object) -> JsonObject:
        """Register an endpoint (topics, workflows, headers, secret, description, enabled); its `secret` is told this once."""
        return await self._service.request("POST", "/api/webhooks", json={"url": url, **fields})

    async def show(self, webhook_id: str) -> JsonObject:
        """An endpoint."""
        return await self._service.request("GET", _path(webhook_id))

    async def change(self, webhook_id: str, **fields: object) -> JsonObject:
        """Change what is given and leave the rest."""
        return await self._service.request("PATCH", _path(webhook_id), json=fields)

    async def delete(self, webhook_id: str) -> JsonObject:
        """Send nothing there any more."""
        return await self._service.request("DELETE", _path(webhook_id))

    async def rotate(self, webhook_id: str = "default", **fields: object) -> JsonObject:
        """A new secret (secret, overlap), told this once; `default`: the one that signs for starts that bring none."""
        return await self._service.request("POST", _path(webhook_id, "/rotate"), json=fields)

    async def test(self, webhook_id: str) -> JsonObject:
        """Send a test event now; what came back."""
        return await self._service.request("POST", _path(webhook_id, "/test"))

    async def deliveries(self, webhook_id: str | None = None, **filters: object) -> JsonObject:
        """A page of deliveries of an endpoint, or of a thread; `filters`: status, thread_id, limit, cursor."""
        path = "/api/webhooks/deliveries" if webhook_id is None else _path(webhook_id, "/deliveries")
        return await self._service.request("GET", path, params=filters)

    async def delivery(self, delivery_id: str) -> JsonObject:
        """A delivery with its body."""
        return await self._service.request("GET", _path(f"deliveries/{delivery_id}"))

    async def redeliver(self, delivery_id: str) -> JsonObject:
        """Send it again, by the same webhook-id."""
        return await self._service.request("POST", _path(f"deliveries/{delivery_id}", "/redeliver"))

    async def recover(self, webhook_id: str, since: str) -> JsonObject:
        """Send again all that have failed, of messages since a time (RFC 3339)."""
        return await self._service.request("POST", _path(webhook_id, "/recover"), json={"since": since})


def _path(name: str, rest: str = "") -> str:
    return f"/api/webhooks/{quote(name)}{rest}"
