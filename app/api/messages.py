"""Messages: publish them, as plain JSON or as CloudEvents, and look at the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_messages, idempotency
from app.api.answers import answer
from app.api.openapi import example, problems, published_body
from app.api.requests_messages import MessagesQuery, TopicName
from app.api.schemas_messages import MessageAnswer, MessagesAnswer, PublishedAnswer, PublishedBatchAnswer
from app.api.services import services_of
from app.domain import cloudevents, jsontext
from app.domain.errors import Conflict, InvalidRequest, JsonError, NotFound, NotSupported
from app.domain.ids import derived_id, uuid7
from app.domain.message_book import MessageFilter
from app.domain.messages import Message
from app.domain.times import utc_now
from app.domain.views.messages import message_document, published_document
from app.runners.aside import aside
from app.triggers.publishing import masked

if TYPE_CHECKING:
    from app.api.services import Services

router: Final = APIRouter(tags=["messages"])
SOURCE: Final = "/api/messages"
"""The source of messages that are no CloudEvents."""
_REFUSED: Final = {
    "invalid_topic": "workflow.* tells of threads: publish on another topic",
    "invalid_cloudevent": "/id: required",
    "idempotency_key_reused": "this Idempotency-Key was used for another message",
}
_AS_EVENT: Final = {"schema": {"type": "object"}, "example": examples_messages.CLOUDEVENT_OUT}
_AS_EVENTS: Final = {
    "schema": {"type": "array", "items": {"type": "object"}},
    "example": [examples_messages.CLOUDEVENT_OUT],
}


@router.post(
    "/messages/{topic}",
    operation_id="publish",
    status_code=202,
    response_model=PublishedAnswer | PublishedBatchAnswer,
    responses={**problems(422, 400, 413, **_REFUSED), 202: example(examples_messages.PUBLISHED)},
    openapi_extra={
        **published_body(examples_messages.ORDER, examples_messages.CLOUDEVENT),
        "parameters": [idempotency.HEADER],
    },
)
async def publish(topic: Annotated[TopicName, Path()], request: Request) -> Response:
    """Publish a message, which is durable once this answers. The body is its data, or it is a CloudEvent (structured, or
    binary with `ce-` headers), or a batch of these. A CloudEvent is known by its source and id, other messages by an
    Idempotency-Key.
    """
    services, body = services_of(request), await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == cloudevents.BATCH:
        given = await aside(lambda: cloudevents.of_batch(jsontext.loads(body), topic), len(body))
        return await _batch(services, given)
    if kind == cloudevents.STRUCTURED:
        message = await aside(lambda: cloudevents.of_object(jsontext.loads(body), topic), len(body))
    elif "ce-specversion" in request.headers or "ce-id" in request.headers:
        message = await aside(lambda: cloudevents.of_headers(request.headers.items(), body, topic), len(body))
    elif kind.startswith("application/cloudevents"):
        raise NotSupported(f"{kind}: send {cloudevents.STRUCTURED} or {cloudevents.BATCH}")
    else:
        return await _plain(services, request, topic, body)
    return await _one(services, message)


async def publish_straight(request: Request) -> Response:
    """The same without FastAPI in between."""
    return await publish(request.path_params["topic"], request)


@router.get(
    "/messages",
    operation_id="list_messages",
    response_model=MessagesAnswer,
    responses={
        **problems(422),
        200: {
            "content": {
                **example(examples_messages.MESSAGES)["content"],
                cloudevents.BATCH: _AS_EVENTS,
            }
        },
    },
)
async def listed(request: Request, query: Annotated[MessagesQuery, FromQuery()]) -> Response:
    """The messages that are kept, newest first. With `Accept: application/cloudevents-batch+json` they are CloudEvents, and the
    header `Link` leads on.
    """
    where = MessageFilter(
        pattern=query.topic,
        source=query.source,
        since=query.since,
        before=None if query.cursor is None else cursors.position(query.cursor, name="cursor"),
        limit=query.limit,
    )
    page = await services_of(request).messages.listed(where)
    cursor = None if page.next is None else cursors.of_position(page.next)
    if not _accepts(request, cloudevents.BATCH):
        return answer({"messages": [message_document(one) for one in page.items], "next_cursor": cursor})
    text = ",".join(map(cloudevents.document, page.items))
    more = {} if cursor is None else {"Link": f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'}
    return Response(f"[{text}]", media_type=cloudevents.BATCH, headers=more)


@router.get(
    "/messages/{topic}/{message_id:path}",
    operation_id="get_message",
    response_model=MessageAnswer,
    responses={
        **problems(409, message_ambiguous="messages of several sources have this id: say which by ?source="),
        **problems(404, 422, message_not_found="no message 'A-1007' on orders.created"),
        200: {
            "content": {**example(examples_messages.MESSAGE)["content"], cloudevents.STRUCTURED: _AS_EVENT},
        },
    },
)
async def one(
    topic: str,
    message_id: str,
    request: Request,
    source: Annotated[str | None, FromQuery(max_length=255, description="Which, where several have the id.")] = None,
) -> Response:
    """One message, with all of its data; with `Accept: application/cloudevents+json` as a CloudEvent."""
    told = f"no message {message_id[:255]!r} on {topic[:255]}"
    if any("\0" in text for text in (topic, message_id, source or "")):
        raise NotFound(told, code="message_not_found")
    found = await services_of(request).messages.find(message_id, source=source, topic=topic)
    if not found:
        raise NotFound(told, code="message_not_found")
    if len(found) > 1:
        sources = [each.source for each in found]
        detail = "messages of several sources have this id: say which by ?source="
        raise Conflict(detail, code="message_ambiguous", sources=sources)
    if _accepts(request, cloudevents.STRUCTURED):
        return Response(cloudevents.document(found[0]), media_type=cloudevents.STRUCTURED)
    return answer(message_document(found[0]))


async def _plain(services: Services, request: Request, topic: str, body: bytes) -> Response:
    if not body:
        raise JsonError("the body is empty: send JSON")
    key = idempotency.key_of(request)
    message = Message(
        id=uuid7() if key is None else derived_id("message", key),
        topic=topic,
        source=SOURCE,
        type=topic,
        time=utc_now(),
        data_json=await aside(lambda: cloudevents.as_json(body), len(body)),
    )
    return await _one(services, message, key)


async def _one(services: Services, message: Message, key: str | None = None) -> Response:
    [new] = await services.messages.publish([message])
    headers: dict[str, str] = {}
    if not new:
        message = await _first(services, message, key)
        headers = {"Idempotency-Replayed": "true"} if key is not None else {}
    document = {**published_document(message, duplicate=not new), "durable": services.durable}
    return answer(document, 202, headers)


async def _first(services: Services, message: Message, key: str | None) -> Message:
    """The message that was there before.  Raises InvalidRequest when its key was used for another."""
    found = await services.messages.find(message.id, source=message.source)
    if not found:  # it was just deleted, for its age
        return message
    if key is not None and await aside(lambda: _differ(key, found[0], masked(message)), len(found[0].data_json)):
        raise InvalidRequest("this Idempotency-Key was used for another message", code="idempotency_key_reused")
    return found[0]


def _differ(key: str, *messages: Message) -> bool:
    return len({idempotency.digest(key, one.topic, one.data) for one in messages}) > 1


async def _batch(services: Services, given: list[Message]) -> Response:
    new = await services.messages.publish(given) if given else []
    told = [published_document(message, duplicate=not fresh) for message, fresh in zip(given, new, strict=True)]
    return answer({"messages": told, "duplicates": new.count(False), "durable": services.durable}, 202)


def _accepts(request: Request, media: str) -> bool:
    wanted = request.headers.get("accept", "").lower().split(",")
    return any(each.partition(";")[0].strip() == media for each in wanted)
