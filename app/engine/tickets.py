"""Gives out tickets for the streams of threads, and looks at those that are shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.domain import tickets

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.tickets import Keys


class Tickets:
    """One for the process; the key is read once."""

    def __init__(self, keys: Keys, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now
        self._key: bytes | None = None

    async def issue(self, thread_id: str, seconds: float) -> tuple[str, datetime]:
        """A ticket for a thread's stream, and when its time is over.  Raises Unavailable."""
        expires = int(self._now().timestamp() + seconds)
        return tickets.sign(await self._known(), thread_id, expires), datetime.fromtimestamp(expires, UTC)

    async def check(self, ticket: str, thread_id: str) -> None:
        """Raises Unauthorized, Forbidden, Unavailable."""
        tickets.check(await self._known(), ticket, thread_id, self._now().timestamp())

    async def _known(self) -> bytes:
        if self._key is None:
            self._key = await self._keys.key(tickets.KEY)
        return self._key
