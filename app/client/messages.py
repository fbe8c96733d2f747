"""The messages and triggers of a Backstitch service, as methods.

async with Backstitch() as service:
    await Messages(service).publish("orders.created", {"order_id": "A-1007"})
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final, cast

from app.client.http import KEY, path
from app.client.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from app.client.fields import PageFilters
    from app.client.message_types import (
        DeletedTriggerAnswer,
        MessageAnswer,
        PublishedAnswer,
        TrialAnswer,
        TriggerAnswer,
        TriggerFiringAnswer,
    )
    from app.client.pages import Pages
    from app.client.part_fields import MessageFilters, TriggerChanges, TriggerFields, TriggerFiringFilters

_AT: Final = "/api/messages"
_TRIGGERS: Final = "/api/triggers"


class Messages(Part):
    """The routes under /api/messages."""

    async def publish(self, topic: str, data: object, *, idempotency_key: str | None = None) -> PublishedAnswer:
        """Publish any JSON value.  However often this has to be sent, it is published once; with a key of yours, also when
        this is called again.
        """
        headers = {"Content-Type": "application/json", KEY: idempotency_key or str(uuid.uuid4())}
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        found = await self._service.request("POST", path(_AT, topic), headers=headers, content=text)
        return cast("PublishedAnswer", found)

    async def publish_event(self, topic: str, event: Mapping[str, Any]) -> PublishedAnswer:
        """Publish a CloudEvent (specversion, id, source, type, data, ...), which its source and id make once."""
        headers = {"Content-Type": "application/cloudevents+json"}
        found = await self._service.request("POST", path(_AT, topic), json=event, headers=headers)
        return cast("PublishedAnswer", found)

    def list(self, **filters: Unpack[MessageFilters]) -> Pages[MessageAnswer]:
        """The messages that are kept, newest first; `topic` may be a pattern."""
        return self._service.pages(_AT, "messages", **filters)

    async def show(self, topic: str, message_id: str, *, source: str | None = None) -> MessageAnswer:
        """One message with all of its data; `source` says which where several have the id."""
        found = await self._service.request("GET", path(_AT, topic, message_id), params={"source": source})
        return cast("MessageAnswer", found)


class Triggers(Part):
    """The routes under /api/triggers."""

    def list(self, **page: Unpack[PageFilters]) -> Pages[TriggerAnswer]:
        """The triggers, by name."""
        return self._service.pages(_TRIGGERS, "triggers", **page)

    async def show(self, name: str) -> TriggerAnswer:
        """One trigger."""
        return cast("TriggerAnswer", await self._service.request("GET", path(_TRIGGERS, name)))

    async def create(self, name: str, *, topic: str, workflow: str, **fields: Unpack[TriggerFields]) -> TriggerAnswer:
        """Make a trigger."""
        body = {"name": name, "topic": topic, "workflow": workflow, **fields}
        return cast("TriggerAnswer", await self._service.request("POST", _TRIGGERS, json=body))

    async def change(self, name: str, **fields: Unpack[TriggerChanges]) -> TriggerAnswer:
        """Change what is given and leave the rest."""
        return cast("TriggerAnswer", await self._service.request("PATCH", path(_TRIGGERS, name), json=fields))

    async def delete(self, name: str) -> DeletedTriggerAnswer:
        """Take a trigger away; its threads stay."""
        return cast("DeletedTriggerAnswer", await self._service.request("DELETE", path(_TRIGGERS, name)))

    def firings(self, name: str, **filters: Unpack[TriggerFiringFilters]) -> Pages[TriggerFiringAnswer]:
        """What came of messages, newest first."""
        return self._service.pages(path(_TRIGGERS, name, "firings"), "firings", **filters)

    async def test(self, name: str, message: Mapping[str, Any]) -> TrialAnswer:
        """What it would make of a message (topic, data, ...): nothing is started."""
        found = await self._service.request("POST", path(_TRIGGERS, name, "test"), json={"message": message})
        return cast("TrialAnswer", found)
