"""LOG_FLOWS: the way of each thread through the engine, as a trail that people can read, under the logger `backstitch.flow`.

It is made of what is committed: a line tells of nothing that a crash could undo.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain import events, jsontext
from app.domain.logs import Place
from app.domain.runner import Asleep, Failed
from app.domain.status import Status
from app.domain.times import rfc3339
from app.domain.transition import Start
from app.engine.watch import Watcher

if TYPE_CHECKING:
    from app.domain.events import Event
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.transition import Transition
    from app.engine.watch import AttemptFact

_log: Final = logging.getLogger("backstitch.flow")
_UNSAID: Final = frozenset({events.STEP_PROGRESS, events.WORKFLOW_START})
_LONGEST: Final = 300


class Flows(Watcher):
    """Registered only when LOG_FLOWS is on: else it costs nothing."""

    def taken_up(self, thread: ThreadRecord, spec: WorkflowSpec, execution: ExecutionRecord) -> None:
        """See Watcher."""
        again = f", recovery {thread.recoveries} in a row" if thread.recoveries else ""
        woken = "woken, " if thread.status is Status.WAITING else ""
        text = f"{woken}taken up by process {thread.incarnation_id}, at version {thread.head_version}{again}"
        _say(_place(thread.thread_id, execution.id, spec.name), text)

    def let_go(self, thread: ThreadRecord, spec: WorkflowSpec) -> None:
        """See Watcher."""
        why = "let go: left to another" if thread.status is Status.RUNNING else f"let go, {thread.status}"
        _say(_place(thread.thread_id, thread.execution_id, spec.name), why)

    def fenced(self, thread: ThreadRecord) -> None:
        """See Watcher."""
        _say(
            _place(thread.thread_id, thread.execution_id), f"fenced at epoch {thread.epoch}: another process drives it"
        )

    def ended(self, attempt: AttemptFact) -> None:
        """See Watcher."""
        ending, seconds = attempt.ending, attempt.seconds
        match ending:
            case None:
                how = f"was stopped after {seconds:.3f} s"
            case Failed(error=error):
                how = f"failed after {seconds:.3f} s: {_why(error.value())}"
            case Asleep():
                how = f"waits, after {seconds:.3f} s"
            case _:
                how = f"completed after {seconds:.3f} s"
        item = "" if attempt.context.index is None else f" of item {attempt.context.index}"
        _say(attempt.context.place, f"attempt {attempt.context.attempt}{item} {how}")

    def moved(self, what: Start | Transition) -> None:
        """See Watcher."""
        if isinstance(what, Start):
            thread, execution = what.thread, what.execution
            where = "at once" if thread.incarnation_id is not None else f"from queue {thread.queue}"
            place = _place(thread.thread_id, execution.id, execution.workflow_name)
            _say(place, f"accepted: {execution.kind} of {execution.workflow_name}, to be taken up {where}")
            return
        place = _place(what.thread_id, what.execution_id, what.workflow)
        for event in what.events:
            if event.name not in _UNSAID:
                _say(_of_event(event, what.workflow), _told(event))
        for version in what.checkpoints:
            hidden = ", hidden" if version.hidden else ""
            _say(
                place,
                f"version {version.version} written after {version.step_id}, parent {version.parent_version}{hidden}",
            )
        if what.incarnation_id is None and what.status is Status.WAITING:
            until = "it is woken" if what.wake_at is None else rfc3339(what.wake_at)
            _say(place, f"parked until {until}: no slot is held")


def _say(place: Place, text: str) -> None:
    step = "" if place.step_id is None else f" step {place.step_id}"
    _log.info("thread %s%s: %s", place.thread_id, step, text, extra={"place": place})


def _place(thread_id: str, execution_id: str, workflow: str | None = None) -> Place:
    return Place(thread_id=thread_id, execution_id=execution_id, workflow=workflow)


def _of_event(event: Event, workflow: str | None) -> Place:
    return Place(
        thread_id=event.thread_id,
        execution_id=event.execution_id,
        workflow=workflow,
        step_id=event.step_id,
        attempt=event.attempt,
    )


def _told(event: Event) -> str:
    """What an event says, in words."""
    data: dict[str, Any] = jsontext.loads(event.data)
    match event.name:
        case events.STEP_START:
            return f"begins{_by(data)}"
        case events.STEP_RETRY:
            seconds = data.get("delay_ms", 0) / 1000
            return f"attempt {event.attempt} in {seconds:g} s, after {_why(data.get('error'))}"
        case events.STEP_FAILED:
            return f"failed for good{', caught' if data.get('caught') else ''}: {_why(data.get('error'))}"
        case events.STEP_SKIPPED:
            return f"skipped: {data.get('reason')}"
        case events.WORKFLOW_RESUMED:
            how = "recovered after its process was lost" if data.get("trigger") == "recovery" else "resumed"
            return f"{how}; open steps: {', '.join(data.get('steps') or ()) or 'none'}"
        case _:
            why = _why(data.get("error")) or str(data.get("reason") or "")
            return f"{event.name.replace('_', ' ')}{f': {why}' if why else ''}"


def _by(data: dict[str, Any]) -> str:
    return f", done by {data['agent']}" if data.get("agent") else ""


def _why(error: Any) -> str:
    match error:
        case {"kind": kind, "message": message}:
            return f"{kind}: {message}"[:_LONGEST]
        case _:
            return ""
