"""Time series as the API shows them: what a name comes to, and the values of one metric over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.histogram import percentile
from app.domain.metric_spans import grid
from app.domain.views.common import Document, when

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from app.domain.metrics import Span, Tally

_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def sums_entry(name: str, tally: Tally) -> Document:
    """What a name comes to; durations in milliseconds."""
    return {
        "name": name,
        "count": tally.count,
        "errors": tally.errors,
        "error_rate": _error_rate(tally),
        "retries": tally.retries,
        "duration_ms": {"mean": _mean(tally), **{one: _percentile(tally, share) for one, share in _SHARES.items()}},
        "cost_usd": tally.cost_usd,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
    }


def span_document(span: Span) -> Document:
    """Which time was read, and from what."""
    return {"since": when(span.since), "until": when(span.until), "resolution": span.resolution.value}


def points_document(metric: str, span: Span, found: Sequence[tuple[datetime, Tally]]) -> list[Document]:
    """The value for each unit of the span: nothing counts as 0, and has no mean, rate or percentile (null)."""
    value, known = METRICS[metric], dict(found)
    nothing = 0 if metric in COUNTS else None
    return [{"at": when(at), "value": value(known[at]) if at in known else nothing} for at in grid(span)]


def _error_rate(tally: Tally) -> float | None:
    return round(tally.errors / tally.count, 4) if tally.count else None


def _mean(tally: Tally) -> float | None:
    timed = sum(tally.buckets)
    return _short(tally.sum_ms / timed) if timed else None


def _percentile(tally: Tally, share: float) -> float | None:
    return _short(percentile(tally.buckets, share))


def _short(ms: float | None) -> float | None:
    return None if ms is None else float(f"{ms:.3g}")


METRICS: Final[Mapping[str, Callable[[Tally], float | None]]] = {
    "count": lambda tally: tally.count,
    "errors": lambda tally: tally.errors,
    "retries": lambda tally: tally.retries,
    "cost_usd": lambda tally: tally.cost_usd,
    "input_tokens": lambda tally: tally.input_tokens,
    "output_tokens": lambda tally: tally.output_tokens,
    "error_rate": _error_rate,
    "mean_ms": _mean,
    "p50_ms": lambda tally: _percentile(tally, 0.5),
    "p95_ms": lambda tally: _percentile(tally, 0.95),
    "p99_ms": lambda tally: _percentile(tally, 0.99),
}
"""What a series can tell."""
COUNTS: Final = frozenset({"count", "errors", "retries", "cost_usd", "input_tokens", "output_tokens"})
"""Those that are 0 where there was nothing."""
TIMED: Final = frozenset({"mean_ms", "p50_ms", "p95_ms", "p99_ms"})
"""Those that need histograms."""
