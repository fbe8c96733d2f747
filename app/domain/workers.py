"""The processes that serve one store: who they are, when they were last heard of, and what they drive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """One serving process; `process` begins with its pid, `host` with the name of its host.

    `silent_for` are the seconds since its last heartbeat by the store's clock, `threads` how many it drives, by queue.
    """

    id: str
    host: str
    process: str
    started_at: datetime
    heartbeat_at: datetime
    silent_for: float
    threads: Mapping[str, int] = field(default_factory=dict[str, int])


class Workers(Protocol):
    """Looks at them.  Raises Unavailable while the store is away."""

    async def listed(self, limit: int = 50) -> list[WorkerRecord]:
        """Those that are entered, the one that started last first."""
        ...
