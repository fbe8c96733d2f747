"""Gathers what a status, a history page or an execution is made of: few reads, the independent ones together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from app.api.answers import answer
from app.domain import jsontext
from app.domain.checkpoints import is_shown
from app.domain.errors import JsonError, NotFound
from app.domain.gates import GateFilter
from app.domain.parameters import parse
from app.domain.records import ErrorInfo, ExecutionRecord
from app.domain.retry import CORRUPT
from app.domain.state import Refs
from app.domain.status import StepStatus
from app.domain.travel import Timeline
from app.domain.views.executions import execution_document
from app.domain.views.history import history_entry, states
from app.domain.views.status import Aside, kept_runs, status_document
from app.domain.waits import WaitFilter
from app.runners.aside import aside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.responses import Response

    from app.api.requests import HistoryQuery
    from app.api.services import Services
    from app.domain.gates import GateRecord
    from app.domain.parameters import Origin
    from app.domain.records import CheckpointRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.views.common import Document
    from app.domain.waits import MessageWait

_CHUNK = 1000
_NAMES = 1_000_000
"""Names of steps that a page of the history tells: each version names all that were done by then."""
_HEAVY = 3_000
"""What a version weighs, for app.runners.aside."""


async def status_of(services: Services, thread: ThreadRecord) -> Document:
    """The status document of a thread whose row has just been read."""
    reads, control, name = services.reads, services.control, thread.thread_id
    execution, spec, refs, runs = await asyncio.gather(
        reads.execution(thread.execution_id),
        control.spec(thread.definition_id),
        control.head_refs(thread),
        reads.steps(name, execution_id=thread.execution_id, values=False),
    )
    execution = execution or _gone(thread, spec)
    kept = kept_runs(refs, runs)
    gates: list[GateRecord] = []
    waits: list[MessageWait] = []
    if any(run.status is StepStatus.WAITING for run in runs):
        gates = await services.gates.listed(GateFilter(thread_id=name, only_open=True, limit=_CHUNK))
        waits = await services.waits.listed(WaitFilter(thread_id=name, is_open=True, limit=_CHUNK))
    if kept:
        runs = runs + await reads.steps(name, ids=kept, values=False)
    origin = None if execution.kind == "invoke" else await origin_of(services, name)
    return status_document(thread, execution, spec, refs, runs, Aside(origin=origin, gates=gates, waits=waits))


def _gone(thread: ThreadRecord, spec: WorkflowSpec) -> ExecutionRecord:
    """What can be told of an execution whose row is gone: its thread must still be told."""
    error = ErrorInfo(kind=CORRUPT, message=f"the row of execution {thread.execution_id} is gone")
    return ExecutionRecord(
        id=thread.execution_id,
        thread_id=thread.thread_id,
        workflow_id=None,
        workflow_name=spec.name,
        workflow_version=None,
        kind="unknown",
        status=thread.status,
        input=None,
        input_sha256=None,
        created_at=thread.updated_at,
        error=jsontext.dumps(error.value()),
    )


async def origin_of(services: Services, thread_id: str) -> Origin | None:
    """Where a thread comes from, if it is a fork: the execution that wrote its first version knows."""
    first = await services.reads.checkpoints(thread_id, first=1, last=1)
    if not first or first[0].trigger != "fork":
        return None
    execution = await services.reads.execution(first[0].execution_id)
    with suppress(KeyError, ValueError, JsonError):  # damaged: it cannot be told
        return parse(execution.parameters).forked_from if execution is not None else None
    return None


async def execution_of(services: Services, execution: ExecutionRecord) -> Document:
    """The document of one execution, with the step runs that it kept from before."""
    reads, name = services.reads, execution.thread_id
    thread = await reads.thread(name)
    if thread is None:
        raise NotFound(f"no execution {execution.id}", code="execution_not_found")
    spec, refs, runs = await asyncio.gather(
        services.control.spec(execution.workflow_id or thread.definition_id),
        refs_of(services, thread, execution.id),
        reads.steps(name, execution_id=execution.id),
    )
    kept = kept_runs(refs, runs)
    if kept:
        runs = runs + await reads.steps(name, ids=kept)
    return execution_document(execution, runs, len(spec.steps))


async def refs_of(services: Services, thread: ThreadRecord, execution_id: str) -> Refs:
    """The state that an execution has come to: the thread's head, or the last version that it wrote."""
    if thread.execution_id == execution_id:
        return await services.control.head_refs(thread)
    last = await version_of(services, thread, execution_id)
    return await services.control.load_refs(thread.thread_id, last) if last else Refs()


async def version_of(services: Services, thread: ThreadRecord, execution_id: str) -> int:
    """The version that an execution has come to: the thread's head, or the last that it wrote, 0 for none."""
    if thread.execution_id == execution_id:
        return thread.head_version
    last = 0
    async for chunk in chunks_of(services, thread.thread_id, 1, thread.last_version):
        last = max([last, *(one.version for one in chunk if one.execution_id == execution_id)])
    return last


async def chunks_of(services: Services, thread_id: str, first: int, last: int) -> AsyncIterator[list[CheckpointRecord]]:
    """The versions first..last, so many at a time."""
    while first <= last:
        chunk = await services.reads.checkpoints(thread_id, first=first, last=last, limit=_CHUNK)
        if not chunk:
            return
        yield chunk
        first = chunk[-1].version + 1


async def history_of(services: Services, thread: ThreadRecord, query: HistoryQuery, after: int) -> Response:
    """A page of the thread's versions above `after`, made in a thread when they are many."""
    timeline = await timeline_of(services, thread)
    page, more = await _page(services, thread, (query, timeline), after)
    if not page:
        return answer(_history(thread, [], None))
    lowest = min(one.base_version for one in page)
    known: list[CheckpointRecord] = []
    async for chunk in chunks_of(services, thread.thread_id, lowest, page[-1].version):
        known += chunk

    def made() -> Response:
        entries = _entries(known, page, timeline)
        last = entries[-1]["version"] if more or len(entries) < len(page) else None
        return answer(_history(thread, entries, last))

    return await aside(made, len(known) * _HEAVY)


def _entries(known: Sequence[CheckpointRecord], page: Sequence[CheckpointRecord], timeline: Timeline) -> list[Document]:
    """The versions of a page, as far as they may name that many steps together."""
    wanted, named = {one.version for one in page}, 0
    found: list[Document] = []
    # One after the other they cost a manifest each, and all alone each a whole state.
    every = known if any(one.hidden for one in known) else page
    for one, refs in states(known, every):
        if one.version in wanted:
            found.append(history_entry(one, refs, on_timeline=timeline.holds(one.version)))
            named += len(found[-1]["completed_steps"])
            if named >= _NAMES:
                break
    return found


def _history(thread: ThreadRecord, entries: list[Document], last: int | None) -> Document:
    return {
        "thread_id": thread.thread_id,
        "head_version": thread.head_version,
        "history": entries,
        "next_cursor": None if last is None else str(last),
    }


async def _page(
    services: Services, thread: ThreadRecord, where: tuple[HistoryQuery, Timeline], after: int
) -> tuple[list[CheckpointRecord], bool]:
    """The versions that the filters leave, at most `limit`, and whether there are more."""
    query, timeline = where
    first = max(after + 1, query.from_version or 1)
    last = min(thread.last_version, query.to_version or thread.last_version)
    found: list[CheckpointRecord] = []
    wanted = query.limit + 1
    size = _CHUNK if query.is_sparse else min(_CHUNK, wanted)
    while first <= last and len(found) < wanted:
        chunk = await services.reads.checkpoints(thread.thread_id, first=first, last=last, limit=size)
        if not chunk:
            break
        shown = chunk if query.all else [one for one in chunk if is_shown(one, thread.head_version)]
        found += [one for one in shown if _in_time(one, query) and _is_wanted(one, query, timeline)]
        size = _CHUNK if any(one.hidden for one in chunk) else size
        if query.until is not None and chunk[-1].created_at >= query.until:
            break
        first = chunk[-1].version + 1
    return found[: query.limit], len(found) > query.limit


def _in_time(checkpoint: CheckpointRecord, query: HistoryQuery) -> bool:
    since = query.since is None or checkpoint.created_at >= query.since
    return since and (query.until is None or checkpoint.created_at < query.until)


def _is_wanted(checkpoint: CheckpointRecord, query: HistoryQuery, timeline: Timeline) -> bool:
    return (
        query.step in (None, checkpoint.step_id)
        and query.trigger in (None, checkpoint.trigger)
        and query.execution_id in (None, checkpoint.execution_id)
        and query.on_timeline in (None, timeline.holds(checkpoint.version))
    )


async def timeline_of(services: Services, thread: ThreadRecord) -> Timeline:
    """The versions that the head came from."""
    return Timeline(await services.travel.lines.segments(thread.thread_id), thread.head_version)
