"""The agents of a Backstitch service, as methods.

async with Backstitch() as service:
    health = await Agents(service).health("analyst", window="1h")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.client.http import path
from app.client.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from app.client.agent_types import AgentAnswer, AgentEventAnswer, AgentHealthAnswer, DeletedAgentAnswer
    from app.client.fields import PageFilters
    from app.client.pages import Pages
    from app.client.part_fields import AgentFilters

_AT: Final = "/api/agents"


class Agents(Part):
    """The routes under /api/agents."""

    def list(self, **filters: Unpack[AgentFilters]) -> Pages[AgentAnswer]:
        """The agents, by name."""
        return self._service.pages(_AT, "agents", **filters)

    async def register(self, document: Mapping[str, Any]) -> AgentAnswer:
        """Register an agent (name, kind, description, config, input, output, tags), or give it another content."""
        return cast("AgentAnswer", await self._service.request("POST", _AT, json=document))

    async def show(self, reference: str) -> AgentAnswer:
        """An agent by name, or name@version."""
        return cast("AgentAnswer", await self._service.request("GET", path(_AT, reference)))

    async def change(self, reference: str, **fields: object) -> AgentAnswer:
        """Change what is given and leave the rest; with name@version only while that is the current version."""
        return cast("AgentAnswer", await self._service.request("PATCH", path(_AT, reference), json=fields))

    async def delete(self, reference: str) -> DeletedAgentAnswer:
        """Take an agent away that the API has registered."""
        return cast("DeletedAgentAnswer", await self._service.request("DELETE", path(_AT, reference)))

    async def health(self, name: str, *, window: str | float | None = None) -> AgentHealthAnswer:
        """How it does, over a window up to now such as "1h" (15 minutes without)."""
        found = await self._service.request("GET", path(_AT, name, "health"), params={"window": window})
        return cast("AgentHealthAnswer", found)

    async def enable(self, name: str) -> AgentAnswer:
        """Let its steps through again."""
        return cast("AgentAnswer", await self._service.request("POST", path(_AT, name, "enable")))

    async def disable(self, name: str, reason: str | None = None) -> AgentAnswer:
        """Let its steps wait until it is enabled."""
        found = await self._service.request("POST", path(_AT, name, "disable"), json={"reason": reason})
        return cast("AgentAnswer", found)

    def events(self, name: str, **page: Unpack[PageFilters]) -> Pages[AgentEventAnswer]:
        """What has happened to it, newest first."""
        return self._service.pages(path(_AT, name, "events"), "events", **page)
