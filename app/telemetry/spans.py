"""What spans are made of: where they stand, what they say, and how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace as api

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.tracing import SpanId

if TYPE_CHECKING:
    from datetime import datetime

    from opentelemetry.context import Context

    from app.domain.records import ExecutionRecord


_LONGEST: Final = 200


def under(span: SpanId) -> Context:
    """Where what stands under a span of another process begins."""
    flags = api.TraceFlags(api.TraceFlags.DEFAULT if span.sampled is False else api.TraceFlags.SAMPLED)
    named = api.SpanContext(span.trace_id, span.span_id, is_remote=True, trace_flags=flags)
    return api.set_span_in_context(api.NonRecordingSpan(named), contexts.Context())


def like(span: SpanId, other: SpanId) -> SpanId:
    """A span whose trace is recorded if that of the other one is."""
    return SpanId(trace_id=span.trace_id, span_id=span.span_id, sampled=other.sampled)


def common(execution: ExecutionRecord) -> dict[str, Any]:
    """What every span of an execution says."""
    told: dict[str, Any] = {
        "backstitch.thread_id": execution.thread_id,
        "backstitch.execution_id": execution.id,
        "backstitch.workflow": execution.workflow_name,
    }
    if execution.workflow_version is not None:
        told["backstitch.workflow_version"] = execution.workflow_version
    return told


def failed(span: api.Span, kind: str) -> None:
    """Mark a span as failed, by the kind of the error."""
    kind = kind[:_LONGEST]
    span.set_attribute("error.type", kind)
    span.set_status(api.StatusCode.ERROR, kind)


def kind_of(error: str | None) -> str:
    """The kind of an error, from its JSON text."""
    try:
        return str(jsontext.loads(error or "{}").get("kind", "unknown"))
    except (JsonError, AttributeError):
        return "unknown"


def nanoseconds(at: datetime) -> int:
    """Since the epoch."""
    return int(at.timestamp() * 1_000_000) * 1_000
