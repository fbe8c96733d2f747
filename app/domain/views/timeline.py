"""The timeline of a thread: what each execution and each step run was at, from when to when, for a Gantt chart.

A span that goes on has no end.  When an attempt was lost with its process is not known: its span ends when it was recovered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain import events as names
from app.domain import jsontext
from app.domain.status import Status, StepStatus
from app.domain.times import duration_ms
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.domain.events import Event
    from app.domain.records import ItemRecord, StepRecord, ThreadRecord
    from app.domain.timeline import ExecutionTimes, TimelinePage

_WAITS_FOR: Final = {"sleep": "sleep", "workflow": "thread"}
"""What steps of a kind do nothing but wait for."""
_WAITINGS: Final = {names.GATE_WAITING: "gate", names.MESSAGE_WAITING: "message"}
_ANSWERS: Final = frozenset({names.GATE_ANSWERED, names.MESSAGE_RECEIVED})
_ENDS: Final = frozenset({names.STEP_COMPLETE, names.STEP_FAILED, names.STEP_SKIPPED})


@dataclass(slots=True)
class _Line:
    """The spans of one row; those that are shorter than nothing, by clocks that differ, have no length."""

    spans: list[Document] = field(default_factory=list[Document])
    _open: Document | None = None
    _since: datetime | None = None

    @property
    def state(self) -> str | None:
        """What it is at."""
        return None if self._open is None else self._open["state"]

    def begin(self, state: str, at: datetime, **more: Any) -> None:
        """It is at something else from now on."""
        self.end(at)
        self._open, self._since = (
            {"state": state, "started_at": when(at), "ended_at": None, "duration_ms": None, **more},
            at,
        )

    def end(self, at: datetime, outcome: str | None = None) -> None:
        """It is at nothing any more."""
        if self._open is not None and self._since is not None:
            at = max(at, self._since)
            self._open |= {"ended_at": when(at), "duration_ms": duration_ms(self._since, at)}
            if outcome is not None:
                self._open["outcome"] = outcome
            self.spans.append(self._open)
        self._open = self._since = None

    def leave(self, now: datetime, **more: Any) -> list[Document]:
        """All spans; one that goes on has lasted until now, one that is to come has not begun."""
        if self._since is not None and self._since > now and self.spans:
            self._open, self._since = self.spans.pop(), None
            return [*self.spans, self._open | {"ended_at": None, "duration_ms": None}]
        if self._open is not None and self._since is not None:
            self.spans.append(self._open | {"duration_ms": duration_ms(self._since, max(now, self._since)), **more})
        return self.spans


def timeline_document(thread: ThreadRecord, page: TimelinePage, kinds: Mapping[str, str], now: datetime) -> Document:
    """Of a page; `kinds` are those of the workflow's steps by id."""
    of_runs: dict[str, list[Event]] = {run.id: [] for run in page.runs}
    of_thread: list[Event] = []
    for event in page.events:
        of_runs.get(event.run_id or "", of_thread).append(event)
    recovered = [event for event in of_thread if event.name == names.WORKFLOW_RESUMED]
    parts: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in page.items:
        parts.setdefault((item.key_execution_id, item.step_id), []).append(item)
    steps = [
        _run(run, kinds.get(run.step_id, ""), sorted([*of_runs[run.id], *recovered], key=lambda event: event.seq), now)
        | {"items": [_item(one, now) for one in parts.get((run.key_execution_id, run.step_id), ())]}
        for run in page.runs
    ]
    return {
        "thread_id": thread.thread_id,
        "status": thread.status.value,
        "now": when(now),
        "executions": [_execution(thread, each, of_thread, now) for each in reversed(page.executions)],
        "steps": steps,
        "whole": page.whole,
    }


def _execution(thread: ThreadRecord, times: ExecutionTimes, told: Sequence[Event], now: datetime) -> Document:
    line = _Line()
    line.begin("queued", times.created_at)
    if times.started_at is not None:
        line.begin("running", times.started_at)
        for event in told:
            if event.execution_id == times.id and event.name == names.WORKFLOW_PAUSED:
                line.begin("paused", event.at)
            elif event.execution_id == times.id and event.name == names.WORKFLOW_RESUMED and line.state == "paused":
                line.begin("running", event.at)
    if times.completed_at is not None:
        line.end(times.completed_at)
    waits = thread.execution_id == times.id and thread.status is Status.WAITING
    return {
        "execution_id": times.id,
        "kind": times.kind,
        "status": times.status,
        **_length(times.created_at, times.completed_at, now),
        "waiting": waits,
        "spans": line.leave(now),
    }


def _run(run: StepRecord, kind: str, told: Sequence[Event], now: datetime) -> Document:
    begun, line = run.started_at, _Line()
    if begun is not None:
        _begin(line, kind, begun, 1)
        for event in told:
            if event.at >= begun:
                _apply(line, run, kind, event)
    if run.completed_at is not None:
        line.end(run.completed_at, run.status.value)
    live: Document = {}
    if run.completed_at is None and run.status is StepStatus.WAITING and line.state == "running":
        live = {"state": "waiting", "waits_for": "time" if run.next_attempt_at is not None else "answer"}
    return {
        "step_id": run.step_id,
        "run_id": run.id,
        "execution_id": run.execution_id,
        "step_index": run.step_index,
        "kind": kind or None,
        "agent": run.agent,
        "status": run.status.value,
        "attempt": run.attempt,
        "error": raw(run.error),
        **_length(begun, run.completed_at, now),
        "spans": line.leave(now, **live),
    }


def _begin(line: _Line, kind: str, at: datetime, attempt: int, **more: Any) -> None:
    waits_for = _WAITS_FOR.get(kind)
    if waits_for is None:
        line.begin("running", at, attempt=attempt, **more)
    else:
        line.begin("waiting", at, attempt=attempt, waits_for=waits_for, **more)


def _apply(line: _Line, run: StepRecord, kind: str, event: Event) -> None:
    """What an event changes; those of single items change nothing for their step.

    A next attempt begins when it is due: a moment later in truth, of which nothing tells.
    """
    data: Document = jsontext.loads(event.data)
    attempt = event.attempt or 1
    if event.name == names.WORKFLOW_RESUMED:
        lost = (
            data.get("trigger") == "recovery"
            and run.step_id in data.get("steps", ())
            and run.execution_id == event.execution_id
        )
        if lost and line.state == "running":
            line.end(event.at, "lost")
            _begin(line, kind, event.at, attempt, recovered=True)
    elif event.name in _ENDS:
        line.end(event.at, str(data.get("status") or run.status.value))
    elif data.get("index") is not None or data.get("item") is not None or line.state is None:
        return
    elif event.name == names.STEP_RETRY:
        due = event.at + timedelta(milliseconds=data.get("delay_ms", 0))
        line.end(event.at, "failed")
        line.begin("retrying", event.at, attempt=attempt, error=data.get("error"))
        _begin(line, kind, due, attempt)
    elif event.name in _WAITINGS:
        waits_for = "signal" if data.get("signal") else _WAITINGS[event.name]
        line.begin("waiting", event.at, attempt=attempt, waits_for=waits_for)
    elif event.name in _ANSWERS:
        line.begin("running", event.at, attempt=attempt)


def _item(item: ItemRecord, now: datetime) -> Document:
    return {
        "index": item.item,
        "status": item.status.value,
        "agent": item.agent,
        "attempt": item.attempt,
        **_length(item.started_at, item.completed_at, now),
    }


def _length(begun: datetime | None, ended: datetime | None, now: datetime) -> Document:
    """From when to when; what goes on has lasted until now."""
    lasted = None if begun is None else duration_ms(begun, ended or now)
    return {"started_at": when(begun), "ended_at": when(ended), "duration_ms": lasted}
