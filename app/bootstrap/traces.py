"""Wires the traces, where a collector is set and OpenTelemetry's SDK is installed; without it nothing of that is imported."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from contextlib import AsyncExitStack

    from app.domain.ports import Reads
    from app.engine.bus import Bus
    from app.settings import Settings
    from app.telemetry.traces import Traces

_LAST: Final = 1.0
"""Seconds in which the last spans are to be sent when the process ends."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """The traces, if there are any, or why there are none though they are wanted."""

    traces: Traces | None = None
    problem: str | None = None

    @property
    def on(self) -> bool:
        """Whether executions are traced."""
        return self.traces is not None

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """What it does in the background."""
        return [] if self.traces is None else [self.traces.run()]

    def health(self) -> Mapping[str, Any]:
        """How the part `telemetry` is."""
        if self.problem is not None:
            return {"status": "degraded", "detail": self.problem, "traces": "off"}
        if self.traces is None:
            return {"status": "ready", "traces": "off"}
        exporter = self.traces.outlet.exporter
        if exporter is None:
            return {"status": "ready", "traces": "on"}
        counts = {"spans": self.traces.spans, "sent": exporter.counts["sent"], "lost": exporter.counts["lost"]}
        if exporter.failing:
            told = f"the collector at {exporter.place} takes no spans"
            return {"status": "degraded", "detail": told, "traces": "on", **counts}
        return {"status": "ready", "traces": "on", **counts}


def open_traces(settings: Settings, bus: Bus, reads: Reads, instance: str, stack: AsyncExitStack) -> Tracing:
    """The traces, whose last spans are sent when the stack closes; `run` of them is the caller's to set going."""
    url = settings.traces_url
    if url is None:
        return Tracing()
    problem = _problem(url)
    if problem is not None:
        _log.warning("%s", problem)
        return Tracing(problem=problem)
    from app.telemetry.otel import Collector, to_collector  # noqa: PLC0415 - needs the extra, and takes a moment
    from app.telemetry.traces import Traces  # noqa: PLC0415

    headers = settings.otel_exporter_otlp_traces_headers or settings.otel_exporter_otlp_headers
    collector = Collector(url=url, headers=headers)
    outlet = to_collector(collector, service=settings.otel_service_name, instance=instance)

    async def close() -> None:
        await asyncio.to_thread(outlet.close, _LAST)

    stack.push_async_callback(close)
    traces = Traces(outlet, reads)
    bus.watchers.all.append(traces)
    _log.info("executions are traced to %s", collector.place)
    return Tracing(traces=traces)


def _problem(url: str) -> str | None:
    """Why nothing can be traced to this address, in a line that does not tell it."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        return "OTEL_EXPORTER_OTLP_ENDPOINT should be an http:// or https:// URL (OTLP over HTTP): nothing is traced"
    wanted = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    if not all(_installed(name) for name in wanted):
        return "OTEL_EXPORTER_OTLP_ENDPOINT is set and nothing is traced: pip install 'backstitch[otel]'"
    return None


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even its parent
        return False
