"""The agents in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.agent_document import content
from app.domain.agents import Agent, AgentEvent, AgentRecord, AgentStore, check_owner, check_version
from app.domain.ids import uuid7
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.breakers import BreakerRecord


@dataclass(slots=True)
class AgentTables:
    """What the stores of one service share; `clock` is the database's."""

    clock: Callable[[], datetime] = utc_now
    versions: dict[str, list[AgentRecord]] = field(default_factory=dict[str, list[AgentRecord]])
    """By name, in the order of versions."""
    events: list[AgentEvent] = field(default_factory=list[AgentEvent])

    def note(self, agent: str, event: str, data: Mapping[str, Any]) -> None:
        """Write an event."""
        self.events.append(AgentEvent(id=uuid7(), at=self.clock(), agent=agent, name=event, data=data))

    def breaker_moved(self, before: BreakerRecord, after: BreakerRecord) -> None:
        """A breaker has changed: its agent may have been disabled or enabled by that."""
        if after.disabled and not before.disabled:
            self.note(after.agent, "disabled", {"reason": after.reason, "by_hand": after.forced})
        elif before.disabled and not after.disabled:
            self.note(after.agent, "enabled", {})


class MemoryAgents(AgentStore):
    """See domain.agents.AgentStore."""

    def __init__(self, tables: AgentTables) -> None:
        self._tables = tables

    async def load(self, known: Mapping[str, AgentRecord]) -> dict[str, AgentRecord]:  # noqa: ARG002 - the port's name
        """See AgentStore."""
        found = {name: self._current(name) for name in self._tables.versions}
        return {name: record for name, record in found.items() if record is not None}

    async def register(
        self, agent: Agent, *, origin: str | None = None, expected: int | None = None
    ) -> tuple[AgentRecord, bool]:
        """See AgentStore."""
        before = self._current(agent.name)
        check_owner(before, agent, expected)
        digest = jsontext.sha256(content(agent)).hex()
        versions = self._tables.versions.setdefault(agent.name, [])
        same = next((each for each in reversed(versions) if each.hash == digest), None)
        if same is None:
            stored = replace(agent, version=len(versions) + 1)
            same = AgentRecord(agent=stored, hash=digest, origin=origin, current=True, created_at=self._tables.clock())
            versions.append(same)
        elif before is not None and same is before and (agent.source, origin) == (before.agent.source, before.origin):
            return before, False
        record = replace(same, agent=replace(same.agent, source=agent.source), origin=origin)
        self._make_current(agent.name, record)
        changed = before is None or before.agent.version != record.agent.version
        if changed:
            self._tables.note(agent.name, "registered" if before is None else "changed", _told(record))
        return self._current(agent.name) or record, changed

    async def delete(
        self, name: str, *, source: str | None = None, origin: str | None = None, expected: int | None = None
    ) -> AgentRecord | None:
        """See AgentStore."""
        before = self._current(name)
        check_version(name, before, expected)
        if before is None or (source is not None and (before.agent.source, before.origin) != (source, origin)):
            return None
        self._make_current(name, None)
        self._tables.note(name, "deleted", _told(before))
        return before

    async def version(self, name: str, version: int) -> AgentRecord | None:
        """See AgentStore."""
        return next((each for each in self._tables.versions.get(name, ()) if each.agent.version == version), None)

    async def events(self, name: str, *, before: tuple[datetime, str] | None, limit: int) -> list[AgentEvent]:
        """See AgentStore."""
        found = sorted((each for each in self._tables.events if each.agent == name), key=_place, reverse=True)
        return [each for each in found if before is None or _place(each) < before][:limit]

    def _current(self, name: str) -> AgentRecord | None:
        return next((each for each in self._tables.versions.get(name, ()) if each.current), None)

    def _make_current(self, name: str, record: AgentRecord | None) -> None:
        versions = self._tables.versions[name]
        for place, each in enumerate(versions):
            if record is not None and each.agent.version == record.agent.version:
                versions[place] = replace(record, current=True)
            elif each.current:
                versions[place] = replace(each, current=False)


def _place(event: AgentEvent) -> tuple[datetime, str]:
    return event.at, event.id


def _told(record: AgentRecord) -> dict[str, Any]:
    return {"version": record.agent.version, "source": record.agent.source, "origin": record.origin}
