"""The queue of deliveries on PostgreSQL: lanes that are claimed with SKIP LOCKED, and held by a lease in their row."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain import jsontext
from app.domain.webhook_store import Backlog, DeliveryQueue, Lane, Recipient, Turn
from app.domain.webhooks import TRIES
from app.store.webhooks import SQL, delivery_from_row, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asyncpg import Record

    from app.domain.webhooks import Delivery, Try, Verdict
    from app.store import db

_ROWS: Final = 500
"""Deliveries in one statement."""
_BYTES: Final = 4_000_000
_AT_ONCE: Final = 4
"""Connections of the pool that webhooks use at most: requests have the others."""
_ADOPT: Final = 1.0
"""Seconds between two looks for what processes have left behind."""
COUNTED: Final = 100_000
"""Up to which the backlog is counted."""


class PostgresDeliveries(DeliveryQueue):
    """See domain.webhook_store.DeliveryQueue."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._adopted_at = float("-inf")
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def put(self, deliveries: Sequence[Delivery]) -> int:
        """See DeliveryQueue."""
        count = 0
        for some in _bounded(deliveries):
            columns = [list(column) for column in zip(*map(_row, some), strict=True)]
            count += (await self._fetch("put", *columns))[0]["count"]
        return count

    async def claim(self, owner: str, lease: float, limit: int, share: int, busy: Mapping[str, int]) -> list[Lane]:
        """See DeliveryQueue."""
        if monotonic() - self._adopted_at > _ADOPT:
            self._adopted_at = monotonic()
            await self._fetch("adopt")
        found = await self._fetch("claim", owner, lease, limit, share, list(busy), list(busy.values()))
        return [Lane(row["lane"], str(row["endpoint_id"]), row["target"]) for row in found]

    async def next(self, owner: str, lane: Lane, lease: float) -> Turn | None:
        """See DeliveryQueue."""
        found = await self._fetch("next", lane.lane, lane.endpoint_id, owner, lease)
        return _turn(found[0]) if found else None

    async def finish(self, owner: str, lane: Lane, delivery: Delivery, verdict: Verdict, done: Try) -> bool:
        """See DeliveryQueue."""
        found = await self._fetch(
            "finish",
            lane.lane,
            lane.endpoint_id,
            owner,
            delivery.id,
            verdict.status,
            verdict.wait,
            done.text(),
            TRIES,
        )
        return bool(found)

    async def release(self, owner: str, lane: Lane, news: int | None) -> None:
        """See DeliveryQueue."""
        await self._fetch("release", lane.lane, lane.endpoint_id, owner, news)

    async def release_all(self, owner: str) -> None:
        """See DeliveryQueue."""
        await self._fetch("release_all", owner)

    async def backlog(self) -> Backlog:
        """See DeliveryQueue."""
        [row] = await self._fetch("backlog", COUNTED)
        return Backlog(row["pending"], row["oldest"])

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        async with self._turns:
            return await fetch(self._pool, SQL[query], *arguments)


def _bounded(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    some: list[Delivery] = []
    size = 0
    for one in deliveries:
        if some and (len(some) == _ROWS or size + len(one.body) > _BYTES):
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.body)
    if some:
        yield some


def _row(one: Delivery) -> tuple[object, ...]:
    return (
        one.id,
        one.endpoint_id,
        one.thread_id,
        one.lane,
        one.seq,
        one.target,
        one.message_id,
        one.topic,
        one.body,
        one.at,
    )


def _turn(row: Record) -> Turn:
    if row["id"] is None:
        return Turn(news=row["news"])
    secrets = (row["secret"], row["old_secret"]) if row["both"] else (row["secret"],)
    recipient = None
    if row["url"] is not None:
        recipient = Recipient(
            url=row["url"],
            headers=jsontext.loads(row["headers"]),
            secrets=tuple(each for each in secrets if each is not None),
        )
    held, delivery = bool(row["disabled"]), delivery_from_row(row, row["body"])
    return Turn(news=row["news"], delivery=delivery, recipient=recipient, held=held)
