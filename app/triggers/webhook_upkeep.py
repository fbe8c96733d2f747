"""What goes on beside the sending of webhooks: old deliveries are deleted, and what waits and fails is looked at."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.webhook_store import Backlog
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.webhook_store import DeliveryLog, DeliveryQueue, WebhookBook
    from app.domain.webhooks import Webhook

_LOOK: Final = 10.0
_TIDY: Final = 60.0
_BATCH: Final = 1_000
_log: Final = logging.getLogger(__name__)


class WebhookUpkeep:
    """One for the process; `days` that ended deliveries are kept.  What it tells is some seconds old."""

    def __init__(self, book: WebhookBook, queue: DeliveryQueue, log: DeliveryLog, *, days: float) -> None:
        self._book = book
        self._queue = queue
        self._deliveries = log
        self._days = days
        self._tidied_at = monotonic()
        self.backlog = Backlog()
        self.failing: Sequence[Webhook] = ()
        self.pulse = Pulse(_LOOK)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
                if monotonic() - self._tidied_at > _TIDY:
                    self._tidied_at = monotonic()
                    await self.tidy()
            except Unavailable as error:
                _log.debug("webhooks are not tidied: %s", error)
            except Exception:  # noqa: BLE001 - the next turn may succeed
                _log.exception("webhooks could not be tidied")
            self.pulse.beat()
            await asyncio.sleep(_LOOK)

    async def look(self) -> None:
        """How it stands.  Raises Unavailable."""
        self.backlog = await self._queue.backlog()
        self.failing = await self._book.failing()

    async def tidy(self) -> None:
        """Delete what is old, in batches with pauses as long as they took.  Raises Unavailable."""
        while True:
            began = monotonic()
            if await self._deliveries.tidy(self._days, _BATCH) < _BATCH:
                return
            self.pulse.beat()
            await asyncio.sleep(monotonic() - began)
