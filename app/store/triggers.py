"""Triggers, their firings and the keys that these hold, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.triggers import MAX_TRIGGERS, Claim, Firing, Outcome, Trigger, TriggerStore, taken, too_many
from app.store import db, queries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from asyncpg import Record

_SQL: Final = queries.load("triggers")


class PostgresTriggers(TriggerStore):
    """See domain.triggers.TriggerStore."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def create(self, trigger: Trigger) -> Trigger:
        """See TriggerStore."""
        rows = await self._fetch("create", *_content(trigger), MAX_TRIGGERS)
        if rows:
            return _trigger(rows[0])
        if await self.find(trigger.name) is not None:
            raise taken(trigger.name)
        raise too_many()

    async def find(self, name: str) -> Trigger | None:
        """See TriggerStore."""
        rows = await self._fetch("find", name)
        return _trigger(rows[0]) if rows else None

    async def listed(self, *, after: str = "", limit: int = 50) -> list[Trigger]:
        """See TriggerStore."""
        return [_trigger(row) for row in await self._fetch("listed", after, limit)]

    async def change(self, trigger: Trigger) -> Trigger | None:
        """See TriggerStore."""
        rows = await self._fetch("change", *_content(trigger), trigger.rev)
        return _trigger(rows[0]) if rows else None

    async def delete(self, name: str) -> bool:
        """See TriggerStore."""
        return bool(await self._fetch("delete", name))

    async def load(self, known: Mapping[str, int]) -> tuple[set[str], list[Trigger]]:
        """See TriggerStore."""
        rows = await self._fetch("load", list(known), list(known.values()))
        return {str(row["id"]) for row in rows}, [_trigger(row) for row in rows if row["new"]]

    async def acted(self, firing_ids: Collection[str]) -> set[str]:
        """See TriggerStore."""
        return {str(row["id"]) for row in await self._fetch("acted", list(firing_ids))}

    async def record(self, firings: Sequence[Firing]) -> None:
        """See TriggerStore."""
        columns = [
            [one.id for one in firings],
            [one.trigger_id for one in firings],
            [one.source for one in firings],
            [one.message_id for one in firings],
            [one.topic for one in firings],
            [one.outcome.value for one in firings],
            [_text(one.error) for one in firings],
            [one.start for one in firings],
            [one.attempts for one in firings],
            [one.pause for one in firings],
        ]
        await self._fetch("record", *columns)

    async def claim(self, trigger_id: str, key: str, firing_id: str, at: datetime, until: datetime) -> Claim:
        """See TriggerStore."""
        [row] = await self._fetch("claim", trigger_id, key, firing_id, at, until)
        holder = str(row["firing_id"])
        return Claim(mine=holder == firing_id, firing_id=holder, until=row["until"])

    async def forgo(self, firing_ids: Collection[str]) -> None:
        """See TriggerStore."""
        await self._fetch("forgo", list(firing_ids))

    async def due(self, limit: int, seconds: float) -> list[tuple[Trigger, Firing]]:
        """See TriggerStore."""
        return [(_trigger(row), _waiting(row)) for row in await self._fetch("due", limit, seconds)]

    async def settle(self, firings: Sequence[Firing]) -> None:
        """See TriggerStore."""
        columns = [
            [one.id for one in firings],
            [one.outcome.value for one in firings],
            [_text(one.error) for one in firings],
            [one.attempts for one in firings],
            [one.pause for one in firings],
        ]
        await self._fetch("settle", *columns)

    async def firings(
        self,
        trigger_id: str,
        *,
        outcome: Outcome | None = None,
        before: tuple[datetime, str] | None = None,
        limit: int = 50,
    ) -> list[Firing]:
        """See TriggerStore."""
        given = [("outcome = $", outcome and outcome.value), ("(at, id) < ($::timestamptz, $::uuid)", before)]
        query, values = queries.filtered(_SQL["firings"], given, trigger_id, limit)
        return [_firing(row) for row in await self._query(query, *values)]

    async def chains(self, thread_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """See TriggerStore."""
        found: dict[str, tuple[str, ...]] = {}
        for row in await self._fetch("chains", list(thread_ids)):
            chain = tuple(map(str, jsontext.loads(row["chain"])))
            found[row["thread_id"]] = max(found.get(row["thread_id"], ()), chain, key=len)
        return found

    async def waiting(self) -> int:
        """See TriggerStore."""
        return (await self._fetch("waiting"))[0]["number"]

    async def prune(self, days: float, limit: int) -> int:
        """See TriggerStore."""
        return (await self._fetch("prune", days, limit))[0]["number"]

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        return await self._query(_SQL[query], *arguments)

    async def _query(self, query: str, *arguments: object) -> list[Record]:
        try:
            return await self._pool.fetch(query, *arguments)
        except (*db.LOST, *db.AGAIN) as error:
            raise db.unavailable(error) from error


def _text(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else jsontext.dumps(dict(value))


def _content(one: Trigger) -> tuple[Any, ...]:
    return (
        one.id,
        one.name,
        one.topic,
        one.workflow,
        one.condition,
        jsontext.dumps(one.input),
        one.key,
        one.window,
        one.enabled,
        one.queue,
        one.priority,
        one.delay,
        one.description,
    )


def _trigger(row: Any) -> Trigger:
    names = ("name", "topic", "workflow", "condition", "key", "window", "enabled", "queue", "priority", "delay")
    more = {name: row[name] for name in (*names, "description", "rev", "created_at", "updated_at")}
    return Trigger(id=str(row["id"]), input=jsontext.loads(row["input"]), since=row["xact"], **more)


def _waiting(row: Any) -> Firing:
    return _firing({**row, "trigger_id": row["id"], "id": row["firing_id"], "topic": row["message_topic"]})


def _firing(row: Any) -> Firing:
    return Firing(
        id=str(row["id"]),
        trigger_id=str(row["trigger_id"]),
        source=row["source"],
        message_id=row["message_id"],
        topic=row["topic"],
        outcome=Outcome(row["outcome"]),
        error=None if row["error"] is None else jsontext.loads(row["error"]),
        start=row["start"],
        attempts=row["attempts"],
        at=row["at"],
    )
