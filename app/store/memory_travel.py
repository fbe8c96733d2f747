"""Timelines in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain import events as names
from app.domain.errors import JsonError
from app.domain.parameters import parse
from app.domain.travel import RunValues, Segment, Travels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.domain.events import Event
    from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord, ThreadRecord
    from app.store.memory_tables import MemoryTables

_TURNS = (names.WORKFLOW_START, names.WORKFLOW_RESUMED, names.WORKFLOW_ROLLED_BACK, names.STATE_QUARANTINED)


class MemoryTravels(Travels):
    """See domain.travel.Travels."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def segments(self, thread_id: str) -> list[Segment]:
        """See Travels."""
        found: list[Segment] = []
        before: CheckpointRecord | None = None
        for one in self._tables.checkpoints.get(thread_id, []):
            goes_on = before is not None and (one.parent_version, one.execution_id) == (
                before.version,
                before.execution_id,
            )
            if goes_on:
                last = found[-1]
                found[-1] = replace(last, last_version=one.version, shown=last.shown + (not one.hidden))
            else:
                found.append(_first(one))
            before = one
        return found

    async def executions_of(
        self, thread_id: str, after: tuple[datetime, str] | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """See Travels."""
        mine = [one for one in self._tables.executions.values() if one.thread_id == thread_id]
        mine = sorted(mine, key=lambda one: (one.created_at, one.id))
        return [_light(one) for one in mine if after is None or (one.created_at, one.id) > after][:limit]

    async def turns(self, thread_id: str, execution_ids: list[str]) -> list[Event]:
        """See Travels."""
        first: dict[str, Event] = {}
        for event in self._tables.events.get(thread_id, []):
            if event.execution_id in execution_ids and event.name in _TURNS:
                first.setdefault(event.execution_id, event)
        return [replace(event, _frame=None) for event in first.values()]

    async def derived(
        self, thread_id: str, kind: str, after: str | None = None, limit: int = 50
    ) -> list[ExecutionRecord]:
        """See Travels."""
        found = [
            one
            for one in self._tables.executions.values()
            if one.kind == kind and (after is None or one.id > after) and _origin(one.parameters) == thread_id
        ]
        return [_light(one) for one in sorted(found, key=lambda one: one.id)[:limit]]

    async def children_of(self, thread_id: str, after: str | None = None, limit: int = 50) -> list[ThreadRecord]:
        """See Travels."""
        mine = [one for one in self._tables.threads.values() if one.parent_thread_id == thread_id]
        mine = [one for one in mine if after is None or one.thread_id > after]
        return [replace(one) for one in sorted(mine, key=lambda one: one.thread_id)[:limit]]

    async def runs_of(self, thread_id: str, step_id: str, limit: int = 50) -> list[StepRecord]:
        """See Travels."""
        known = self._tables.runs.get(thread_id, {}).values()
        found = sorted((run for run in known if run.step_id == step_id), key=lambda run: run.id, reverse=True)
        return [replace(run, input=None, output=None) for run in found[:limit]]

    async def values_of(self, thread_id: str, run_id: str, *, whole: bool = True) -> RunValues | None:
        """See Travels."""
        run = self._tables.runs.get(thread_id, {}).get(run_id)
        if run is None:
            return None
        return RunValues(
            input=run.input if whole else None,
            output=run.output if whole else None,
            input_bytes=None if run.input is None else len(run.input.encode()),
            output_bytes=None if run.output is None else len(run.output.encode()),
        )

    async def began_at(self, thread_id: str, run_id: str) -> int | None:
        """See Travels."""
        found = self._tables.events.get(thread_id, [])
        return next((one.version for one in found if one.run_id == run_id and one.name == names.STEP_START), None)

    async def weight(self, thread_id: str, run_ids: Sequence[str]) -> int:
        """See Travels."""
        runs = self._tables.runs.get(thread_id, {})
        return sum(len((runs[each].output or "").encode()) for each in run_ids if each in runs)


def _first(one: CheckpointRecord) -> Segment:
    return Segment(
        execution_id=one.execution_id,
        first_version=one.version,
        last_version=one.version,
        parent_version=one.parent_version,
        shown=int(not one.hidden),
        created_at=one.created_at,
    )


def _light(one: ExecutionRecord) -> ExecutionRecord:
    return replace(one, input=None, input_sha256=None, output=None, output_sha256=None, context=None)


def _origin(parameters: str | None) -> str | None:
    try:
        asked = parse(parameters)
    except (KeyError, ValueError, JsonError):
        return None
    origin = asked.forked_from or asked.replay_of
    return origin.thread_id if origin is not None else None
