"""The schedules of a Backstitch service, as methods.

async with Backstitch() as service:
    firing = await Schedules(service).run("morning-briefing")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

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


class Schedules:
    """The routes under /api/schedules; every method raises what the service's own methods raise."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, **filters: object) -> JsonObject:
        """A page of schedules, by name; `filters`: workflow, paused, limit, cursor."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in filters.items()}
        return await self._service.request("GET", "/api/schedules", params=given)

    async def create(self, document: Mapping[str, Any]) -> JsonObject:
        """Make one: name, workflow, cron or every, and what else is to be said; the same again changes nothing."""
        return await self._service.request("POST", "/api/schedules", json=document)

    async def show(self, name: str) -> JsonObject:
        """A schedule with its last firing."""
        return await self._service.request("GET", _path(name))

    async def change(self, name: str, *, expected_revision: int | None = None, **fields: object) -> JsonObject:
        """Change what is given and leave the rest (None: as usual), only while it is in `expected_revision`, if given."""
        expected = {} if expected_revision is None else {"expected_revision": expected_revision}
        return await self._service.request("PATCH", _path(name), json={**fields, **expected})

    async def delete(self, name: str) -> JsonObject:
        """Take it away; its threads stay."""
        return await self._service.request("DELETE", _path(name))

    async def pause(self, name: str, reason: str | None = None) -> JsonObject:
        """Make none of its times until it is resumed."""
        return await self._service.request("POST", _path(name, "/pause"), json={"reason": reason})

    async def resume(self, name: str) -> JsonObject:
        """Go on with its times from now on."""
        return await self._service.request("POST", _path(name, "/resume"))

    async def run(self, name: str) -> JsonObject:
        """Fire now: the firing, whose `outcome` tells what came of it."""
        return await self._service.request("POST", _path(name, "/run"))

    async def backfill(
        self, name: str, first: str, last: str, *, overlap: str | None = None, dry_run: bool = False
    ) -> JsonObject:
        """Make its times from `first` to `last` (RFC 3339) for which nothing was started."""
        body: JsonObject = {"from": first, "to": last, "dry_run": dry_run}
        if overlap is not None:
            body["overlap"] = overlap
        return await self._service.request("POST", _path(name, "/backfill"), json=body)

    async def firings(self, name: str, **filters: object) -> JsonObject:
        """A page of what became of its times, the latest first; `filters`: outcome, kind, since, until, limit, cursor."""
        return await self._service.request("GET", _path(name, "/firings"), params=filters)

    async def all_firings(self, name: str, **filters: object) -> AsyncIterator[JsonObject]:
        """All of them, page by page."""
        cursor: object = None
        while True:
            page = await self.firings(name, **{**filters, "cursor": cursor})
            for firing in page["firings"]:
                yield firing
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def preview(self, **fields: object) -> JsonObject:
        """When something would fire; `fields`: cron, every, timezone, start_at, end_at, count, after."""
        return await self._service.request("POST", "/api/schedules/preview", json=fields)


def _path(name: str, rest: str = "") -> str:
    return f"/api/schedules/{quote(name, safe='')}{rest}"
