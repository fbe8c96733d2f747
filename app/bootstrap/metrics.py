"""Wires the metrics: what counts them, and what is read when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.telemetry.metrics import Metrics
from app.telemetry.metrics_engine import EngineMetrics
from app.telemetry.metrics_parts import BreakerFigures, JournalFigures, PoolFigures, StoreFigures, WorkerFigures
from app.telemetry.metrics_reach import ReachFigures
from app.telemetry.metrics_schedules import ScheduleFigures

if TYPE_CHECKING:
    from app.bootstrap.reach import Reach
    from app.bootstrap.stores import Store
    from app.engine.admission import Admission
    from app.engine.breaker import Breakers
    from app.engine.bus import Bus
    from app.engine.worker import Worker
    from app.telemetry.series import Series


def service_metrics(
    store: Store, series: Series, bus: Bus, worker: Worker, breakers: Breakers, queues: Admission
) -> Metrics:
    """All of them; from now on the engine's are counted."""
    engine = EngineMetrics(series, store.stores.registry)
    bus.watchers.all.append(engine)
    sources = (
        engine.figures,
        JournalFigures(store.writers).figures,
        PoolFigures(store.pool).figures,
        WorkerFigures(worker).figures,
        BreakerFigures(breakers.listed).figures,
    )
    return Metrics(series, StoreFigures(store.metrics, queues.report), sources, [engine.run])


def count_reach(metrics: Metrics, reach: Reach) -> None:
    """Show what sets threads going from outside of a request, too."""
    publisher, followers = reach.publisher, reach.followers
    messages = ReachFigures(
        published=lambda: (publisher.published, publisher.duplicates),
        firings=reach.firings,
        waiting=lambda: reach.waiting.number,
        lags=lambda: {follower.name: follower.lag for follower in followers},
    )
    metrics.sources += [ScheduleFigures(reach.scheduler.tally).figures, messages.figures]
