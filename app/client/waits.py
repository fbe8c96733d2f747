"""The waits of a service, for `app.client`: what steps wait for, and signals to threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from app.client.service import Backstitch


class Waits:
    """As `Waits(service)`; every method raises what those of Backstitch raise."""

    def __init__(self, service: Backstitch) -> None:
        self._service = service

    async def of(self, **filters: object) -> dict[str, Any]:
        """A page of waits, newest first; `filters`: thread_id, step_id, topic, signal, open, limit, cursor."""
        return await self._service.request("GET", "/api/waits", params=filters)

    async def send(
        self, thread_id: str, name: str, value: Any = None, *, by: str | None = None, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Send a signal, any JSON value; doing it twice with one key does it once."""
        headers = None if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        path = _path(thread_id, name)
        return await self._service.request("POST", path, json=value, params={"by": by}, headers=headers)

    async def signals(self, thread_id: str, **filters: object) -> dict[str, Any]:
        """A page of a thread's signals, oldest first; `filters`: name, pending, limit, cursor."""
        return await self._service.request("GET", _path(thread_id), params=filters)


def _path(*parts: str) -> str:
    return "/".join(["/api/invoke/signals", *(quote(part, safe="") for part in parts)])
