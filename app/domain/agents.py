"""Agents: named, registered doers of steps, and what a kind of agent must do.

An agent is data (name, kind, config, schemas); its kind is code, one file in runners/ and one line of registration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.domain.runner import Attempt, Outcome


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
