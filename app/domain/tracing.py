"""Which trace an execution belongs to: worked out from ids that are stored, so that whatever process goes on with it knows.

The trace of an execution is that of whoever called for it, else its own id.  What goes on with an earlier execution of its
thread (a resume, a rollback) stays in that one's trace, under its root span.  W3C Trace Context, https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,400})?\Z")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_SAMPLED: Final = 1
_SPAN_BITS: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanId:
    """A span as other processes name it; `sampled`: whether whoever began its trace records it (None: nobody said)."""

    trace_id: int
    span_id: int
    sampled: bool | None = None

    def traceparent(self) -> str:
        """The header of that name."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled is not False):02x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What an execution keeps of it: `caller`, the traceparent that its start came with; `first`, the execution that it
    goes on with, or that that one went on with, if it did not begin anew.
    """

    caller: str | None = None
    first: str | None = None

    def value(self) -> dict[str, str]:
        """As it is kept."""
        return {name: text for name, text in (("caller", self.caller), ("first", self.first)) if text is not None}


NO_TRACE: Final = Trace()


def called_by(header: str | None) -> Trace:
    """The trace of an execution that a request with this traceparent begins; what is none counts for nothing."""
    caller = parse(header) if header is not None else None
    return Trace(caller=caller.traceparent()) if caller is not None else NO_TRACE


def read(value: Mapping[str, Any]) -> Trace:
    """What `Trace.value` gave; anything else counts for nothing."""
    caller, first = value.get("caller"), value.get("first")
    return Trace(
        caller=caller if isinstance(caller, str) and parse(caller) is not None else None,
        first=first if isinstance(first, str) and _UUID.match(first) else None,
    )


def parse(traceparent: str) -> SpanId | None:
    """The span that a traceparent names; None for what is none (section 3.2.2)."""
    found = _TRACEPARENT.match(traceparent)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5] is not None):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    if not (trace_id and span_id):
        return None
    return SpanId(trace_id=trace_id, span_id=span_id, sampled=bool(int(found[4], 16) & _SAMPLED))


def root_of(execution_id: str, trace: Trace) -> SpanId:
    """The root span of an execution: named by the last half of its id, in the trace that it belongs to."""
    number = int(execution_id.replace("-", ""), 16)
    caller = parse(trace.caller) if trace.caller is not None else None
    if caller is not None:
        return SpanId(trace_id=caller.trace_id, span_id=number & _SPAN_BITS, sampled=caller.sampled)
    own = number if trace.first is None else int(trace.first.replace("-", ""), 16)
    return SpanId(trace_id=own, span_id=number & _SPAN_BITS)


def above(trace: Trace) -> SpanId | None:
    """The span that the root span of an execution stands under, if any: that of its first execution, or its caller's."""
    if trace.first is not None:
        return root_of(trace.first, Trace(caller=trace.caller))
    return parse(trace.caller) if trace.caller is not None else None
