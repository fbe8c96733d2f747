"""The waits of a service, for `app.client`: what steps wait for, and signals to threads."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, cast

from app.client.http import KEY, path
from app.client.part import Part

if TYPE_CHECKING:
    from typing import Unpack

    from app.client.message_types import SignalAnswer, SignalSentAnswer, WaitAnswer
    from app.client.pages import Pages
    from app.client.part_fields import SignalFilters, WaitFilters

_SIGNALS: Final = "/api/invoke/signals"


class Waits(Part):
    """As `Waits(service)`."""

    def of(self, **filters: Unpack[WaitFilters]) -> Pages[WaitAnswer]:
        """Waits, newest first."""
        return self._service.pages("/api/waits", "waits", **filters)

    async def send(
        self, thread_id: str, name: str, value: Any = None, *, by: str | None = None, idempotency_key: str | None = None
    ) -> SignalSentAnswer:
        """Send a signal, any JSON value.  However often this has to be sent, it comes once; with a key of yours, also when
        this is called again.
        """
        headers = {KEY: idempotency_key or str(uuid.uuid4())}
        where = path(_SIGNALS, thread_id, name)
        found = await self._service.request("POST", where, json=value, params={"by": by}, headers=headers)
        return cast("SignalSentAnswer", found)

    def signals(self, thread_id: str, **filters: Unpack[SignalFilters]) -> Pages[SignalAnswer]:
        """A thread's signals, oldest first."""
        return self._service.pages(path(_SIGNALS, thread_id), "signals", **filters)
