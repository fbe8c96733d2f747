"""The directory: this process's own copy of all agents, which steps look at without asking anybody.

The stored rows are the truth.  The copy is brought up to date every two seconds, and at once when another process hints at
a change; an attempt goes by what the copy says when it begins, to its end.  What the code of this process registers is
written when it starts, and again whenever it is missing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain import agent_document
from app.domain.agents import EXAMPLES, Agent, AgentRecord, Agents, taken, to_take_away
from app.domain.errors import Conflict, InvalidAgent, StartupError, Unavailable
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from app.domain.agents import AgentEvent, AgentKind, AgentStore
    from app.domain.errors import Problem

REFRESH_EVERY: Final = 2.0
"""Seconds between two looks at the store."""
_log = logging.getLogger(__name__)


class Directory(Agents):
    """One for the process.  `code` are the agents that its code registers, each with where it stands."""

    def __init__(
        self, store: AgentStore, kinds: Mapping[str, AgentKind], code: Sequence[tuple[Agent, str]] = ()
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._code = {agent.name: (agent, origin) for agent, origin in code}
        self.changed: Callable[[], Awaitable[None]] = _tell_nobody
        """Called after this process has changed a stored agent, so that others may be told."""
        self.in_files: Callable[[str], bool] = _in_none
        """Whether an agent stands in a file that this process watches."""
        self._records: dict[str, AgentRecord] = {}
        self._edits = 0
        self._looks = 0
        self._looking = asyncio.Lock()
        self._wake = asyncio.Event()
        self._missing: set[str] = set()
        self._away = False
        self.pulse = Pulse(REFRESH_EVERY)

    # ---- for steps
    def find(self, name: str) -> Agent | None:
        """See Agents."""
        record = self._records.get(name)
        return None if record is None else record.agent

    def names(self) -> list[str]:
        """See Agents."""
        return sorted(self._records)

    async def seek(self, name: str) -> Agent | None:
        """See Agents: of many that seek at once, a few look and the others make do with what these find."""
        found = self.find(name)
        if found is None:
            looks = self._looks
            async with self._looking:
                if self._looks < looks + 2:  # the second look since then has begun since then
                    await self._look()
            found = self.find(name)
        return found

    # ---- for people
    def record(self, name: str) -> AgentRecord | None:
        """The current version of an agent, as far as this process knows."""
        return self._records.get(name)

    def records(self) -> list[AgentRecord]:
        """The current version of each, by name."""
        return [self._records[name] for name in self.names()]

    def is_here(self, record: AgentRecord) -> bool:
        """Whether what registered an agent is here: its code is loaded, its file is watched and holds."""
        name, source = record.agent.name, record.agent.source
        return source == "api" or (name in self._code if source == "code" else self.in_files(name))

    def problems(self, agent: Agent) -> list[Problem]:
        """Why an agent could not work here and now."""
        return agent_document.problems(agent, self._kinds)

    def read(self, document: Any, *, source: str) -> Agent:
        """The agent that a document tells of.  Raises InvalidAgent."""
        return agent_document.parse(document, self._kinds, source=source)

    async def register(
        self, agent: Agent, *, origin: str | None = None, expected: int | None = None
    ) -> tuple[AgentRecord, bool]:
        """Make this the current content of an agent; whether it was not before.

        Raises InvalidAgent, Conflict (agent_taken, version_conflict), Unavailable.
        """
        found = self.problems(agent)
        if found:
            raise InvalidAgent(found)
        return await self._register(agent, origin, expected)

    async def delete(self, name: str, *, expected: int | None = None) -> AgentRecord | None:
        """Take an agent away; None if there is none.

        Raises Conflict: it stands in the code here or in a file (agent_taken), its version is another; Unavailable.
        """
        await self.refresh()
        record = self._records.get(name)
        if record is not None and record.agent.source != "api" and self.is_here(record):
            raise Conflict(f"agent {name} belongs to {record.owner}: {to_take_away(record)}", code="agent_taken")
        return await self._gone(name, await self._store.delete(name, expected=expected))

    async def drop(self, name: str, origin: str) -> None:
        """The file that an agent stood in is gone.  Raises Unavailable."""
        await self._gone(name, await self._store.delete(name, source="file", origin=origin))

    async def version(self, name: str, version: int) -> AgentRecord | None:
        """Any version that there ever was.  Raises Unavailable."""
        return await self._store.version(name, version)

    async def events(self, name: str, *, before: tuple[datetime, str] | None, limit: int) -> list[AgentEvent]:
        """What has happened to an agent, newest first.  Raises Unavailable."""
        return await self._store.events(name, before=before, limit=limit)

    # ---- the copy and the store
    async def open(self) -> None:
        """Store what the code registers, and read all.  Raises StartupError, Unavailable."""
        for agent, origin in self._code.values():
            found = self.problems(agent)
            if found:
                where = f"agent {agent.name} ({origin})"
                raise StartupError(f"{where} cannot be registered: {found[0].pointer}: {found[0].message}")
            try:
                await self._register(agent, origin, None)
            except Conflict as error:
                if not origin.startswith(EXAMPLES):
                    raise StartupError(error.message) from error
        async with self._looking:
            await self._look()

    async def run(self) -> None:
        """Read what changes elsewhere, until cancelled."""
        while True:
            self._wake.clear()
            self.pulse.beat()
            await self._turn()
            try:
                async with asyncio.timeout(REFRESH_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Read the store; the copy stays as it is while the store is away."""
        try:
            async with self._looking:
                await self._look()
        except Unavailable as error:
            self._lost(error)

    def hint(self) -> None:
        """Another process may have changed something: look soon."""
        self._wake.set()

    async def _turn(self) -> None:
        try:
            await self.refresh()
            if not self._away:
                await self._restore()
        except Unavailable as error:
            self._lost(error)
        except Exception:  # noqa: BLE001 - a fault here must not take the service down
            _log.exception("the agents could not be brought up to date")

    async def _restore(self) -> None:
        """Register what somebody has taken away though the code here has it."""
        for name in self._code.keys() - self._records.keys() - self._missing:
            agent, origin = self._code[name]
            try:
                await self._register(agent, origin, None)
            except Conflict as error:
                self._missing.add(name)
                _log.warning("an agent of the code is missing: %s", error.message)

    async def _look(self) -> None:
        """Read all again if anything was changed here meanwhile: what was read may be older than that."""
        while True:
            edits = self._edits
            found = await self._store.load(dict(self._records))
            if edits == self._edits:
                break
        self._looks += 1
        self._away = False
        for name in self._records.keys() - found.keys():
            _log.info("agent %s is gone", name)
        for name, record in found.items():
            known = self._records.get(name)
            if known is not None and known.agent.version != record.agent.version:
                _log.info("agent %s is in version %d now", name, record.agent.version)
        self._records = found

    async def _register(self, agent: Agent, origin: str | None, expected: int | None) -> tuple[AgentRecord, bool]:
        try:
            record, changed = await self._store.register(agent, origin=origin, expected=expected)
        except Conflict as error:
            raise await self._refusal(agent, error) from None
        self._records[agent.name] = record
        self._edits += 1
        if changed:
            version = record.agent.version
            _log.info("agent %s is registered by %s in version %d", agent.name, record.owner, version)
            await self.changed()
        return record, changed

    async def _refusal(self, agent: Agent, error: Conflict) -> Conflict:
        """Why an agent cannot be registered, with what is to be done about it here."""
        if error.code != "agent_taken":
            return error
        await self.refresh()
        record = self._records.get(agent.name)
        if record is None:
            return error
        return Conflict(taken(record, agent, here=self.is_here(record)), code=error.code)

    async def _gone(self, name: str, record: AgentRecord | None) -> AgentRecord | None:
        if record is not None:
            self._edits += 1
            self._records.pop(name, None)
            _log.info("agent %s was deleted, it belonged to %s", name, record.owner)
            await self.changed()
        return record

    def _lost(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _log.warning("agents go by what is known here, their store is away: %s", error)


async def _tell_nobody() -> None:
    """No other process is known."""


def _in_none(_: str) -> bool:
    """There are no files."""
    return False
