"""What steps are done in and what they cost, for `app.client`: items and usage."""

from __future__ import annotations

from typing import Any, Final

from app.client.http import path
from app.client.part import Part

_AT: Final = "/api/workflow/items"


class Steps(Part):
    """As `Steps(service)`."""

    async def items(self, thread_id: str, step_id: str, **filters: object) -> dict[str, Any]:
        """A page of the items of a `for_each` or the iterations of a `repeat`; `filters`: status, limit, cursor."""
        return await self._service.request("GET", path(_AT, thread_id, step_id), params=filters)

    async def item(self, thread_id: str, step_id: str, index: int) -> dict[str, Any]:
        """One of them, with its whole output."""
        return await self._service.request("GET", path(_AT, thread_id, step_id, str(index)))

    async def usage(self, *by: str, **filters: object) -> dict[str, Any]:
        """What work has cost, summed by agent, workflow, day or several; `filters`: since, until, limit, cursor."""
        groups = {"by": ",".join(by)} if by else {}
        return await self._service.request("GET", "/api/usage", params={**groups, **filters})
