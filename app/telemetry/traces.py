"""Traces: an execution is one trace across crashes, each attempt a span under its root, each call of a model one under that.

The root span is written when the execution ends, by the process that ends it, under an id that every process works out from
the execution's (domain.tracing): so what other processes have told of it before stands under it.  No input, output or
message of an error is ever told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace as api

from app.domain import tracing
from app.domain.errors import Unavailable
from app.domain.parameters import trace_of
from app.domain.records import NO_USAGE
from app.domain.runner import Asleep, Failed
from app.domain.status import ENDED, Status
from app.domain.times import utc_now
from app.domain.tracing import SpanId
from app.domain.transition import Start
from app.engine.watch import Watcher
from app.telemetry import gen_ai, spans

if TYPE_CHECKING:
    from contextvars import Token
    from datetime import datetime

    from opentelemetry.context import Context

    from app.domain.ports import Reads
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.runner import ModelCall
    from app.domain.spec import WorkflowSpec
    from app.domain.tracing import Trace
    from app.domain.transition import Transition
    from app.engine.watch import AttemptFact
    from app.telemetry.otel import Outlet

_MOST_OWED: Final = 10_000
_PAUSE: Final = 2.0
_log = logging.getLogger(__name__)
_OUTCOMES: Final[Mapping[type, str]] = {Failed: "failed", Asleep: "waiting", type(None): "cancelled"}


@dataclass(slots=True, kw_only=True)
class _Drive:
    """A thread that this process drives: its execution, the root span of that, and whether its trace is recorded."""

    thread: ThreadRecord
    execution: ExecutionRecord
    root: SpanId
    under: Context
    common: Mapping[str, Any]
    since: datetime
    events: list[tuple[str, dict[str, Any], int]] = field(default_factory=list[Any])
    redone: set[str] = field(default_factory=set[str])
    """Step runs whose first attempt after a recovery has begun."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """An attempt that runs."""

    span: api.Span
    token: Token[Context]
    models: int = 0


class Traces(Watcher):
    """Tells of executions in spans; `run` looks up those that it must tell the end of without having driven them."""

    def __init__(self, outlet: Outlet, reads: Reads) -> None:
        self._outlet = outlet
        self._reads = reads
        self._drives: dict[str, _Drive] = {}
        self._open: dict[AttemptFact, _Open] = {}
        self._owed: deque[str] = deque(maxlen=_MOST_OWED)
        self._news = asyncio.Event()
        self.spans = 0
        """Spans that have ended here and are recorded."""

    @property
    def outlet(self) -> Outlet:
        """Where the spans go."""
        return self._outlet

    # ---- told by the engine
    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:  # noqa: ARG002
        """See Watcher."""
        root = self._root_of(execution, trace_of(execution))
        drive = self._drives[thread.thread_id] = _Drive(
            thread=thread,
            execution=execution,
            root=root,
            under=spans.under(root),
            common=spans.common(execution),
            since=utc_now(),
        )
        if thread.recoveries:
            told = {
                "backstitch.recoveries": thread.recoveries,
                "backstitch.incarnation_id": thread.incarnation_id or "",
            }
            drive.events.append(("recovered", told, time.time_ns()))

    def let_go(self, thread: ThreadRecord, spec: WorkflowSpec) -> None:  # noqa: ARG002
        """See Watcher."""
        drive = self._drives.get(thread.thread_id)
        if drive is not None and drive.thread is thread:
            del self._drives[thread.thread_id]

    def began(self, attempt: AttemptFact) -> None:
        """See Watcher."""
        context, step = attempt.context, attempt.step
        drive = self._drives.get(context.thread_id)
        if drive is None or drive.execution.id != context.execution_id:
            return
        kind = step.spec.kind
        told: dict[str, Any] = {
            **drive.common,
            "backstitch.step": step.spec.id,
            "backstitch.kind": kind,
            "backstitch.attempt": context.attempt,
        }
        if context.index is not None:
            told["backstitch.item"] = context.index
        if step.agent is not None:
            told["backstitch.agent"] = step.agent
            if kind == "agent":
                told |= gen_ai.invocation(step.agent, context.thread_id)
        span = self._outlet.tracer.start_span(
            f"step {step.spec.id}",
            drive.under,
            kind=api.SpanKind.CLIENT if kind == "http" else api.SpanKind.INTERNAL,
            attributes=told,
        )
        self._note_recovery(drive, attempt, span)
        own = span.get_span_context()
        sampled = own.trace_flags.sampled
        context.traceparent = SpanId(trace_id=own.trace_id, span_id=own.span_id, sampled=sampled).traceparent()
        opened = _Open(span=span, token=contexts.attach(api.set_span_in_context(span, drive.under)))
        self._open[attempt] = opened
        if sampled:
            context.watch_model = partial(self._model, opened)

    def ended(self, attempt: AttemptFact) -> None:
        """See Watcher."""
        opened = self._open.pop(attempt, None)
        if opened is None:
            return
        contexts.detach(opened.token)
        span, context, ending = opened.span, attempt.context, attempt.ending
        if not span.is_recording():
            return
        span.set_attribute("backstitch.outcome", _OUTCOMES.get(type(ending), "completed"))
        if isinstance(ending, Failed):
            spans.failed(span, ending.error.kind)
            span.set_attribute("backstitch.retryable", ending.error.retryable)
        if context.agent_version is not None:
            span.set_attribute(gen_ai.AGENT_VERSION, str(context.agent_version))
        if context.usage != NO_USAGE:
            span.set_attribute("backstitch.cost_usd", context.usage.cost_usd)
            if not opened.models:  # else its calls tell of theirs
                span.set_attributes(gen_ai.tokens(context.usage))
        self._end(span)

    def moved(self, what: Start | Transition) -> None:
        """See Watcher."""
        if isinstance(what, Start):
            return
        for update in what.execution_updates:
            if update.status not in ENDED:
                continue
            drive = self._drives.get(what.thread_id)
            if drive is not None and drive.execution.id == update.id:
                self._root(drive.execution, update.status, update.completed_at or what.at, update.error, drive.events)
            else:
                self._owe(update.id)
        for execution in what.executions:
            if execution.status in ENDED:
                self._root(execution, execution.status, execution.completed_at or what.at, execution.error, [])

    # ---- executions that ended without being driven here
    async def run(self) -> None:
        """Tell of the ends of executions that this process has ended and did not drive, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._owed:
                execution_id = self._owed.popleft()
                try:
                    execution = await self._reads.execution(execution_id)
                    if execution is not None and execution.completed_at is not None:
                        self._root(execution, execution.status, execution.completed_at, execution.error, [])
                except Unavailable:
                    self._owed.appendleft(execution_id)
                    await asyncio.sleep(_PAUSE)
                except Exception:  # noqa: BLE001 - one that cannot be told of is not the others' trouble
                    _log.exception("the end of an execution could not be told of")

    def _owe(self, execution_id: str) -> None:
        self._owed.append(execution_id)
        self._news.set()

    # ---- spans
    def _root(
        self,
        execution: ExecutionRecord,
        status: Status,
        at: datetime,
        error: str | None,
        events: list[tuple[str, dict[str, Any], int]],
    ) -> None:
        trace = trace_of(execution)
        own, parent = self._root_of(execution, trace), tracing.above(trace)
        if not own.sampled:
            return
        told = {
            **spans.common(execution),
            "backstitch.execution_kind": execution.kind,
            "backstitch.status": status.value,
        }
        self._outlet.ids.use(own)
        span = self._outlet.tracer.start_span(
            f"workflow {execution.workflow_name}",
            contexts.Context() if parent is None else spans.under(spans.like(parent, own)),
            attributes=told,
            start_time=spans.nanoseconds(execution.created_at),
        )
        for name, about, when in events:
            span.add_event(name, about, when)
        if status in (Status.FAILED, Status.INTERRUPTED):
            spans.failed(span, spans.kind_of(error))
        self._end(span, spans.nanoseconds(at))

    def _model(self, opened: _Open, call: ModelCall) -> None:
        opened.models += 1
        span = self._outlet.tracer.start_span(
            f"chat {call.model}",
            api.set_span_in_context(opened.span, contexts.Context()),
            kind=api.SpanKind.CLIENT,
            attributes=gen_ai.chat(call),
            start_time=call.began,
        )
        if call.error is not None:
            spans.failed(span, call.error)
        self._end(span)

    def _end(self, span: api.Span, at: int | None = None) -> None:
        self.spans += span.is_recording()
        span.end(at)

    def _root_of(self, execution: ExecutionRecord, trace: Trace) -> SpanId:
        """Its root span, which says whether the trace is recorded: as its caller does, else as the sampler says."""
        root, caller = tracing.root_of(execution.id, trace), trace.caller and tracing.parse(trace.caller)
        above = spans.under(caller) if caller else contexts.Context()
        decided = self._outlet.sampler.should_sample(above, root.trace_id, f"workflow {execution.workflow_name}")
        return SpanId(trace_id=root.trace_id, span_id=root.span_id, sampled=decided.decision.is_sampled())

    @staticmethod
    def _note_recovery(drive: _Drive, attempt: AttemptFact, span: api.Span) -> None:
        """The first attempt, after a recovery, of what had begun before it."""
        step = attempt.step
        if drive.events and step.started_at < drive.since and (key := f"{step.run_id}:{step.item}") not in drive.redone:
            drive.redone.add(key)
            name, told, at = drive.events[0]
            span.add_event(name, told, at)
