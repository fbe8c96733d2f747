"""OpenTelemetry's SDK as traces use it: spans with ids of their own, sent to a collector by a thread of the SDK.

Imported only where traces are wanted: it needs the extra `otel`.  Its exporter's own log lines are kept back, since they
come with every batch and may tell headers; what became of the spans is counted and told once.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.util.re import parse_env_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.util.types import Attributes

    from app.domain.tracing import SpanId

_NOISY: Final = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")
_SPREAD: Final = 0x9E3779B97F4A7C15
"""An odd number without a pattern (2 to the 64th over the golden ratio)."""
_LOW: Final = (1 << 64) - 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where spans go: the whole URL; `headers` as OTEL_EXPORTER_OTLP_HEADERS writes them (None: what the SDK finds)."""

    url: str
    headers: str | None = None

    @property
    def place(self) -> str:
        """The URL without whatever might be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


class Ids(RandomIdGenerator):
    """Random ids, but for the next span of this thread when somebody says so."""

    def __init__(self) -> None:
        self._next = threading.local()

    def use(self, span: SpanId) -> None:
        """The next span that this thread begins has this id, in this trace if it stands under none."""
        self._next.span = span

    def generate_trace_id(self) -> int:
        """See IdGenerator."""
        fixed: SpanId | None = getattr(self._next, "span", None)
        return super().generate_trace_id() if fixed is None else fixed.trace_id

    def generate_span_id(self) -> int:
        """See IdGenerator."""
        fixed: SpanId | None = getattr(self._next, "span", None)
        self._next.span = None
        return super().generate_span_id() if fixed is None else fixed.span_id


class Even(sampling.Sampler):
    """The sampler that the environment asks for, shown ids whose bits are evenly spread.

    The SDK takes a share of the traces by the low 64 bits of their ids; in a UUID the highest of these are always `10`.
    """

    def __init__(self, inner: sampling.Sampler) -> None:
        self._inner = inner

    def should_sample(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: api.SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[api.Link] | None = None,
        trace_state: api.TraceState | None = None,
    ) -> sampling.SamplingResult:
        """See Sampler."""
        low = trace_id * _SPREAD & _LOW
        mixed = (low ^ low >> 29) * _SPREAD & _LOW
        return self._inner.should_sample(parent_context, mixed, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """See Sampler."""
        return self._inner.get_description()


class Counted(SpanExporter):
    """Counts what becomes of the spans, and says once when they cannot be sent and when they can again."""

    def __init__(self, inner: SpanExporter, place: str) -> None:
        self._inner = inner
        self.place = place
        self.counts = Counter[str]()
        """Spans that were `sent`, and that were `lost`."""
        self.failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001 - its text may tell a header
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        self.counts["lost" if failed else "sent"] += len(spans)
        if failed != self.failing:
            self.failing = failed
            if failed:
                _log.warning("the collector at %s takes no spans: they are lost until it does", self.place)
            else:
                _log.info("the collector at %s takes spans again", self.place)
        return result

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See SpanExporter."""
        return self._inner.force_flush(timeout_millis)


class Outlet:
    """The SDK with one way out."""

    def __init__(
        self, processor: SpanProcessor, exporter: Counted | None, *, service: str | None, instance: str
    ) -> None:
        resource = Resource.create({SERVICE_INSTANCE_ID: instance, SERVICE_VERSION: "0.1.0"})
        if service is not None or str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: service or "backstitch"}))
        self.ids = Ids()
        self.exporter = exporter
        # The default sampler: TracerProvider reads OTEL_TRACES_SAMPLER, parentbased_always_on without it.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=self.ids)
        self.sampler = self._provider.sampler = Even(self._provider.sampler)
        self._provider.add_span_processor(processor)
        self.tracer = self._provider.get_tracer("backstitch", "0.1.0")

    def close(self, seconds: float) -> None:
        """Send what is left, for so many seconds at most; blocks.  What is not sent by then is lost."""
        closing = threading.Thread(target=self._provider.shutdown, name="backstitch-traces", daemon=True)
        closing.start()
        closing.join(seconds)
        if closing.is_alive() and self.exporter is not None:
            self.exporter.shutdown()  # so that it gives up at once


def to_collector(collector: Collector, *, service: str | None, instance: str) -> Outlet:
    """Spans go to a collector over OTLP/HTTP, in batches."""
    headers = parse_env_headers(collector.headers, liberal=True) if collector.headers else None
    exporter = Counted(OTLPSpanExporter(endpoint=collector.url, headers=headers), collector.place)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Outlet(BatchSpanProcessor(exporter), exporter, service=service, instance=instance)
