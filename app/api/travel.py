"""Travel in time: what changed between two versions, and the tree of a thread's timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_travel
from app.api.answers import answer, thread_of
from app.api.documents import timeline_of
from app.api.openapi import example, problems
from app.api.requests_travel import DiffQuery, TreeQuery
from app.api.schemas_travel import DiffAnswer, TreeAnswer
from app.api.services import services_of
from app.domain.travel import Timeline
from app.domain.views import diff as diffs
from app.domain.views import tree as trees
from app.domain.views.common import when
from app.engine.versions import check_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.api.services import Services
    from app.domain.parameters import Parameters
    from app.domain.records import CheckpointRecord, ExecutionRecord, ThreadRecord
    from app.domain.travel import Segment
    from app.domain.views.common import Document

router: Final = APIRouter(tags=["look back"])


@router.get(
    "/invoke/history/{thread_id}/diff",
    operation_id="invoke_diff",
    response_model=DiffAnswer,
    responses={
        **problems(404, 409, 422, version_not_found="thread 0199... has no version 9"),
        200: example(examples_travel.DIFF),
    },
)
async def diff(thread_id: str, request: Request, query: Annotated[DiffQuery, FromQuery()]) -> Response:
    """What changed between any two versions, on whichever timelines: an RFC 6902 patch of the state."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    found = await services.travel.difference(thread_id, query.from_version, query.to_version)
    for one in (found.one, found.other):
        await check_shown(services.reads, thread, one)
    timeline = await timeline_of(services, thread)
    document: dict[str, Any] = {
        "thread_id": thread_id,
        "from": _moment(found.one, timeline),
        "to": _moment(found.other, timeline),
        "changed": diffs.changed(found.patch),
        "patch": found.patch,
    }
    return answer(document)


@router.get(
    "/invoke/tree/{thread_id}",
    operation_id="invoke_tree",
    response_model=TreeAnswer,
    responses={**problems(404, 422), 200: example(examples_travel.TREE)},
)
async def tree(thread_id: str, request: Request, query: Annotated[TreeQuery, FromQuery()]) -> Response:
    """The timelines of a thread after rollbacks, resumes and repairs, oldest first; its forks, replays and sub-workflows."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    asked = await _first_asked(services, thread)
    document: dict[str, Any] = {
        "thread_id": thread_id,
        "status": thread.status.value,
        "head_version": thread.head_version,
        "last_version": thread.last_version,
        "forked_from": asked.forked_from.value() if asked.forked_from is not None else None,
        "replay_of": asked.replay_of.value() if asked.replay_of is not None else None,
        "parent": await _parent(services, thread),
        **await _branches(services, thread, query),
        **await _derived(services, thread, query, "forks"),
        **await _derived(services, thread, query, "replays"),
        **await _children(services, thread, query),
    }
    return answer(document)


def _moment(checkpoint: CheckpointRecord, timeline: Timeline) -> Document:
    return {
        "version": checkpoint.version,
        "current_step": checkpoint.step_id,
        "created_at": when(checkpoint.created_at),
        "execution_id": checkpoint.execution_id,
        "on_timeline": timeline.holds(checkpoint.version),
    }


async def _first_asked(services: Services, thread: ThreadRecord) -> Parameters:
    """What the execution was asked for that the thread began with."""
    [first, *_] = await services.travel.lines.executions_of(thread.thread_id, limit=1) or [None]
    return trees.asked_by(first) if first is not None else trees.NOTHING


async def _parent(services: Services, thread: ThreadRecord) -> Document | None:
    if thread.parent_thread_id is None:
        return None
    ids = [thread.parent_run_id] if thread.parent_run_id is not None else []
    runs = await services.reads.steps(thread.parent_thread_id, ids=ids, values=False) if ids else []
    return {
        "thread_id": thread.parent_thread_id,
        "step_id": runs[0].step_id if runs else None,
        "run_id": thread.parent_run_id,
    }


async def _branches(services: Services, thread: ThreadRecord, query: TreeQuery) -> Document:
    lines, name = services.travel.lines, thread.thread_id
    found = await lines.executions_of(name, cursors.created(query.cursor), query.limit + 1)
    page = found[: query.limit]
    turns = {turn.execution_id: turn for turn in await lines.turns(name, [one.id for one in page])}
    segments = await lines.segments(name)
    timeline = Timeline(segments, thread.head_version)
    mine: dict[str, list[Segment]] = {}
    for segment in segments:
        mine.setdefault(segment.execution_id, []).append(segment)
    shown = [
        branch
        for execution in page
        for branch in trees.branches(execution, mine.get(execution.id, []), turns.get(execution.id), timeline, thread)
    ]
    last = page[-1] if len(found) > query.limit else None
    cursor = None if last is None else cursors.encode(last.created_at.isoformat(), last.id)
    return {"branches": shown, "next_cursor": cursor}


_LISTS: Final[dict[str, tuple[str, Callable[[ExecutionRecord, ThreadRecord | None], Document | None]]]] = {
    "forks": ("fork", trees.fork_entry),
    "replays": ("invoke", trees.replay_entry),
}


async def _derived(services: Services, thread: ThreadRecord, query: TreeQuery, name: str) -> Document:
    kind, entry = _LISTS[name]
    after = cursors.one_id(query.forks_cursor if name == "forks" else query.replays_cursor)
    found = await services.travel.lines.derived(thread.thread_id, kind, after, query.limit + 1)
    page = found[: query.limit]
    threads = {one.thread_id: one for one in await services.reads.threads([one.thread_id for one in page])}
    entries = [entry(one, threads.get(one.thread_id)) for one in page]
    return {
        name: [one for one in entries if one is not None],
        f"{name}_cursor": cursors.encode(page[-1].id) if len(found) > query.limit else None,
    }


async def _children(services: Services, thread: ThreadRecord, query: TreeQuery) -> Document:
    after = cursors.text(query.children_cursor)
    found = await services.travel.lines.children_of(thread.thread_id, after, query.limit + 1)
    page: Sequence[ThreadRecord] = found[: query.limit]
    ids = sorted({child.parent_run_id for child in page if child.parent_run_id is not None})
    runs = await services.reads.steps(thread.thread_id, ids=ids, values=False) if ids else []
    by_id = {run.id: run for run in runs}
    return {
        "children": [trees.child_entry(child, by_id) for child in page],
        "children_cursor": cursors.encode(page[-1].thread_id) if len(found) > query.limit else None,
    }
