"""Look back: the versions of a thread, the state at one of them, and executions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Path as FromPath
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples, examples_fork
from app.api.answers import answer, thread_of
from app.api.comparing import comparison_of
from app.api.documents import execution_of, history_of, timeline_of
from app.api.openapi import example, problems
from app.api.requests import CompareQuery, ExecutionsQuery, HistoryQuery
from app.api.schemas import ExecutionAnswer, ExecutionsAnswer, HistoryAnswer, VersionAnswer
from app.api.schemas_fork import CompareAnswer
from app.api.services import services_of
from app.domain.errors import NotFound
from app.domain.ports import ExecutionFilter
from app.domain.views.executions import execution_entry
from app.domain.views.history import state_document
from app.engine.versions import check_shown

router: Final = APIRouter(tags=["look back"])
execution_router: Final = APIRouter(tags=["look back"])

_COUNT_AT_MOST: Final = 10_000


@router.get(
    "/invoke/history/{thread_id}",
    operation_id="invoke_history",
    response_model=HistoryAnswer,
    responses={
        **problems(404, 422),
        200: example(
            {
                "thread_id": examples.THREAD,
                "head_version": 2,
                "history": [examples.HISTORY_ENTRY],
                "next_cursor": None,
            }
        ),
    },
)
async def history(thread_id: str, request: Request, query: Annotated[HistoryQuery, FromQuery()]) -> Response:
    """The thread's versions, oldest first, those left by a rollback too (`on_timeline` false).

    Those that the checkpoint policy hides are left out but for the head, unless `all` is asked for.
    """
    services = services_of(request)
    after = cursors.version(query.cursor)
    return await history_of(services, await thread_of(services, thread_id), query, after)


@router.get(
    "/invoke/history/{thread_id}/{version}",
    operation_id="get_version",
    response_model=VersionAnswer,
    responses={
        **problems(404, 422, version_not_found="no version 9: the thread has 1 to 4"),
        200: example(examples.VERSION),
    },
)
async def version(thread_id: str, version: Annotated[int, FromPath(ge=0)], request: Request) -> Response:
    """One version with the whole state: input, context and every step's output."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    found = []
    if 1 <= version <= thread.last_version:
        found = await services.reads.checkpoints(thread_id, first=version, last=version)
    if not found:
        message = f"no version {version}: the thread has 1 to {thread.last_version}"
        raise NotFound(message, code="version_not_found")
    await check_shown(services.reads, thread, found[0])
    state = await services.control.load_state(thread_id, version)
    timeline = await timeline_of(services, thread)
    return answer(state_document(found[0], state, on_timeline=timeline.holds(version)))


@execution_router.get(
    "/workflow/executions",
    operation_id="list_executions",
    response_model=ExecutionsAnswer,
    responses={
        **problems(422),
        200: example({"executions": [examples.EXECUTION_ENTRY], "total": 1, "next_cursor": None}),
    },
)
async def executions(request: Request, query: Annotated[ExecutionsQuery, FromQuery()]) -> Response:
    """Executions, newest first; `total` counts up to 10,000 whatever the page."""
    services = services_of(request)
    where = ExecutionFilter(
        status=query.status,
        workflow=query.workflow,
        since=query.since,
        until=query.until,
        thread_id=query.thread_id,
        triggered_by=query.triggered_by,
        before=cursors.created(query.cursor),
        limit=query.limit + 1,
    )
    found = await services.reads.executions(where)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    return answer(
        {
            "executions": [execution_entry(one) for one in page],
            "total": await services.reads.count_executions(where, _COUNT_AT_MOST),
            "next_cursor": None if last is None else cursors.encode(last.created_at.isoformat(), last.id),
        }
    )


@execution_router.get(
    "/workflow/executions/compare",
    operation_id="compare_executions",
    response_model=CompareAnswer,
    responses={
        **problems(404, 422, execution_not_found=f"no execution and no thread {examples.EXECUTION!r}"),
        200: example(examples_fork.COMPARED),
    },
)
async def compare(request: Request, query: Annotated[CompareQuery, FromQuery()]) -> Response:
    """Two executions side by side: steps, agents, durations, costs, and where their states differ."""
    return answer(await comparison_of(services_of(request), query.a, query.b))


@execution_router.get(
    "/workflow/execution/{execution_id}",
    operation_id="get_execution",
    response_model=ExecutionAnswer,
    responses={
        **problems(404, execution_not_found=f"no execution {examples.EXECUTION}"),
        200: example(examples.EXECUTION_DETAIL),
    },
)
async def execution(execution_id: str, request: Request) -> Response:
    """One execution with its step runs, their inputs and outputs."""
    services = services_of(request)
    found = await services.reads.execution(execution_id.lower()) if cursors.is_uuid(execution_id) else None
    if found is None:
        raise NotFound(f"no execution {execution_id[:128]!r}", code="execution_not_found")
    return answer(await execution_of(services, found))
