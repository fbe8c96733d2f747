"""What is going on with a thread that has not ended: how far it is, since when nothing has moved, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.breakers import DISABLED, BreakerState
from app.domain.status import STEP_OPEN, Status, StepStatus
from app.domain.times import duration_ms
from app.domain.views.common import Document, when
from app.domain.views.status import progress
from app.domain.waiting import mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.domain.breakers import BreakerRecord
    from app.domain.gates import GateRecord
    from app.domain.queues import QueueReport
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs
    from app.domain.waits import MessageWait

_IN_TIME: Final = frozenset({"sleeping", "delayed"})
"""What ends by itself, at a time that is known."""
_BLOCKED: Final = frozenset({"paused", "breaker_open", "agent_disabled", "queue_held", "service"})
"""What lasts until something outside of the thread changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What holds threads up from outside; `slots` a process has for a queue without a limit, `unable` is why the service
    cannot work, if it cannot.
    """

    now: datetime
    stuck_after: float
    queues: Mapping[str, QueueReport]
    slots: int
    breakers: Mapping[str, BreakerRecord]
    unable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A thread and what is stored of it."""

    thread: ThreadRecord
    execution: ExecutionRecord
    spec: WorkflowSpec
    refs: Refs
    runs: Sequence[StepRecord]
    gates: Sequence[GateRecord] = field(default_factory=tuple)
    waits: Sequence[MessageWait] = field(default_factory=tuple)


def monitor_entry(of: Seen, around: Around) -> Document:
    """`why` are the reasons, worst first; `stuck`: nothing has moved for `stuck_after`, or nothing will by itself."""
    thread, idle = of.thread, duration_ms(of.thread.updated_at, around.now)
    open_runs = [run for run in of.runs if run.status in STEP_OPEN]
    reasons = _of_thread(of, around) + [_of_run(run, of, around) for run in open_runs]
    why = [reason for reason in reasons if reason is not None]
    why.sort(key=lambda reason: (reason["reason"] not in _BLOCKED, reason["reason"] in _IN_TIME))
    named = {reason["reason"] for reason in why}
    waits = bool(named) and named <= _IN_TIME
    return {
        "thread_id": thread.thread_id,
        "workflow": of.execution.workflow_name,
        "status": thread.status.value,
        "progress": progress(len(of.refs.steps), len(of.spec.steps) or len(of.runs) + 1),
        "current_steps": [run.step_id for run in open_runs],
        "queue": thread.queue,
        "started_at": when(of.execution.started_at),
        "last_update": when(thread.updated_at),
        "idle_ms": max(0, idle),
        "stuck": bool(named & _BLOCKED) or (idle >= around.stuck_after * 1000 and not waits),
        "why": why,
    }


def _reason(reason: str, detail: str, run: StepRecord | None = None, **more: Any) -> Document:
    return {"reason": reason, "step_id": None if run is None else run.step_id, "detail": detail, **more}


def _of_thread(of: Seen, around: Around) -> list[Document | None]:
    """What holds the thread as a whole up."""
    thread = of.thread
    found = [_reason("service", around.unable)] if around.unable is not None else []
    if thread.status is Status.PAUSED:
        return [*found, _reason("paused", "it was paused, and runs on when it is resumed")]
    if thread.wake_at is None:
        return [*found]
    if thread.wake_at > around.now:
        waits = thread.status is Status.PENDING
        return [*found, _reason("delayed", "it is to start later", until=when(thread.wake_at)) if waits else None]
    return [*found, _due(thread, around)]


def _due(thread: ThreadRecord, around: Around) -> Document:
    """Why a thread that is due has not been taken up."""
    report = around.queues.get(thread.queue)
    limit = around.slots if report is None else report.settings.max_running
    limit = around.slots if limit is None else limit
    load = "" if report is None else f": {report.running} running of {limit}, {report.depth} waiting"
    if limit == 0:
        return _reason("queue_held", f"the queue {thread.queue} is told to run nothing")
    if report is not None and report.running >= limit:
        return _reason("queue_full", f"all slots of the queue {thread.queue} are taken{load}")
    return _reason("queued", f"it is due in the queue {thread.queue} and waits for a process to take it up{load}")


def _of_run(run: StepRecord, of: Seen, around: Around) -> Document | None:
    """What holds a step up that has begun."""
    if run.status is StepStatus.RETRYING:
        error: dict[str, Any] = {} if run.error is None else jsontext.loads(run.error)
        said = f"attempt {run.attempt} comes after {error.get('kind')}: {error.get('message')}"
        return _reason("retrying", said, run, until=when(run.next_attempt_at), error=error or None)
    if run.status is StepStatus.WAITING:
        return _waiting(run, of, around)
    seconds = (around.now - (run.started_at or around.now)).total_seconds()
    if seconds < around.stuck_after:
        return None
    who = f"the agent {run.agent}" if run.agent else "the step"
    return _reason("no_progress", f"{who} has been at it for {seconds:.0f} s", run)


def _waiting(run: StepRecord, of: Seen, around: Around) -> Document:
    """What a step waits for that has begun: an answer, a message or signal, its agent, a child, a time."""
    asks = [gate for gate in of.gates if gate.key.step_id == run.step_id]
    if asks:
        return _gate(asks[0], run)
    hears = [wait for wait in of.waits if wait.key.step_id == run.step_id]
    if hears:
        return _wait(hears[0], run)
    breaker = around.breakers.get(run.agent or "")
    if breaker is not None and breaker.state is not BreakerState.CLOSED:
        disabled = (breaker.reason or "").startswith(DISABLED)
        why = breaker.reason or "it has failed too often"
        return _reason("agent_disabled" if disabled else "breaker_open", f"the agent {run.agent}: {why}", run)
    step = of.spec.by_id.get(run.step_id)
    kind = "" if step is None else step.kind
    if kind == "workflow":
        child = f", the thread {run.session_id}," if run.session_id else ""
        return _reason("sub_workflow", f"a sub-workflow{child} has not ended", run)
    if run.next_attempt_at is not None:
        return _reason("sleeping", "it waits for a time", run, until=when(run.next_attempt_at))
    return _reason("waiting", "it waits for something from outside", run)


def _gate(gate: GateRecord, run: StepRecord) -> Document:
    whom = f" of {', '.join(gate.assignees)}" if gate.assignees else ""
    said = f"an answer{whom} is waited for{f': {gate.title}' if gate.title else ''}"
    return _reason("gate", said, run, until=when(gate.timeout_at), **mark(gate.key))


def _wait(wait: MessageWait, run: StepRecord) -> Document:
    """A time-out is no time at which it goes on by itself as it should."""
    awaited = f"the signal {wait.signal}" if wait.signal is not None else f"a message on {wait.topic}"
    said = f"{awaited} is waited for{f', if {wait.match}' if wait.match else ''}"
    told = {"topic": wait.topic, "signal": wait.signal, **mark(wait.key)}
    return _reason("waiting", said, run, until=when(wait.timeout_at), **told)
