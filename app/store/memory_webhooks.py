"""Webhooks in memory, for one process: endpoints, webhooks of threads, and the tables that the deliveries share with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.domain.webhook_store import QUIET, Lane, Wanted, WebhookBook
from app.domain.webhooks import SERVICE, Delivery, DeliveryStatus, StartHook, ThreadHook, Webhook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from app.store.memory_tables import MemoryTables

_Key = tuple[str, str]


@dataclass(slots=True)
class MemoryLane:
    """See the table webhook_lanes."""

    lane: Lane
    due_at: datetime | None
    holder: str | None = None
    news: int = 0


@dataclass(slots=True)
class WebhookTables:
    """What the three ports below share."""

    tables: MemoryTables
    endpoints: dict[str, Webhook] = field(default_factory=dict[str, Webhook])
    deliveries: dict[str, Delivery] = field(default_factory=dict[str, Delivery])
    lanes: dict[_Key, MemoryLane] = field(default_factory=dict[_Key, MemoryLane])
    enabled_at: dict[str, datetime] = field(default_factory=dict[str, datetime])
    failed_at: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def __post_init__(self) -> None:
        self.tables.on_forget.append(self.forget)

    def forget(self, gone: Collection[str]) -> int:
        """Nothing of these threads is delivered any more."""
        ids = [one.id for one in self.deliveries.values() if one.thread_id in gone]
        for key in [key for key in self.lanes if key[0] in gone]:
            del self.lanes[key]
        for name in ids:
            del self.deliveries[name]
        return len(ids) + sum(self.tables.hooks.pop(thread_id, None) is not None for thread_id in gone)

    def queue(self, delivery: Delivery, *, at_once: bool = False) -> None:
        """Its lane has got something."""
        key, now = (delivery.lane, delivery.endpoint_id), self.tables.clock()
        lane = self.lanes.get(key)
        if lane is None:
            self.lanes[key] = MemoryLane(Lane(*key, delivery.target), now)
            return
        lane.news += 1
        if lane.due_at is None or (at_once and lane.holder is None):
            lane.due_at = now

    def enable(self, endpoint_id: str, *, anew: bool) -> None:
        """What waits for it is due; `anew`: and has waited since now."""
        now = self.tables.clock()
        if anew:
            self.enabled_at[endpoint_id] = now
        for lane in self.lanes.values():
            if lane.lane.endpoint_id == endpoint_id and lane.holder is None and lane.due_at is not None:
                lane.due_at = min(lane.due_at, now)

    def hook(self, thread_id: str, endpoint_id: str) -> StartHook | None:
        """The webhook of a thread by its id."""
        found = self.tables.hooks.get(thread_id, ())
        return next((one.hook for one in found if one.hook.id == endpoint_id), None)


class MemoryWebhooks(WebhookBook):
    """See domain.webhook_store.WebhookBook."""

    def __init__(self, webhooks: WebhookTables) -> None:
        self._w = webhooks
        self._clock = webhooks.tables.clock

    async def listed(self, after: str, limit: int) -> list[Webhook]:
        """See WebhookBook."""
        found = [self._w.endpoints[name] for name in sorted(self._w.endpoints) if name > after and name != SERVICE]
        return [replace(one) for one in found[:limit]]

    async def find(self, webhook_id: str) -> Webhook | None:
        """See WebhookBook."""
        found = self._w.endpoints.get(webhook_id)
        return found and replace(found)

    async def add(self, webhook: Webhook, most: int) -> bool:
        """See WebhookBook."""
        there = len(self._w.endpoints.keys() - {SERVICE})
        if webhook.id in self._w.endpoints or (there >= most and webhook.id != SERVICE):
            return False
        self._w.endpoints[webhook.id] = replace(webhook)
        return True

    async def change(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook | None:
        """See WebhookBook."""
        known = self._w.endpoints.get(webhook_id)
        if known is None or webhook_id == SERVICE:
            return None
        more: dict[str, Any] = {"disabled_reason": None} if "enabled" in changes else {}
        more |= {"failing_since": None} if changes.get("enabled") else {}
        found = self._w.endpoints[webhook_id] = replace(known, **changes, **more, updated_at=self._clock())
        if changes.get("enabled"):
            self._w.enable(webhook_id, anew=not known.enabled)
        return replace(found)

    async def rotate(self, webhook_id: str, secret: str, overlap: float) -> Webhook | None:
        """See WebhookBook."""
        known, now = self._w.endpoints.get(webhook_id), self._clock()
        if known is None:
            return None
        known.old_secret, known.old_secret_until = known.secret, now + timedelta(seconds=overlap)
        known.secret, known.updated_at = secret, now
        return replace(known)

    async def delete(self, webhook_id: str) -> bool:
        """See WebhookBook."""
        if webhook_id == SERVICE or self._w.endpoints.pop(webhook_id, None) is None:
            return False
        for times in (self._w.enabled_at, self._w.failed_at):
            times.pop(webhook_id, None)
        for one in [one for one in self._w.deliveries.values() if one.endpoint_id == webhook_id]:
            del self._w.deliveries[one.id]
        for key in [key for key in self._w.lanes if key[1] == webhook_id]:
            del self._w.lanes[key]
        return True

    async def wanted(self) -> Wanted:
        """See WebhookBook."""
        endpoints = [one for one in await self.listed("", len(self._w.endpoints)) if one.enabled]
        hooks = [hook for found in self._w.tables.hooks.values() for hook in found]
        return Wanted(endpoints, frozenset(name for hook in hooks for name in hook.hook.events))

    async def of_threads(self, thread_ids: Collection[str]) -> list[ThreadHook]:
        """See WebhookBook."""
        return [hook for thread_id in sorted(thread_ids) for hook in self._w.tables.hooks.get(thread_id, ())]

    async def delivered(self, endpoint_id: str) -> None:
        """See WebhookBook."""
        known = self._w.endpoints.get(endpoint_id)
        if known is not None:
            known.failing_since = None

    async def failed(self, lane: Lane, *, gone: bool, after: float) -> str | None:
        """See WebhookBook."""
        if lane.target != lane.endpoint_id:
            if gone:
                self._over(lane)
            return None
        known, now = self._w.endpoints.get(lane.endpoint_id), self._clock()
        if known is None or not known.enabled:
            return None
        last, self._w.failed_at[known.id] = self._w.failed_at.get(known.id), now
        broken = last is None or last <= now - timedelta(seconds=after) - QUIET
        since = None if broken else known.failing_since
        known.failing_since = since or now
        if gone:
            known.disabled_reason = "its receiver answered 410: it is gone"
        elif since is not None and since <= now - timedelta(seconds=after):
            known.disabled_reason = f"nothing was delivered since {since:%Y-%m-%dT%H:%M:%SZ}"
        known.enabled = known.disabled_reason is None
        return known.disabled_reason

    async def failing(self) -> list[Webhook]:
        """See WebhookBook."""
        found, now = await self.listed("", len(self._w.endpoints)), self._clock()
        fail = {one.id for one in found if one.failing_since and self._w.failed_at[one.id] > now - QUIET}
        return [one for one in found if one.id in fail or one.disabled_reason is not None]

    def _over(self, lane: Lane) -> None:
        hooks = self._w.tables.hooks.get(lane.lane, [])
        hooks[:] = [replace(one, gone=True) if one.hook.id == lane.endpoint_id else one for one in hooks]
        for one in self._w.deliveries.values():
            if one.endpoint_id == lane.endpoint_id and one.status is DeliveryStatus.PENDING:
                one.status, one.ended_at, one.next_attempt_at = DeliveryStatus.FAILED, self._clock(), None
