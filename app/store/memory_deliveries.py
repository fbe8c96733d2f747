"""The deliveries in memory: what PostgreSQL keeps in tables, without leases that run out, which nobody contends for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.domain.webhook_store import Backlog, DeliveryFilter, DeliveryLog, DeliveryQueue, Lane, Recipient, Turn
from app.domain.webhooks import SERVICE, TEST, TRIES, Delivery, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.domain.webhooks import Try, Verdict
    from app.store.memory_webhooks import MemoryLane, WebhookTables


class MemoryDeliveries(DeliveryQueue):
    """See domain.webhook_store.DeliveryQueue."""

    def __init__(self, webhooks: WebhookTables) -> None:
        self._w = webhooks
        self._clock = webhooks.tables.clock

    async def put(self, deliveries: Sequence[Delivery]) -> int:
        """See DeliveryQueue."""
        new = {one.id: one for one in deliveries if one.id not in self._w.deliveries}
        for one in new.values():
            self._w.deliveries[one.id] = replace(one, queued_at=self._clock(), next_attempt_at=self._clock())
            self._w.queue(one)
        return len(new)

    async def claim(self, owner: str, lease: float, limit: int, share: int, busy: Mapping[str, int]) -> list[Lane]:
        """See DeliveryQueue."""
        now, counts = self._clock(), Counter(busy)
        ranked: list[tuple[int, datetime, MemoryLane]] = []
        waiting = [(lane.due_at, lane) for lane in self._w.lanes.values() if lane.due_at is not None]
        for due_at, lane in sorted(waiting, key=lambda pair: pair[0]):
            endpoint, target = self._w.endpoints.get(lane.lane.endpoint_id), lane.lane.target
            if due_at <= now and counts[target] < share and (endpoint is None or endpoint.enabled):
                counts[target] += 1
                ranked.append((counts[target], due_at, lane))
        found = [lane for _, _, lane in sorted(ranked, key=lambda one: one[:2])[:limit]]
        for lane in found:
            lane.holder, lane.due_at = owner, now + timedelta(seconds=lease)
        return [lane.lane for lane in found]

    async def next(self, owner: str, lane: Lane, lease: float) -> Turn | None:
        """See DeliveryQueue."""
        held = self._held(owner, lane)
        if held is None:
            return None
        held.due_at = self._clock() + timedelta(seconds=lease)
        waiting = [
            one
            for one in self._w.deliveries.values()
            if (one.lane, one.endpoint_id) == lane[:2] and one.status is DeliveryStatus.PENDING
        ]
        if not waiting:
            return Turn(news=held.news)
        first = replace(min(waiting, key=lambda one: one.seq))
        first.queued_at = max(first.queued_at, self._w.enabled_at.get(lane.endpoint_id, first.queued_at))
        endpoint = self._w.endpoints.get(lane.endpoint_id)
        off = endpoint is not None and not endpoint.enabled
        there = first.thread_id is None or first.thread_id in self._w.tables.threads
        to = self._recipient(lane) if there else None
        return Turn(news=held.news, delivery=first, recipient=to, held=off)

    async def finish(self, owner: str, lane: Lane, delivery: Delivery, verdict: Verdict, done: Try) -> bool:
        """See DeliveryQueue."""
        held, known, now = self._held(owner, lane), self._w.deliveries.get(delivery.id), self._clock()
        if held is None or known is None or known.status is not DeliveryStatus.PENDING:
            return False
        known.status, known.attempts = verdict.status, known.attempts + 1
        known.tries = (*known.tries, done.text())[-TRIES:]
        known.next_attempt_at, known.ended_at = None, now
        if verdict.status is DeliveryStatus.PENDING:
            held.holder, held.due_at = None, now + timedelta(seconds=verdict.wait)
            known.next_attempt_at, known.ended_at = held.due_at, None
        return True

    async def release(self, owner: str, lane: Lane, news: int | None) -> None:
        """See DeliveryQueue."""
        held = self._held(owner, lane)
        if held is not None and held.news == news:
            del self._w.lanes[lane[:2]]
        elif held is not None:
            held.holder, held.due_at = None, self._clock()

    async def release_all(self, owner: str) -> None:
        """See DeliveryQueue."""
        for held in self._w.lanes.values():
            if held.holder == owner:
                held.holder, held.due_at = None, self._clock()

    async def backlog(self) -> Backlog:
        """See DeliveryQueue."""
        off = {one.id for one in self._w.endpoints.values() if not one.enabled}
        waiting = [
            one.at
            for one in self._w.deliveries.values()
            if one.status is DeliveryStatus.PENDING and one.endpoint_id not in off
        ]
        return Backlog(len(waiting), min(waiting, default=None))

    def _held(self, owner: str, lane: Lane) -> MemoryLane | None:
        found = self._w.lanes.get(lane[:2])
        return found if found is not None and found.holder == owner else None

    def _recipient(self, lane: Lane) -> Recipient | None:
        now = self._clock()
        known = self._w.endpoints.get(lane.endpoint_id)
        if known is not None:
            return Recipient(url=known.url, headers=known.headers, secrets=known.secrets(now))
        hook = self._w.hook(lane.lane, lane.endpoint_id)
        if hook is None:
            return None
        service = self._w.endpoints.get(SERVICE)
        usual = () if service is None else service.secrets(now)
        return Recipient(url=hook.url, headers=hook.headers, secrets=(hook.secret,) if hook.secret else usual)


class MemoryDeliveryLog(DeliveryLog):
    """See domain.webhook_store.DeliveryLog."""

    def __init__(self, webhooks: WebhookTables) -> None:
        self._w = webhooks

    async def page(self, where: DeliveryFilter) -> list[Delivery]:
        """See DeliveryLog."""
        found = [
            replace(one, body="")
            for one in self._w.deliveries.values()
            if where.endpoint_id in (None, one.endpoint_id)
            and where.thread_id in (None, one.thread_id)
            and where.status in (None, one.status)
            and (where.before is None or (one.at, one.seq, one.id) < where.before)
        ]
        return sorted(found, key=lambda one: (one.at, one.seq, one.id), reverse=True)[: where.limit]

    async def find(self, delivery_id: str) -> Delivery | None:
        """See DeliveryLog."""
        found = self._w.deliveries.get(delivery_id)
        return found and replace(found)

    async def note(self, delivery: Delivery) -> None:
        """See DeliveryLog."""
        self._w.deliveries[delivery.id] = replace(delivery, attempts=1, ended_at=self._w.tables.clock())

    async def again(self, delivery_id: str) -> bool:
        """See DeliveryLog."""
        known = self._w.deliveries.get(delivery_id)
        if known is None:
            return False
        now = self._w.tables.clock()
        known.status, known.attempts, known.ended_at = DeliveryStatus.PENDING, 0, None
        known.queued_at = known.next_attempt_at = now
        self._w.queue(known, at_once=True)
        return True

    async def recover(self, endpoint_id: str, since: datetime) -> int:
        """See DeliveryLog."""
        failed = [
            one.id
            for one in self._w.deliveries.values()
            if one.endpoint_id == endpoint_id
            and one.status is DeliveryStatus.FAILED
            and one.at >= since
            and one.topic != TEST
        ]
        return sum([await self.again(name) for name in failed])

    async def tidy(self, days: float, limit: int) -> int:
        """See DeliveryLog."""
        before = self._w.tables.clock() - timedelta(days=days)
        off = {one.id for one in self._w.endpoints.values() if not one.enabled}
        old = [
            one.id
            for one in self._w.deliveries.values()
            if (one.ended_at is not None and one.ended_at < before) or (one.endpoint_id in off and one.at < before)
        ][:limit]
        for name in old:
            del self._w.deliveries[name]
        return len(old)
