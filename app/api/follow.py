"""Follow: the status of a thread, its events as a stream, and the feed of all threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples, examples_stream
from app.api.answers import answer, known_form, thread_of
from app.api.documents import status_of
from app.api.feed import FeedStream
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.polling import poll
from app.api.requests import FeedQuery, StreamQuery
from app.api.requests_stream import PollQuery, TokenRequest
from app.api.schemas import StatusDocument
from app.api.schemas_stream import StreamTokenAnswer, ThreadEventsAnswer
from app.api.services import services_of, state_of
from app.api.sse import EventStream
from app.api.thread_stream import ThreadStream
from app.domain.errors import InvalidRequest
from app.domain.ports import FeedFilter
from app.domain.status import ENDED
from app.domain.views.common import when
from app.domain.views.status import links

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.ports import FeedPosition
    from app.domain.records import ThreadRecord

router: Final = APIRouter(tags=["follow"])
feed_router: Final = APIRouter(tags=["follow"])

_DIGITS: Final = 18
_TOKEN_SECONDS: Final = 900.0
_BY_TOKEN: Final = (404, 422, 401, 403)


def _stream(text: str) -> dict[str, Any]:
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": text}}
    return {"description": "Events as they happen", "content": content}


def _last_event_id(what: str) -> dict[str, Any]:
    header = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
    return {"parameters": [{**header, "description": f"{what}; one that is none of ours is ignored."}]}


_EVENT: Final = (
    "id: 2\nevent: step_start\n"
    f'data: {{"seq":2,"thread_id":"{examples.THREAD}","execution_id":"{examples.EXECUTION}","type":"status",'
    '"event":"step_start","step_id":"analyst","attempt":1,"version":1,"at":"2026-11-21T09:30:00.123Z","data":{}}\n\n'
)
STREAMED: Final[dict[int | str, Any]] = {
    200: _stream(f"retry: 1000\nevent: snapshot\ndata: {{}}\n\n{_EVENT}"),
    204: {"description": "The thread has ended and the cursor is at its end"},
}
LAST_SEQ: Final = _last_event_id("The `seq` of the last event seen; goes before `after`")
"""How OpenAPI describes the stream of a thread, and the header that it takes."""


async def status(thread_id: str, request: Request) -> Response:
    """Where the thread stands, with every step of its workflow."""
    services = services_of(request)
    return answer(await status_of(services, await thread_of(services, thread_id)))


for _path, _id in (
    ("/invoke/status/{thread_id}", "invoke_status"),
    ("/invoke-status/status/{thread_id}", "get_status"),
):
    router.get(
        _path,
        operation_id=_id,
        response_model=StatusDocument,
        responses={**problems(404), 200: example(examples.STATUS)},
    )(status)


@router.get(
    "/invoke/stream/{thread_id}",
    operation_id="invoke_stream",
    status_code=200,
    response_class=EventStream,
    responses={**problems(*_BY_TOKEN), **STREAMED},
    openapi_extra=LAST_SEQ,
)
async def stream(thread_id: str, request: Request, query: Annotated[StreamQuery, FromQuery()]) -> Response:
    """The thread's events after a cursor, each once, then live ones until it has ended (server-sent events)."""
    state = state_of(request)
    if query.token is not None:
        await state["services"].tickets.check(query.token, thread_id)
    thread = await thread_of(state["services"], thread_id)
    sent = request.headers.get("last-event-id", "").strip()
    given = int(sent) if sent.isascii() and sent.isdigit() and len(sent) <= _DIGITS else query.after
    if thread.status in ENDED and await _has_all(state["services"], thread, given, again=bool(sent)):
        return Response(status_code=204)
    return EventStream(ThreadStream(state["services"], state["streams"], thread, given).frames())


@router.get(
    "/invoke/events/{thread_id}",
    operation_id="invoke_events",
    response_model=ThreadEventsAnswer,
    responses={**problems(404, 422), 200: example(examples_stream.EVENTS)},
)
async def events(thread_id: str, request: Request, query: Annotated[PollQuery, FromQuery()]) -> Response:
    """The thread's events after a cursor, as JSON; while there is none it waits for one, up to `wait`."""
    page = await poll(state_of(request), known_form(thread_id), query)
    thread = page.thread
    return answer(
        {
            "thread_id": thread_id,
            "status": thread.status.value,
            "events": page.told(),
            "next_cursor": page.next,
            "last_seq": max(thread.last_seq, page.next),
            "done": page.done,
        }
    )


@router.post(
    "/invoke/token/{thread_id}",
    operation_id="invoke_token",
    response_model=StreamTokenAnswer,
    responses={**problems(404, 400, 413, 422), 200: example(examples_stream.TOKEN)},
    openapi_extra=body(TokenRequest, {"ttl": "5m"}, required=False),
)
async def token(thread_id: str, request: Request) -> Response:
    """A token that lets whoever has it follow the stream of this thread for a while, and nothing else."""
    services = services_of(request)
    wanted = await read(request, TokenRequest, empty=True)
    await thread_of(services, thread_id)
    ticket, until = await services.tickets.issue(thread_id, wanted.ttl or _TOKEN_SECONDS)
    where = f"{links(thread_id)['stream']}?token={ticket}"
    return answer({"thread_id": thread_id, "token": ticket, "expires_at": when(until), "stream": where})


async def _has_all(services: Services, thread: ThreadRecord, given: int, *, again: bool) -> bool:
    """Whether there is nothing after a cursor; one that comes `again` has been told of events that are gone."""
    if given >= thread.last_seq:
        return True
    return again and not await services.reads.events(thread.thread_id, after=given, limit=1)


@feed_router.get(
    "/stream",
    operation_id="stream_all",
    status_code=200,
    response_class=EventStream,
    responses={**problems(422), 200: _stream(_EVENT.replace("id: 2", "id: WzQyLDIsInQtMSJd"))},
    openapi_extra=_last_event_id("The `id` of the last event seen; goes before `after`"),
)
async def stream_all(request: Request, query: Annotated[FeedQuery, FromQuery()]) -> Response:
    """The durable events of all threads, live; without a cursor from now on (server-sent events)."""
    state = state_of(request)
    after = cursors.position(query.after) if query.after is not None else None
    after = _seen(request.headers.get("last-event-id")) or after
    where = FeedFilter(workflow=query.workflow, status=query.status)
    feed = FeedStream(state["services"], state["feed"], where, after, compact=query.compact)
    return EventStream(feed.frames())


def _seen(header: str | None) -> FeedPosition | None:
    try:
        return None if header is None else cursors.position(header)
    except InvalidRequest:
        return None
