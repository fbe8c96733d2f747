"""Figures: what `/metrics` shows, as plain values, and their text in Prometheus's format.

They are counted on the event loop in plain numbers; Prometheus's library, which is slow to import, only writes them down.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from app.domain.histogram import Distribution
from app.domain.metrics import OTHER

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Sample = tuple[tuple[str, ...], float | Distribution]
"""The values of the labels, and what was counted for them: a Distribution for a histogram, else a number."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric with its samples; a counter's name ends with `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]
    labels: tuple[str, ...] = ()


Source = Callable[[], Iterable[Figure]]
"""Gives the figures of a part as they are now; called on the event loop, so it must be quick and does not wait."""


def frozen(figure: Figure) -> Figure:
    """As it is now: histograms go on counting while they are written down."""
    if figure.kind != "histogram":
        return figure
    samples = [(values, counted.copy()) for values, counted in figure.samples if isinstance(counted, Distribution)]
    return replace(figure, samples=samples)


def gauge(name: str, help: str, value: float) -> Figure:  # noqa: A002 - what Prometheus calls it
    """A gauge without labels."""
    return Figure(name, "gauge", help, [((), value)])


def counter(name: str, help: str, value: float) -> Figure:  # noqa: A002
    """A counter without labels."""
    return Figure(name, "counter", help, [((), value)])


@dataclass(slots=True)
class Names:
    """Which values a label may have: the first `limit` that are asked for, all others are OTHER."""

    limit: int
    known: set[str] = field(default_factory=set[str])

    def __call__(self, name: str) -> str:
        """What stands for the name."""
        if name not in self.known:
            if len(self.known) >= self.limit:
                return OTHER
            self.known.add(name)
        return name


class Page:
    """What a scrape is answered with, in a registry of its own; `render` is for a thread, and for one at a time."""

    def __init__(self) -> None:
        self._figures: Sequence[Figure] = ()
        self._registry: CollectorRegistry | None = None

    def render(self, figures: Sequence[Figure], accept: str) -> tuple[bytes, str]:
        """The page and its media type, as the `Accept` header wishes: Prometheus's text or OpenMetrics."""
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - a tenth of a second

        if self._registry is None:
            self._registry = self._open()
        self._figures = figures
        encoder, media_type = choose_encoder(accept)
        return encoder(self._registry), media_type

    def collect(self) -> Iterable[Any]:
        """See prometheus_client.registry.Collector."""
        return map(_family, self._figures)

    def _open(self) -> CollectorRegistry:
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(cast("Any", self))
        return registry


def _family(figure: Figure) -> Any:
    from prometheus_client import core  # noqa: PLC0415

    if figure.kind == "histogram":
        found = core.HistogramMetricFamily(figure.name, figure.help, labels=figure.labels)
        for values, counted in figure.samples:
            assert isinstance(counted, Distribution)
            sums = [float(count) for count in itertools.accumulate(counted.counts)]
            bounds = [*map(str, counted.bounds), "+Inf"]
            found.add_metric(values, list(zip(bounds, sums, strict=True)), counted.total)
        return found
    make = core.CounterMetricFamily if figure.kind == "counter" else core.GaugeMetricFamily
    family = make(figure.name, figure.help, labels=figure.labels)
    for values, value in figure.samples:
        family.add_metric(values, cast("float", value))
    return family
