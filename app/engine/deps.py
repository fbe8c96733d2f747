"""What every drive is handed: the journal, the bus, the runners, the clock and the way to start a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.domain.checkpoints import EVERY_STEP, CheckpointPolicy
from app.domain.times import utc_now

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from datetime import datetime

    from app.domain.breakers import BreakerStore
    from app.domain.checkpoints import Versions
    from app.domain.gates import GateBook
    from app.domain.hints import Hints
    from app.domain.ports import Journal, Reads
    from app.domain.queues import Queues
    from app.domain.registry import Registry
    from app.domain.runner import Runner
    from app.engine.breaker import Breakers
    from app.engine.bus import Bus
    from app.engine.flow import Function

    Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(slots=True, kw_only=True)
class Stores:
    """The ports of one store."""

    journal: Journal
    reads: Reads
    registry: Registry
    hints: Hints
    queues: Queues
    breakers: BreakerStore
    gates: GateBook
    versions: Versions


@dataclass(slots=True, kw_only=True)
class Deps:
    """One for the whole engine.

    `flows` gives the function of a workflow in Python; `max_value_bytes`: what a step's output may weigh; `random` gives
    0 <= x < 1; `waits_for` is told (child, parent) when a step of one thread waits for the end of another, `forsake` when none
    does any more; `heed` is told (thread, wish) when a commit brings one; `may_start`: whether this process may start steps
    now; `is_dead`: whether a process, by its incarnation, drives nothing any more; `grace` is how many seconds a step that is
    to stop may take for it; `checkpoints` gives the policy for the versions of workflows that have none of their own.
    """

    journal: Journal
    reads: Reads
    bus: Bus
    breakers: Breakers
    runners: Mapping[str, Runner]
    flows: Callable[[str], Function | None]
    spawn: Spawn
    random: Callable[[], float]
    waits_for: Callable[[str, str], None]
    heed: Callable[[str, str], None]
    forsake: Callable[[str, str], None]
    may_start: Callable[[], bool]
    is_dead: Callable[[str], Awaitable[bool]]
    max_value_bytes: int = 16 * 1024 * 1024
    grace: float = 10.0
    now: Callable[[], datetime] = field(default=utc_now)
    checkpoints: Callable[[], CheckpointPolicy] = field(default=lambda: EVERY_STEP)
