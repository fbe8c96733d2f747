"""The metrics of the service: what `/metrics` shows, and the time series behind `/api/metrics`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from app.telemetry.estimates import Estimates
from app.telemetry.figures import Page, frozen, gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from app.domain.metrics import MetricsStore
    from app.telemetry.figures import Figure, Source
    from app.telemetry.metrics_parts import StoreFigures
    from app.telemetry.series import Series


class Metrics:
    """One for the service.  `sources` give what a scrape shows; whoever has some adds one.  `works` go on beside."""

    def __init__(
        self,
        series: Series,
        store: StoreFigures,
        sources: Iterable[Source],
        works: Iterable[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._series = series
        self._store = store
        self._estimates = Estimates(self.series)
        self._works = [store.run, self._estimates.run, *works]
        self.sources: list[Source] = [*sources, store.figures, self._own]
        self._page = Page()
        self._scraping = asyncio.Lock()

    async def run(self) -> None:
        """Read what only the store knows while somebody scrapes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in self._works:
                tasks.create_task(work())

    async def scrape(self, accept: str, more: Iterable[Figure] = ()) -> tuple[bytes, str]:
        """The page in a format that the `Accept` header allows, and its media type; with `more` that only the caller knows."""
        await self._store.look()
        async with self._scraping:
            figures = [frozen(figure) for source in self.sources for figure in source()]
            return await asyncio.to_thread(self._page.render, [*figures, *more], accept)

    def estimate(self, workflow: str) -> int | None:
        """How many milliseconds an execution of a workflow is likely to take; None where nothing is known."""
        return self._estimates.of(workflow)

    async def series(self) -> MetricsStore:
        """The time series, with what this process has counted last.  Raises Unavailable."""
        await self._series.flush()
        return self._series.store

    def _own(self) -> Iterator[Figure]:
        told = "Rows of the time series that wait for the store."
        yield gauge("backstitch_series_unwritten", told, self._series.unwritten)
