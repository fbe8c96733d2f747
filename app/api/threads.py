"""The list of threads, and how many there are in each status."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_threads
from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.requests_threads import ThreadCountsQuery, ThreadsQuery
from app.api.schemas_threads import ThreadCountsAnswer, ThreadsAnswer
from app.api.services import services_of
from app.domain.thread_list import COUNTED, ThreadFilter, ThreadPage
from app.domain.views.threads import thread_entry

router: Final = APIRouter(tags=["look back"])

_MANY: Final = 100
"""Entries that are written beside the event loop."""


@router.get(
    "/threads",
    operation_id="list_threads",
    response_model=ThreadsAnswer,
    responses={**problems(422), 200: example(examples_threads.THREADS)},
)
async def threads(request: Request, query: Annotated[ThreadsQuery, FromQuery()]) -> Response:
    """Each thread once, the one that was started or resumed last first; a page may be short, or empty: only `next_cursor`
    null is the end.
    """
    listed = services_of(request).threads
    if query.named is not None:
        return _answer(ThreadPage(threads=await listed.entries(query.named)))
    where = ThreadFilter(
        statuses=query.status or frozenset(),
        workflow=query.workflow,
        since=query.since,
        until=query.until,
        triggered_by=query.triggered_by,
        text=query.text,
        children=query.children,
        before=cursors.created(query.cursor),
        limit=query.limit,
    )
    page = await listed.page(where)
    return await asyncio.to_thread(_answer, page) if len(page.threads) > _MANY else _answer(page)


def _answer(page: ThreadPage) -> Response:
    entries = [thread_entry(one) for one in page.threads]
    return answer({"threads": entries, "next_cursor": cursors.of_created(page.next)})


@router.get(
    "/threads/counts",
    operation_id="count_threads",
    response_model=ThreadCountsAnswer,
    responses={**problems(422), 200: example(examples_threads.COUNTS)},
)
async def counts(request: Request, query: Annotated[ThreadCountsQuery, FromQuery()]) -> Response:
    """How many threads are in each status, counted up to 10,000; as it was up to a second ago."""
    where = ThreadFilter(
        workflow=query.workflow,
        since=query.since,
        until=query.until,
        triggered_by=query.triggered_by,
        children=query.children,
    )
    found = await services_of(request).threads.counts(where)
    by_status = {status.value: number for status, number in found.counts.items()}
    document = {"counts": by_status, "total": sum(by_status.values()), "capped_at": COUNTED, "whole": found.whole}
    return answer(document)
