"""The events of one thread without a stream, tokens for streams, and what is going on, for `app.client`."""

from __future__ import annotations

from typing import Any

from app.client.http import path
from app.client.part import Part


class Polling(Part):
    """As `Polling(service)`."""

    async def events(self, thread_id: str, **fields: object) -> dict[str, Any]:
        """Events after a cursor, waited for if there is none; `fields`: after, limit, max_bytes, wait (seconds, up to 30)."""
        return await self._service.request("GET", path("/api/invoke", "events", thread_id), params=fields)

    async def token(self, thread_id: str, ttl: str | float | None = None) -> dict[str, Any]:
        """A token for the thread's stream, the stream's path with it, and when its time is over."""
        body = {} if ttl is None else {"ttl": ttl}
        return await self._service.request("POST", path("/api/invoke", "token", thread_id), json=body)

    async def monitor(self, **fields: object) -> dict[str, Any]:
        """Threads that have not ended, and what each waits for; `fields`: workflow, stuck_after, limit."""
        return await self._service.request("GET", "/api/workflow/monitor", params=fields)
