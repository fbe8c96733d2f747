"""The gates of a service, for `app.client`: which questions are open, and the answer to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from app.client.service import Backstitch


class Gates:
    """As `Gates(service)`; every method raises what those of Backstitch raise."""

    def __init__(self, service: Backstitch) -> None:
        self._service = service

    async def open(self, **filters: object) -> dict[str, Any]:
        """A page of the gates of all threads that can be answered, newest first; `filters`: assignee, limit, cursor."""
        return await self._service.request("GET", "/api/gates", params=filters)

    async def of(self, thread_id: str, **filters: object) -> dict[str, Any]:
        """A page of a thread's gates with their answers, newest first; `filters`: limit, cursor."""
        return await self._service.request("GET", _path(thread_id), params=filters)

    async def show(self, thread_id: str, step_id: str, **which: int | None) -> dict[str, Any]:
        """The gate of a step, whole; `which`: the item of a `for_each`, the round of a step that asks several questions."""
        return await self._service.request("GET", _path(thread_id, step_id), params=which)

    async def answer(self, thread_id: str, step_id: str, answer: object, **fields: object) -> dict[str, Any]:
        """Answer the gate of a step with any JSON value; `fields`: by, via, item, round."""
        given = {name: value for name, value in fields.items() if value is not None}
        return await self._service.request("POST", _path(thread_id, step_id), json={"answer": answer, **given})


def _path(*parts: str) -> str:
    return "/".join(["/api/invoke/gates", *(quote(part, safe="") for part in parts)])
