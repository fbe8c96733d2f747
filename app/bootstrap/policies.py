"""Wires what follows the settings while the service runs: retention, breakers, queues, slots, the level of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.breakers import BreakerPolicy
from app.domain.hints import Hint
from app.engine.retention import Retention
from app.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.bootstrap.config import LiveSettings
    from app.bootstrap.stores import Store
    from app.engine.admission import Admission
    from app.engine.breaker import Breakers
    from app.engine.bus import Bus
    from app.engine.worker import Worker
    from app.settings import Settings


def open_retention(config: LiveSettings, store: Store, bus: Bus) -> Retention:
    """Retention by the settings as they are; whoever follows a thread that it deletes is told, here and elsewhere."""
    hints = store.stores.hints
    retention = Retention(
        store.retention,
        store.stores.reads,
        usual=lambda: config.now.retention,
        agent_days=lambda: config.now.retention_agent_days,
        every=lambda: config.now.retention_every_seconds,
    )

    async def told(gone: Sequence[str]) -> None:
        bus.poke(gone)
        await hints.tell(Hint(sender=hints.sender, threads=tuple(gone)))

    retention.told = told
    return retention


def breaker_policy(settings: Settings) -> BreakerPolicy:
    """What the settings say of breakers."""
    return BreakerPolicy(
        failures=settings.breaker_failures,
        open_seconds=settings.breaker_open_seconds,
        ramp_seconds=settings.breaker_ramp_seconds,
        disable_after=settings.agent_disable_after,
    )


def follow(config: LiveSettings, store: Store, worker: Worker, admission: Admission, breakers: Breakers) -> None:
    """What holds a setting of its own takes over each change of it."""
    level = config.at_start.log_level

    def take_over(settings: Settings) -> None:
        nonlocal level
        if settings.log_level != level:
            level = settings.log_level
            logs.set_level(level)
        breakers.policy = breaker_policy(settings)
        store.stores.queues.assume(settings.queue_limit)
        admission.limit = settings.queue_limit
        admission.max_depth = settings.queue_max_depth
        worker.slots = admission.slots = settings.max_concurrent_threads
        worker.hint()

    config.follow(take_over)
