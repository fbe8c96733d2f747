"""The agents of a Backstitch service, as methods.

async with Backstitch() as service:
    health = await Agents(service).health("analyst", window="1h")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject: TypeAlias = dict[str, Any]


class Service(Protocol):
    """What is needed of client.Backstitch."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> JsonObject:
        """The JSON answer of any route."""
        ...


class Agents:
    """The routes under /api/agents; every method raises what the service's own methods raise."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, **filters: object) -> JsonObject:
        """A page of agents, by name; `filters`: kind, tag, enabled, limit, cursor."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in filters.items()}
        return await self._service.request("GET", "/api/agents", params=given)

    async def register(self, document: Mapping[str, Any]) -> JsonObject:
        """Register an agent (name, kind, description, config, input, output, tags), or give it another content."""
        return await self._service.request("POST", "/api/agents", json=document)

    async def show(self, reference: str) -> JsonObject:
        """An agent by name, or name@version."""
        return await self._service.request("GET", _path(reference))

    async def change(self, reference: str, **fields: object) -> JsonObject:
        """Change what is given and leave the rest; with name@version only while that is the current version."""
        return await self._service.request("PATCH", _path(reference), json=fields)

    async def delete(self, reference: str) -> JsonObject:
        """Take an agent away that the API has registered."""
        return await self._service.request("DELETE", _path(reference))

    async def health(self, name: str, *, window: str | float | None = None) -> JsonObject:
        """How it does, over a window up to now such as "1h" (15 minutes without)."""
        return await self._service.request("GET", _path(name, "/health"), params={"window": window})

    async def enable(self, name: str) -> JsonObject:
        """Let its steps through again."""
        return await self._service.request("POST", _path(name, "/enable"))

    async def disable(self, name: str, reason: str | None = None) -> JsonObject:
        """Let its steps wait until it is enabled."""
        return await self._service.request("POST", _path(name, "/disable"), json={"reason": reason})

    async def events(self, name: str, **page: object) -> JsonObject:
        """A page of what has happened to it, newest first; `page`: limit, cursor."""
        return await self._service.request("GET", _path(name, "/events"), params=page)


def _path(reference: str, rest: str = "") -> str:
    return f"/api/agents/{quote(reference, safe='@')}{rest}"
