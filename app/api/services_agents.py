"""What the routes of agents, breakers, queues and workers need of the wired service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import timedelta

    from app.domain.breakers import BreakerRecord
    from app.domain.errors import Problem
    from app.domain.metrics import Tally
    from app.domain.queues import QueueReport, QueueSettings
    from app.domain.workers import WorkerRecord
    from app.engine.agents import Directory


class Breakers(Protocol):
    """The circuit breakers of the agents."""

    def listed(self) -> list[BreakerRecord]: ...
    def find(self, agent: str) -> BreakerRecord | None: ...
    async def refresh(self) -> None: ...
    async def open(self, agent: str, reason: str | None, seconds: float | None) -> BreakerRecord: ...
    async def close(self, agent: str) -> BreakerRecord: ...


class AgentDesk(Protocol):
    """The agents."""

    @property
    def directory(self) -> Directory: ...
    def files(self) -> list[tuple[str, list[Problem]]]: ...
    async def health(self, agent: str, window: timedelta) -> Tally: ...


class QueueDesk(Protocol):
    """The queues, with the usual where they are told nothing else."""

    @property
    def slots(self) -> int:
        """The limit of a queue whose `max_running` is None, for each process."""
        ...

    async def report(self, name: str | None = None) -> list[QueueReport]: ...
    async def configure(self, settings: QueueSettings, /) -> QueueReport: ...


class Workforce(Protocol):
    """The processes on this store."""

    @property
    def own(self) -> str: ...
    @property
    def lease(self) -> float: ...
    @property
    def slots(self) -> tuple[int, int]: ...
    async def listed(self) -> list[WorkerRecord]: ...
