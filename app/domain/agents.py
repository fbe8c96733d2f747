"""Agents: named, registered doers of steps, and what a kind of agent must do.

An agent is data (name, kind, config, schemas); its kind is code, one file in runners/ and one line of registration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from app.domain.runner import Attempt, Outcome

SOURCES: Final = {"code": "code", "file": "a file", "api": "the API"}
"""Who registers agents, and what they are called."""
EXAMPLES: Final = "app.examples."
"""What the origin of the agents of our own examples begins with; they give way to whoever wants their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One registered agent.

    `config` is its kind's own; `input_schema` and `output_schema` are JSON Schemas (draft 2020-12) or None; `version` rises by
    one whenever anything of it changes (0: not stored yet); `source` is who registered it: "code", "file" or "api".
    """

    name: str
    kind: str
    version: int = 0
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    description: str | None = None
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    tags: Sequence[str] = ()
    source: str = "code"


class AgentKind(Protocol):
    """Performs the steps of all agents of one kind.  Made once for the process; it may hold connections."""

    def config_schema(self) -> Mapping[str, Any]:
        """The JSON Schema (draft 2020-12) of such an agent's `config`; it is checked before anything else sees the config."""
        ...

    def check(self, agent: Agent) -> list[str]:
        """What is wrong with such an agent here and now, in words (a key that is not set names its variable); told when it is
        registered, and when a workflow that uses it is registered or started.
        """
        ...

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Carry out one attempt of a step by that agent: see Runner.perform."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """A version of an agent as it is stored.  `hash` is of its content; `origin` is where in its source it stands (a function,
    the name of a file); `current`: it is the version that steps use.
    """

    agent: Agent
    hash: str
    origin: str | None
    current: bool
    created_at: datetime

    @property
    def owner(self) -> str:
        """Who registered it, in words."""
        return SOURCES.get(self.agent.source, self.agent.source) + (f" ({self.origin})" if self.origin else "")

    @property
    def gives_way(self) -> bool:
        """Whether its name is free to others all the same."""
        return self.agent.source == "code" and (self.origin or "").startswith(EXAMPLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """What has happened to an agent: it was `registered`, `changed`, `deleted`, `disabled` or `enabled`."""

    id: str
    at: datetime
    agent: str
    name: str
    data: Mapping[str, Any]


class Agents(Protocol):
    """The agents as steps find them."""

    def find(self, name: str) -> Agent | None:
        """The current version, as far as this process knows."""
        ...

    def names(self) -> Collection[str]:
        """The names of all, sorted."""
        ...

    async def seek(self, name: str) -> Agent | None:
        """As `find`, but looks into the store for one that is not known here.  Raises Unavailable."""
        ...


class AgentStore(Protocol):
    """The stored agents; all raise Unavailable while the store is away.

    A name belongs to the source that registered it first, until it is deleted (save `AgentRecord.gives_way`).  The same
    content is the same version: the content of an earlier one makes that the current one again.
    """

    async def load(self, known: Mapping[str, AgentRecord]) -> dict[str, AgentRecord]:
        """The current version of each, by name; what has not changed since `known` comes as the same object."""
        ...

    async def register(
        self, agent: Agent, *, origin: str | None = None, expected: int | None = None
    ) -> tuple[AgentRecord, bool]:
        """Make this the current content; whether it was not before.  Any `version` of the agent given is ignored.

        Raises Conflict: the name belongs to another source (agent_taken), the current version is not `expected`
        (version_conflict).
        """
        ...

    async def delete(
        self, name: str, *, source: str | None = None, origin: str | None = None, expected: int | None = None
    ) -> AgentRecord | None:
        """Take an agent away, its versions stay; with `source` only if it is from there, and from that `origin`.

        None if there is none.  Raises Conflict (version_conflict).
        """
        ...

    async def version(self, name: str, version: int) -> AgentRecord | None:
        """Any version that there ever was."""
        ...

    async def events(self, name: str, *, before: tuple[datetime, str] | None, limit: int) -> list[AgentEvent]:
        """What has happened to an agent, newest first, from before (at, id) on.

        Each event is written with what it tells of; those of breakers by the store of the breakers.
        """
        ...


def check_owner(current: AgentRecord | None, agent: Agent, expected: int | None) -> None:
    """Whether `agent` may take the place of the current one.  Raises Conflict as AgentStore.register."""
    check_version(agent.name, current, expected)
    if current is not None and current.agent.source != agent.source and not current.gives_way:
        raise Conflict(taken(current, agent, here=False), code="agent_taken")


def taken(current: AgentRecord, agent: Agent, *, here: bool) -> str:
    """Why `agent` cannot take the place of the current one, and what can be done; `here`: what has registered that is here."""
    name, source = agent.name, current.agent.source
    who = SOURCES.get(agent.source, agent.source)
    way = f"delete it first (`backstitch agents delete {name}`)"
    if here and source != "api":
        way = "change that file" if source == "file" else "change it in that code and start the service again"
    elif source != "api":
        way = f"what registered it is not here any more: {way}"
    return (
        f"agent {name} belongs to {current.owner}, in version {current.agent.version}: {who} cannot register it; {way}, or "
        "use another name"
    )


def to_take_away(record: AgentRecord) -> str:
    """What takes an agent away that code or a file here has: it would come back if it were deleted."""
    name = record.agent.name
    if record.agent.source == "file":
        return "remove that file, and the agent goes with it"
    if record.gives_way:
        way = "it comes with Backstitch, and gives way to any agent that you register under its name"
    else:
        way = "take it out of that code and start the service again, then delete it"
    return f"{way}; to stop its steps now, disable it (`backstitch agents disable {name}`)"


def check_version(name: str, current: AgentRecord | None, expected: int | None) -> None:
    """Whether the current version is the expected one.  Raises Conflict (version_conflict)."""
    found = current.agent.version if current is not None else None
    if expected is not None and expected != found:
        told = f"agent {name} is in version {found}" if found else f"there is no agent {name}"
        raise Conflict(f"{told}, not {expected}", code="version_conflict")
