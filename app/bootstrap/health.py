"""Wires the health of the service by part; what is built elsewhere adds its own with `Services.parts.add`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from app.telemetry import parts
from app.telemetry.health import Health
from app.telemetry.metrics_webhooks import webhooks_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.bootstrap.agents import AgentDesk
    from app.bootstrap.reach import Reach
    from app.bootstrap.stores import Store
    from app.bootstrap.traces import Tracing
    from app.engine.admission import Admission
    from app.engine.breaker import Breakers
    from app.engine.lease import Lease
    from app.engine.pulse import Pulse
    from app.engine.worker import Worker
    from app.runners.mcp_servers import McpServers
    from app.settings import Settings

_KEPT: Final = 5.0
"""Seconds for which the lines and the disk are not looked at again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What has a health, beside the store."""

    lease: Lease
    worker: Worker
    admission: Admission
    breakers: Breakers
    agents: AgentDesk
    mcp: McpServers
    tracing: Tracing
    reach: Reach


def open_health(settings: Settings, store: Store, of: Parts) -> Health:
    """The health of all that is wired."""
    health = Health(lambda: _passwords(settings))
    pool, loops = store.pool, _loops(of)
    if pool is None:
        health.add("database", lambda: parts.memory(store.fallback))
    else:
        health.add("database", lambda: parts.database(pool))
    health.add("journal", lambda: parts.journal(store.writers, durable=store.durable))
    health.add("worker", lambda: parts.worker(of.worker, pool))
    health.add("monitor", lambda: parts.monitor(of.lease, loops, deaf_since=store.line_down_since()))
    health.add("agents", lambda: parts.agents(of.agents.files()))
    health.add("breakers", lambda: parts.breakers(of.breakers))
    health.add("queue", lambda: parts.queue(of.admission, of.worker), keep=_KEPT)
    health.add("mcp", lambda: parts.mcp(of.mcp))
    health.add("telemetry", of.tracing.health)
    health.add("webhooks", lambda: webhooks_part(of.reach.webhooks.upkeep))
    health.add("settings", _settings(settings, store))
    if pool is not None and settings.database_dsn is None:
        health.add("disk", parts.Disk(settings.data_dir).look, keep=_KEPT)
    return health


def _loops(of: Parts) -> dict[str, Pulse]:
    loops = {
        "heartbeat": of.lease.beats,
        "recovery": of.lease.looks,
        "claims": of.worker.claims.pulse,
        "breakers": of.breakers.pulse,
        "agents": of.agents.directory.pulse,
        "series": of.agents.series.pulse,
        "queues": of.admission.pulse,
        **of.reach.pulses(),
    }
    if of.agents.folder is not None:
        loops["agent_files"] = of.agents.folder.pulse
    return loops


def _settings(settings: Settings, store: Store) -> Callable[[], dict[str, Any]]:
    told = {"status": "ready", "checkpointer": "postgres" if store.durable else "memory"}
    why = None if settings.is_durable else "the settings ask for the memory journal: nothing outlives this process"
    return lambda: {**told, **({"note": why} if why else {})}


def _passwords(settings: Settings) -> list[str]:
    """The password of the database, as a URL writes it and as it is."""
    dsn = settings.database_dsn
    if dsn is None:
        return []
    written = dsn.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return [text for text in {written, unquote(written)} if text]
