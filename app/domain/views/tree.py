"""The tree of a thread's timelines: its branches, where each left its parent and why, and the threads that came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import events as names
from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.parameters import NOTHING, Parameters, parse
from app.domain.views.common import Document, when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.domain.events import Event
    from app.domain.records import ExecutionRecord, StepRecord, ThreadRecord
    from app.domain.travel import Segment, Timeline

_BY_EVENT: Final = {
    names.WORKFLOW_RESUMED: "resume",
    names.WORKFLOW_ROLLED_BACK: "rollback",
    names.STATE_QUARANTINED: "repair",
}


def asked_by(execution: ExecutionRecord) -> Parameters:
    """What an execution was asked for; nothing where its row does not tell."""
    try:
        return parse(execution.parameters)
    except (KeyError, ValueError, JsonError):
        return NOTHING


def branches(
    execution: ExecutionRecord,
    segments: Sequence[Segment],
    turn: Event | None,
    timeline: Timeline,
    thread: ThreadRecord,
) -> list[Document]:
    """What one execution wrote: a branch for each run of versions, and one without versions if it wrote none."""
    told: dict[str, Any] = _data(turn)
    why: Document = {
        "execution_id": execution.id,
        "kind": execution.kind,
        "status": execution.status.value,
        "began": _began(execution, segments, turn),
        "reason": told.get("reason"),
        "left_version": told.get("from_version"),
        "triggered_by": execution.triggered_by,
    }
    if not segments:
        parent = told.get("to_version", told.get("from_version"))
        present = execution.id == thread.execution_id
        return [
            {
                **why,
                **_EMPTY,
                "parent_version": parent,
                "on_timeline": present,
                "created_at": when(execution.created_at),
            }
        ]
    return [
        {
            **why,
            "first_version": segment.first_version,
            "last_version": segment.last_version,
            "parent_version": segment.parent_version,
            "versions": segment.shown,
            "on_timeline": timeline.end_in(segment) is not None,
            "on_timeline_to": timeline.end_in(segment),
            "created_at": when(segment.created_at),
        }
        for segment in segments
    ]


_EMPTY: Final[Document] = {"first_version": None, "last_version": None, "versions": 0, "on_timeline_to": None}


def fork_entry(execution: ExecutionRecord, thread: ThreadRecord | None) -> Document | None:
    """A thread that was forked from this one; None where that cannot be told."""
    origin = asked_by(execution).forked_from
    if origin is None:
        return None
    return {"version": origin.version, "variant": origin.variant, **_derived(execution, thread)}


def replay_entry(execution: ExecutionRecord, thread: ThreadRecord | None) -> Document | None:
    """A replay of one of its steps; None where that cannot be told."""
    origin = asked_by(execution).replay_of
    if origin is None:
        return None
    place = {"step_id": origin.step_id, "item": origin.item, "run_id": origin.run_id, "version": origin.version}
    return {**place, **_derived(execution, thread)}


def child_entry(child: ThreadRecord, runs: Mapping[str, StepRecord]) -> Document:
    """A sub-workflow, and the step that started it."""
    run = runs.get(child.parent_run_id or "")
    return {
        "thread_id": child.thread_id,
        "status": child.status.value,
        "step_id": run.step_id if run is not None else None,
        "run_id": child.parent_run_id,
        "created_at": when(child.created_at),
    }


def _derived(execution: ExecutionRecord, thread: ThreadRecord | None) -> Document:
    return {
        "thread_id": execution.thread_id,
        "status": (thread.status if thread is not None else execution.status).value,
        "created_at": when(execution.created_at),
    }


def _began(execution: ExecutionRecord, segments: Sequence[Segment], turn: Event | None) -> str:
    by_event = _BY_EVENT.get(turn.name) if turn is not None else None
    if by_event is not None:
        return by_event
    if execution.kind != "invoke":
        return execution.kind
    if segments and segments[0].parent_version is not None:
        return "again"
    return "start" if asked_by(execution).replay_of is None else "replay"


def _data(turn: Event | None) -> dict[str, Any]:
    try:
        value: Any = jsontext.loads(turn.data) if turn is not None else {}
    except JsonError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
