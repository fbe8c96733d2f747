"""Webhooks on PostgreSQL: the endpoints, and the log of deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.webhook_store import DeliveryFilter, DeliveryLog, Lane, Wanted, WebhookBook
from app.domain.webhooks import Delivery, DeliveryStatus, StartHook, ThreadHook, Webhook
from app.store import db
from app.store.queries import filtered, load

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from asyncpg import Record

SQL: Final = load("webhooks")
_TIDY: Final = load("webhooks_tidy")
_FIRST: Final = "00000000-0000-0000-0000-000000000000"
_SOME: Final = 500
"""Deliveries that are queued anew in one transaction."""


class PostgresWebhooks(WebhookBook):
    """See domain.webhook_store.WebhookBook."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def listed(self, after: str, limit: int) -> list[Webhook]:
        """See WebhookBook."""
        rows = await self._fetch("listed", after or _FIRST, limit)
        return [webhook_from_row(row) for row in rows]

    async def find(self, webhook_id: str) -> Webhook | None:
        """See WebhookBook."""
        return _one(await self._fetch("find", webhook_id))

    async def add(self, webhook: Webhook, most: int) -> bool:
        """See WebhookBook."""
        rows = await self._fetch(
            "add",
            webhook.id,
            webhook.url,
            list(webhook.topics),
            list(webhook.workflows),
            jsontext.dumps(dict(webhook.headers)),
            webhook.secret,
            webhook.description,
            webhook.enabled,
            webhook.created_at,
            webhook.updated_at,
            most,
        )
        return bool(rows)

    async def change(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook | None:
        """See WebhookBook."""
        headers = changes.get("headers")
        rows = await self._fetch(
            "change",
            webhook_id,
            list(changes),
            changes.get("url"),
            _listed(changes.get("topics")),
            _listed(changes.get("workflows")),
            None if headers is None else jsontext.dumps(dict(headers)),
            changes.get("description"),
            changes.get("enabled"),
        )
        return _one(rows)

    async def rotate(self, webhook_id: str, secret: str, overlap: float) -> Webhook | None:
        """See WebhookBook."""
        return _one(await self._fetch("rotate", webhook_id, secret, overlap))

    async def delete(self, webhook_id: str) -> bool:
        """See WebhookBook."""
        return bool(await self._fetch("delete", webhook_id))

    async def wanted(self) -> Wanted:
        """See WebhookBook."""
        endpoints = [webhook_from_row(row) for row in await self._fetch("enabled")]
        names = [row["name"] for row in await self._fetch("wanted_events")]
        return Wanted(endpoints, frozenset(name for name in names if name is not None))

    async def of_threads(self, thread_ids: Collection[str]) -> list[ThreadHook]:
        """See WebhookBook."""
        return [_thread_hook(row) for row in await self._fetch("of_threads", list(thread_ids))]

    async def delivered(self, endpoint_id: str) -> None:
        """See WebhookBook."""
        await self._fetch("delivered", endpoint_id)

    async def failed(self, lane: Lane, *, gone: bool, after: float) -> str | None:
        """See WebhookBook."""
        if lane.target != lane.endpoint_id:
            if gone:
                await self._fetch("thread_gone", lane.lane, lane.endpoint_id)
            return None
        found = await self._fetch("failed", lane.endpoint_id, gone, after)
        return found[0]["disabled_reason"] if found else None

    async def failing(self) -> list[Webhook]:
        """See WebhookBook."""
        return [webhook_from_row(row) for row in await self._fetch("failing")]

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        return await fetch(self._pool, SQL[query], *arguments)


class PostgresDeliveryLog(DeliveryLog):
    """See domain.webhook_store.DeliveryLog."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def page(self, where: DeliveryFilter) -> list[Delivery]:
        """See DeliveryLog."""
        query, values = filtered(
            SQL["page"],
            [
                ("endpoint_id = $", where.endpoint_id),
                ("thread_id = $", where.thread_id),
                ("status = $", where.status),
                ("(at, seq, id) < ($, $, $::uuid)", where.before),
            ],
        )
        rows = await fetch(self._pool, query.replace("ALL /* limit */", str(where.limit)), *values)
        return [delivery_from_row(row, "") for row in rows]

    async def find(self, delivery_id: str) -> Delivery | None:
        """See DeliveryLog."""
        rows = await fetch(self._pool, SQL["delivery"], delivery_id)
        return delivery_from_row(rows[0], rows[0]["body"]) if rows else None

    async def note(self, delivery: Delivery) -> None:
        """See DeliveryLog."""
        await fetch(
            self._pool,
            SQL["note"],
            delivery.id,
            delivery.endpoint_id,
            delivery.lane,
            delivery.target,
            delivery.message_id,
            delivery.topic,
            delivery.body,
            delivery.status,
            list(delivery.tries),
            delivery.at,
        )

    async def again(self, delivery_id: str) -> bool:
        """See DeliveryLog."""
        return await self._again([delivery_id]) > 0

    async def recover(self, endpoint_id: str, since: datetime) -> int:
        """See DeliveryLog."""
        count, after = 0, (since, _FIRST)
        while found := await fetch(self._pool, SQL["some_failed"], endpoint_id, *after, _SOME):
            count += await self._again([row["id"] for row in found])
            after = (found[-1]["at"], found[-1]["id"])  # one that has failed anew meanwhile is not queued once more
        return count

    async def tidy(self, days: float, limit: int) -> int:
        """See DeliveryLog."""
        count = 0
        for query, arguments in (
            ("ended", (days, limit)),
            ("deleted", (days, limit)),
            ("lanes", (limit,)),
            ("dead_lanes", (limit,)),
            ("tombstones", ()),
        ):
            count += await self._count(_TIDY[query], *arguments)
        return count

    async def _again(self, ids: list[Any]) -> int:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                lanes = await connection.fetch(SQL["again_lanes"], ids)
                names = [row["lane"] for row in lanes], [row["endpoint_id"] for row in lanes]
                await connection.execute(SQL["again_due"], *names)
                return len(await connection.fetch(SQL["again"], ids))
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error

    async def _count(self, query: str, *arguments: object) -> int:
        try:
            return int((await self._pool.execute(query, *arguments)).rpartition(" ")[2])
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


async def fetch(pool: db.Pool, query: str, *arguments: object) -> list[Record]:
    """The rows of a query.  Raises Unavailable."""
    try:
        return await pool.fetch(query, *arguments)
    except (*db.LOST, *db.AGAIN) as error:
        raise db.unavailable(error) from error


def webhook_from_row(row: Record) -> Webhook:
    """From the part `columns`."""
    fields: dict[str, Any] = dict(row)
    for name in ("topics", "workflows"):
        fields[name] = tuple(fields[name])
    fields["id"], fields["headers"] = str(fields["id"]), jsontext.loads(fields["headers"])
    return Webhook(**fields)


def delivery_from_row(row: Record, body: str) -> Delivery:
    """From the part `bare`."""
    return Delivery(
        id=str(row["id"]),
        endpoint_id=str(row["endpoint_id"]),
        thread_id=row["thread_id"],
        lane=row["lane"],
        seq=row["seq"],
        target=row["target"],
        message_id=row["message_id"],
        topic=row["topic"],
        body=body,
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        tries=tuple(row["tries"]),
        at=row["at"],
        queued_at=row["queued_at"],
        next_attempt_at=row["next_attempt_at"],
        ended_at=row["ended_at"],
    )


def _one(rows: list[Record]) -> Webhook | None:
    return webhook_from_row(rows[0]) if rows else None


def _listed(value: object) -> list[str] | None:
    return None if value is None else list(cast("Collection[str]", value))


def _thread_hook(row: Record) -> ThreadHook:
    hook = StartHook(
        id=str(row["id"]),
        url=row["url"],
        events=tuple(row["events"]),
        headers=jsontext.loads(row["headers"]),
        secret=row["secret"],
    )
    return ThreadHook(thread_id=row["thread_id"], from_seq=row["from_seq"], hook=hook, gone=row["gone"])
