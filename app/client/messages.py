"""The messages and triggers of a Backstitch service, as methods.

async with Backstitch() as service:
    await Messages(service).publish("orders.created", {"order_id": "A-1007"})
"""

from __future__ import annotations

import json
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
        content: str | bytes | None = None,
    ) -> JsonObject:
        """The JSON answer of any route."""
        ...


class Messages:
    """The routes under /api/messages; every method raises what the service's own methods raise."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def publish(self, topic: str, data: object, *, idempotency_key: str | None = None) -> JsonObject:
        """Publish any JSON value; with a key, publishing twice publishes once."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return await self._service.request("POST", _topic(topic), headers=headers, content=text)

    async def publish_event(self, topic: str, event: Mapping[str, Any]) -> JsonObject:
        """Publish a CloudEvent (specversion, id, source, type, data, ...), which its source and id make once."""
        headers = {"Content-Type": "application/cloudevents+json"}
        return await self._service.request("POST", _topic(topic), json=event, headers=headers)

    async def list(self, **filters: object) -> JsonObject:
        """A page of the messages that are kept, newest first; `filters`: topic (a pattern), source, since, limit, cursor."""
        return await self._service.request("GET", "/api/messages", params=filters)

    async def show(self, topic: str, message_id: str, *, source: str | None = None) -> JsonObject:
        """One message with all of its data; `source` says which where several have the id."""
        path = f"{_topic(topic)}/{quote(message_id, safe='')}"
        return await self._service.request("GET", path, params={"source": source})


class Triggers:
    """The routes under /api/triggers; every method raises what the service's own methods raise."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, **page: object) -> JsonObject:
        """A page of triggers, by name; `page`: limit, cursor."""
        return await self._service.request("GET", "/api/triggers", params=page)

    async def show(self, name: str) -> JsonObject:
        """One trigger."""
        return await self._service.request("GET", _trigger(name))

    async def create(self, name: str, *, topic: str, workflow: str, **fields: object) -> JsonObject:
        """Make a trigger; `fields`: condition, input, deduplicate, enabled, queue, priority, delay, description."""
        given = {"name": name, "topic": topic, "workflow": workflow, **fields}
        return await self._service.request("POST", "/api/triggers", json=given)

    async def change(self, name: str, **fields: object) -> JsonObject:
        """Change what is given and leave the rest."""
        return await self._service.request("PATCH", _trigger(name), json=fields)

    async def delete(self, name: str) -> JsonObject:
        """Take a trigger away; its threads stay."""
        return await self._service.request("DELETE", _trigger(name))

    async def firings(self, name: str, **filters: object) -> JsonObject:
        """A page of what came of messages, newest first; `filters`: outcome, limit, cursor."""
        return await self._service.request("GET", f"{_trigger(name)}/firings", params=filters)

    async def test(self, name: str, message: Mapping[str, Any]) -> JsonObject:
        """What it would make of a message (topic, data, ...): nothing is started."""
        return await self._service.request("POST", f"{_trigger(name)}/test", json={"message": message})


def _topic(topic: str) -> str:
    return f"/api/messages/{quote(topic, safe='')}"


def _trigger(name: str) -> str:
    return f"/api/triggers/{quote(name, safe='')}"
