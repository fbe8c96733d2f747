"""How long a workflow is likely to take: the median of its executions of the last week, from the time series.

Asking costs a look into a table in memory; what is in it is read anew beside, more often while somebody asks.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.histogram import percentile
from app.domain.metric_spans import window
from app.domain.metrics import ALL, OTHER, Kind
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.metrics import MetricsStore

_BACK: Final = timedelta(days=7)
_NAMES: Final = 1_000
_PAUSE: Final = 5.0
_IDLE: Final = 25.0
"""How much longer what was read is kept while nobody asks."""
_SHARE: Final = 100
"""How much longer what was read is kept than reading it took."""
_log: Final = logging.getLogger(__name__)


class Estimates:
    """One for the process.  `series` gives the time series with what this process has counted last."""

    def __init__(self, series: Callable[[], Awaitable[MetricsStore]]) -> None:
        self._series = series
        self._known: dict[str, int] = {}
        self._asked = asyncio.Event()

    def of(self, workflow: str) -> int | None:
        """Milliseconds; None where nothing is known."""
        self._asked.set()
        return self._known.get(workflow)

    async def run(self) -> None:
        """Read what is known, again and again, until cancelled."""
        while True:
            self._asked.clear()
            began = monotonic()
            try:
                await self.look()
            except Unavailable:
                pass
            except Exception:  # noqa: BLE001 - what is only estimated must not take the service down
                _log.exception("how long workflows take could not be read")
            await asyncio.sleep(max(_PAUSE, _SHARE * (monotonic() - began)))
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE):
                    await self._asked.wait()

    async def look(self) -> None:
        """Read it now.  Raises Unavailable."""
        store = await self._series()
        span = window(None, None, utc_now(), length=_BACK)
        found = await store.sums(Kind.WORKFLOW, span, limit=_NAMES)
        medians = {name: percentile(tally.buckets, 0.5) for name, tally in found if name not in (ALL, OTHER)}
        self._known = {name: max(1, round(median)) for name, median in medians.items() if median is not None}
