"""What the API gets: the wired services, and the bounds of the HTTP side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from app.bootstrap.agents import AgentDesk
    from app.bootstrap.config import LiveSettings
    from app.domain.event_log import EventLog
    from app.domain.ports import Reads
    from app.domain.registry import Registry
    from app.domain.sdk_threads import SdkThreads
    from app.domain.thread_list import ThreadList
    from app.domain.timeline import Timelines
    from app.domain.upkeep import Upkeep
    from app.engine.admission import Admission
    from app.engine.breaker import Breakers
    from app.engine.bus import Bus
    from app.engine.control import Control
    from app.engine.gates import Gates
    from app.engine.inspection import Inspector
    from app.engine.moving import Mover
    from app.engine.retention import Retention
    from app.engine.tickets import Tickets
    from app.engine.travel import Travel
    from app.engine.waits import Waits
    from app.engine.worker import Worker
    from app.engine.workforce import Workforce
    from app.runners.mcp_servers import McpServers
    from app.store.pool import Pool
    from app.store.writer import GroupWriter
    from app.telemetry.health import Health
    from app.telemetry.keeping import LogKeeper
    from app.telemetry.metrics import Metrics
    from app.triggers.desk import TriggerDesk
    from app.triggers.publishing import Publisher
    from app.triggers.schedule_desk import Schedules
    from app.triggers.webhook_desk import WebhookDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the HTTP side is bounded by."""

    max_body_bytes: int
    max_import_bytes: int
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The wired service, as the API uses it."""

    control: Control
    reads: Reads
    registry: Registry
    bus: Bus
    durable: bool
    fallback: str | None
    limits: Limits
    shutting_down: asyncio.Event
    worker: Worker
    queues: Admission
    writers: list[GroupWriter]
    breakers: Breakers
    inspector: Inspector
    mover: Mover
    upkeep: Upkeep
    gates: Gates
    waits: Waits
    agents: AgentDesk
    mcp: McpServers
    metrics: Metrics
    events: EventLog
    timelines: Timelines
    threads: ThreadList
    logs: LogKeeper
    pool: Pool | None
    parts: Health
    traced: bool
    retention: Retention
    config: LiveSettings
    travel: Travel
    messages: Publisher
    triggers: TriggerDesk
    schedules: Schedules
    tickets: Tickets
    sdk_threads: SdkThreads
    webhooks: WebhookDesk
    workforce: Workforce

    async def health(self) -> Mapping[str, Mapping[str, Any]]:
        """Every part by name with its `status`; quick, whatever hangs."""
        return await self.parts.report()
