"""The agents on PostgreSQL: a row a version, of which one at most is current; whoever changes that holds the name's lock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.agents import Agent, AgentEvent, AgentRecord, AgentStore, check_owner, check_version
from app.domain.ids import uuid7
from app.store import queries
from app.store.db import AGAIN, LOST, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from asyncpg import Record

    from app.store import db

_SQL: Final = queries.load("agents")
_MAX_VERSION: Final = 2**31 - 1


class PostgresAgents(AgentStore):
    """See domain.agents.AgentStore."""

    def __init__(self, pool: db.Pool, tenant: str = "default") -> None:
        self._pool = pool
        self._tenant = tenant

    async def load(self, known: Mapping[str, AgentRecord]) -> dict[str, AgentRecord]:
        """See AgentStore: the content of what is known stays where it is."""
        keys = [(name, record.agent.version, record.hash) for name, record in known.items()]
        names, versions, hashes = [list(column) for column in zip(*keys, strict=True)] if keys else ([], [], [])
        rows = await self._fetch("load", self._tenant, names, versions, hashes)
        return {row["name"]: _record(row) if row["new"] else _kept(known[row["name"]], row) for row in rows}

    async def register(
        self, agent: Agent, *, origin: str | None = None, expected: int | None = None
    ) -> tuple[AgentRecord, bool]:
        """See AgentStore."""
        values = (self._tenant, agent.name, *_content(agent), agent.source, origin)
        if expected is None:
            same = await self._fetch("same", *values)
            if same:
                return _record(same[0]), False
        async with self._locked(agent.name) as connection:
            before = _one(await connection.fetch(_SQL["current"], self._tenant, agent.name))
            check_owner(before, agent, expected)
            await connection.execute(_SQL["retire"], self._tenant, agent.name)
            revived = await connection.fetch(_SQL["revive"], *values)
            record = _record((revived or await connection.fetch(_SQL["insert"], *values))[0])
            changed = before is None or before.agent.version != record.agent.version
            if changed:
                event = "registered" if before is None else "changed"
                await connection.execute(_SQL["note"], *self._event(agent.name, event, _told(record)))
        return record, changed

    async def delete(
        self, name: str, *, source: str | None = None, origin: str | None = None, expected: int | None = None
    ) -> AgentRecord | None:
        """See AgentStore."""
        async with self._locked(name) as connection:
            before = _one(await connection.fetch(_SQL["current"], self._tenant, name))
            check_version(name, before, expected)
            if before is None or (source is not None and (before.agent.source, before.origin) != (source, origin)):
                return None
            await connection.execute(_SQL["delete"], self._tenant, name)
            await connection.execute(_SQL["note"], *self._event(name, "deleted", _told(before)))
        return before

    async def version(self, name: str, version: int) -> AgentRecord | None:
        """See AgentStore."""
        if version > _MAX_VERSION or "\0" in name:
            return None
        return _one(await self._fetch("version", self._tenant, name, version))

    async def events(self, name: str, *, before: tuple[datetime, str] | None, limit: int) -> list[AgentEvent]:
        """See AgentStore."""
        at, event_id = before or (None, None)
        rows = await self._fetch("events", self._tenant, name, at, event_id, limit)
        return [
            AgentEvent(
                id=str(row["id"]),
                at=row["at"],
                agent=row["agent"],
                name=row["event"],
                data=jsontext.loads(row["data"]),
            )
            for row in rows
        ]

    def _event(self, agent: str, event: str, data: Mapping[str, Any]) -> tuple[str, ...]:
        return (self._tenant, agent, uuid7(), event, jsontext.dumps(data))

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncGenerator[Any]:
        """A transaction that nobody else changes this agent beside.  Raises Unavailable."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                # A statement of its own: the next one's snapshot must see what the last holder of the lock wrote.
                await connection.execute(_SQL["lock"], self._tenant, name)
                yield connection
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error

    async def _fetch(self, query: str, *args: object) -> list[Record]:
        try:
            return await self._pool.fetch(_SQL[query], *args)
        except (*LOST, *AGAIN) as error:
            raise unavailable(error) from error


def _content(agent: Agent) -> tuple[Any, ...]:
    schemas = [None if one is None else jsontext.dumps(one) for one in (agent.input_schema, agent.output_schema)]
    return (agent.kind, agent.description, jsontext.dumps(agent.config), *schemas, list(agent.tags))


def _one(rows: list[Any]) -> AgentRecord | None:
    return _record(rows[0]) if rows else None


def _record(row: Any) -> AgentRecord:
    agent = Agent(
        name=row["name"],
        kind=row["kind"],
        version=row["version"],
        config=jsontext.loads(row["config"]),
        description=row["description"],
        input_schema=_parsed(row["input_schema"]),
        output_schema=_parsed(row["output_schema"]),
        tags=tuple(row["tags"]),
        source=row["source"],
    )
    more = {name: row[name] for name in ("hash", "origin", "current", "created_at")}
    return AgentRecord(agent=agent, **more)


def _kept(known: AgentRecord, row: Any) -> AgentRecord:
    """The record that is known, unless its agent has moved to another place since."""
    if (known.agent.source, known.origin) == (row["source"], row["origin"]):
        return known
    agent = replace(known.agent, source=row["source"])
    return replace(known, agent=agent, origin=row["origin"])


def _parsed(text: str | None) -> Any:
    return None if text is None else jsontext.loads(text)


def _told(record: AgentRecord) -> dict[str, Any]:
    return {"version": record.agent.version, "source": record.agent.source, "origin": record.origin}
