"""The events of one thread without a stream, tokens for streams, and what is going on, for `app.client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from app.client.service import Backstitch


class Polling:
    """As `Polling(service)`; every method raises what those of Backstitch raise."""

    def __init__(self, service: Backstitch) -> None:
        self._service = service

    async def events(self, thread_id: str, **fields: object) -> dict[str, Any]:
        """Events after a cursor, waited for if there is none; `fields`: after, limit, max_bytes, wait (seconds, up to 30)."""
        return await self._service.request("GET", _path("events", thread_id), params=fields)

    async def token(self, thread_id: str, ttl: str | float | None = None) -> dict[str, Any]:
        """A token for the thread's stream, the stream's path with it, and when its time is over."""
        body = {} if ttl is None else {"ttl": ttl}
        return await self._service.request("POST", _path("token", thread_id), json=body)

    async def monitor(self, **fields: object) -> dict[str, Any]:
        """Threads that have not ended, and what each waits for; `fields`: workflow, stuck_after, limit."""
        return await self._service.request("GET", "/api/workflow/monitor", params=fields)


def _path(action: str, thread_id: str) -> str:
    return f"/api/invoke/{action}/{quote(thread_id, safe='')}"
