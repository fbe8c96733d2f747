"""The events of all threads as a list, and the timeline of one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import orjson
from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_look
from app.api.answers import answer, thread_of
from app.api.openapi import example, problems
from app.api.requests_look import EventsQuery, TimelineQuery
from app.api.schemas_look import EventsAnswer, TimelineAnswer
from app.api.services import services_of
from app.domain import jsontext
from app.domain.errors import InvalidRequest, Problem
from app.domain.event_log import EventFilter, names_of
from app.domain.timeline import TimelineFilter
from app.domain.times import utc_now
from app.domain.views.timeline import timeline_document

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.ports import FeedItem, FeedPosition
    from app.domain.records import ThreadRecord

router: Final = APIRouter(tags=["look back"])
timeline_router: Final = APIRouter(tags=["look back"])


@router.get(
    "/events",
    operation_id="list_events",
    response_model=EventsAnswer,
    responses={**problems(422), 200: example(examples_look.EVENTS)},
)
async def events(request: Request, query: Annotated[EventsQuery, FromQuery()]) -> Response:
    """The durable events of all threads; a page may be short, or empty: only `next_cursor` null is the end."""
    names, other_than = (None, frozenset[str]()) if query.type is None else names_of(query.type)
    if query.event is not None:
        asked = frozenset(query.event.split(",")) - other_than
        names, other_than = asked if names is None else names & asked, frozenset[str]()
    where = EventFilter(
        thread_id=query.thread_id,
        workflow=query.workflow,
        names=names,
        other_than=other_than,
        step_id=query.step_id,
        agent=query.agent,
        status=query.status,
        since=query.since,
        until=query.until,
        after=_after(query),
        newest_first=query.order == "desc",
        limit=query.limit,
    )
    page = await services_of(request).events.page(where)
    return answer(
        {
            "events": [orjson.Fragment(event_text(item)) for item in page.items],
            "next_cursor": None if page.next is None else cursors.of_position(page.next),
            "cursor": cursors.of_position(page.place),
        }
    )


def event_text(item: FeedItem) -> str:
    """An event of a list that is not of one thread, as JSON."""
    return f'{item.event.json()[:-1]},"workflow":{jsontext.dumps(item.workflow)}}}'


def _after(query: EventsQuery) -> FeedPosition | None:
    """The place that a cursor stands for.  Raises InvalidRequest for one of a list of another kind."""
    if query.cursor is None:
        return None
    place = cursors.position(query.cursor, name="cursor")
    own = (place.xact, place.thread_id) == (0, query.thread_id) if query.thread_id is not None else place.xact > 0
    if not own:
        message = "is of another list: with a thread_id, of the same thread; without, of all threads"
        raise InvalidRequest(f"cursor: {message}", problems=[Problem("/query/cursor", message)])
    return place


@timeline_router.get(
    "/invoke/timeline/{thread_id}",
    operation_id="invoke_timeline",
    response_model=TimelineAnswer,
    response_model_exclude_unset=True,
    responses={**problems(404, 422), 200: example(examples_look.TIMELINE)},
)
async def timeline(thread_id: str, request: Request, query: Annotated[TimelineQuery, FromQuery()]) -> Response:
    """What each step run was at, from when to when, by their beginnings; also while the thread runs."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    after = None if query.cursor is None else cursors.text(query.cursor)
    if after is not None and not cursors.is_uuid(after):
        cursors.decode("", name="cursor")
    where = TimelineFilter(
        thread_id=thread_id, execution_id=query.execution_id, after=after, limit=query.limit, items=query.items
    )
    page = await services.timelines.page(where)
    document = timeline_document(thread, page, await _kinds(services, thread), utc_now())
    return answer({**document, "next_cursor": cursors.encode(page.runs[-1].id) if page.more else None})


async def _kinds(services: Services, thread: ThreadRecord) -> dict[str, str]:
    """The kinds of the workflow's steps."""
    spec = await services.control.spec(thread.definition_id)
    return {step.id: step.kind for step in spec.steps}
