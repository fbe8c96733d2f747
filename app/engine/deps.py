"""What every drive is handed: the journal, the bus, the runners, the clock and the way to start a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.domain.times import utc_now

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime

    from app.domain.ports import Journal, Reads, Registry
    from app.domain.runner import Runner
    from app.engine.bus import Bus


@dataclass(slots=True, kw_only=True)
class Stores:
    """The ports of one store."""

    journal: Journal
    reads: Reads
    registry: Registry


@dataclass(slots=True, kw_only=True)
class Deps:
    """One for the whole engine.  `max_value_bytes`: what a step's output may weigh; `random` gives 0 <= x < 1;
    `waits_for` is told (child, parent) when a step of one thread waits for the end of another; `grace` is how many seconds
    a step that is to stop may take for it.
    """

    journal: Journal
    bus: Bus
    runners: Mapping[str, Runner]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    random: Callable[[], float]
    waits_for: Callable[[str, str], None]
    max_value_bytes: int = 16 * 1024 * 1024
    grace: float = 10.0
    now: Callable[[], datetime] = field(default=utc_now)
