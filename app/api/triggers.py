"""Triggers: which messages start which workflow, what came of them, and trying one on a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_messages
from app.api.answers import answer
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import Page
from app.api.requests_messages import FiringsQuery, TriedMessage, TriggerChange, TriggerRequest, TriggerTestRequest
from app.api.schemas_messages import (
    DeletedTriggerAnswer,
    TrialAnswer,
    TriggerAnswer,
    TriggerFiringsAnswer,
    TriggersAnswer,
)
from app.api.services import services_of
from app.domain import jsontext
from app.domain.errors import InvalidRequest, NotFound, Problem
from app.domain.messages import Message
from app.domain.times import utc_now
from app.domain.views.messages import firing_document, trigger_document

if TYPE_CHECKING:
    from app.api.services import Services

router: Final = APIRouter(tags=["triggers"])
_INVALID: Final = {"invalid_trigger": "/workflow: there is no workflow check-order: register it first"}
_NOT_FOUND: Final = problems(404, trigger_not_found="no trigger 'check-large-orders'")
_TAKEN: Final = {
    "trigger_exists": "there is a trigger check-large-orders that says something else",
    "too_many_triggers": "there are 1,000 already",
}
_REQUIRED: Final = ("topic", "workflow")


@router.get(
    "/triggers",
    operation_id="list_triggers",
    response_model=TriggersAnswer,
    responses={**problems(422), 200: example(examples_messages.TRIGGERS)},
)
async def listed(request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The triggers, by name."""
    found = await services_of(request).triggers.listed(cursors.text(query.cursor), query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1].name) if len(found) > query.limit else None
    return answer({"triggers": [trigger_document(one) for one in page], "next_cursor": cursor})


@router.post(
    "/triggers",
    operation_id="create_trigger",
    status_code=201,
    response_model=TriggerAnswer,
    responses={
        **problems(409, 400, 413, **_TAKEN),
        **problems(422, **_INVALID),
        201: example(examples_messages.TRIGGER),
        200: {"model": TriggerAnswer, "description": "It was like that already"},
    },
    openapi_extra=body(TriggerRequest, examples_messages.TRIGGER_REQUEST),
)
async def create(request: Request) -> Response:
    """Make a trigger, for what is published from now on. The same again changes nothing."""
    wanted = await read(request, TriggerRequest)
    fields = wanted.fields()
    made, new = await services_of(request).triggers.create(fields.pop("name"), fields)
    return answer(trigger_document(made), 201 if new else 200, {"Location": f"/api/triggers/{made.name}"})


@router.get(
    "/triggers/{name}",
    operation_id="get_trigger",
    response_model=TriggerAnswer,
    responses={**_NOT_FOUND, 200: example(examples_messages.TRIGGER)},
)
async def one(name: str, request: Request) -> Response:
    """One trigger."""
    return answer(trigger_document(await services_of(request).triggers.find(_known(name))))


@router.patch(
    "/triggers/{name}",
    operation_id="change_trigger",
    response_model=TriggerAnswer,
    responses={
        **problems(409, 400, 413, trigger_changed="trigger check-large-orders is being changed by others"),
        **problems(422, **_INVALID),
        **_NOT_FOUND,
        200: example(examples_messages.TRIGGER),
    },
    openapi_extra=body(TriggerChange, examples_messages.TRIGGER_CHANGE),
)
async def change(name: str, request: Request) -> Response:
    """Change what is given and leave the rest. One that is enabled again is for what is published from then on."""
    wanted = await read(request, TriggerChange)
    fields = wanted.fields()
    missing = [field for field in _REQUIRED if fields.get(field, "") is None]
    if missing:
        raise InvalidRequest(f"/{missing[0]}: required", problems=[Problem(f"/{each}", "required") for each in missing])
    return answer(trigger_document(await services_of(request).triggers.change(_known(name), fields)))


@router.delete(
    "/triggers/{name}",
    operation_id="delete_trigger",
    response_model=DeletedTriggerAnswer,
    responses={**_NOT_FOUND, 200: example(examples_messages.DELETED)},
)
async def delete(name: str, request: Request) -> Response:
    """Take a trigger away; what waits to be started by it is not started any more, its threads stay."""
    await services_of(request).triggers.delete(_known(name))
    return answer({"name": name, "deleted": True})


@router.get(
    "/triggers/{name}/firings",
    operation_id="trigger_firings",
    response_model=TriggerFiringsAnswer,
    responses={**problems(422), **_NOT_FOUND, 200: example(examples_messages.FIRINGS)},
)
async def firings(name: str, request: Request, query: Annotated[FiringsQuery, FromQuery()]) -> Response:
    """What came of messages, newest first. A message whose condition was false is not told of."""
    before = cursors.created(query.cursor)
    desk, limit = services_of(request).triggers, query.limit
    found = await desk.firings(_known(name), outcome=query.outcome, before=before, limit=limit + 1)
    page = found[:limit]
    cursor = None
    if len(found) > limit and page[-1].at is not None:
        cursor = cursors.encode(page[-1].at.isoformat(), page[-1].id)
    return answer({"firings": [firing_document(each) for each in page], "next_cursor": cursor})


@router.post(
    "/triggers/{name}/test",
    operation_id="test_trigger",
    response_model=TrialAnswer,
    responses={**problems(422, 400, 413), **_NOT_FOUND, 200: example(examples_messages.TRIAL)},
    openapi_extra=body(TriggerTestRequest, examples_messages.TEST_REQUEST),
)
async def test(name: str, request: Request) -> Response:
    """What a trigger would make of a message, given or of the log: nothing is started, and no deduplication is asked."""
    services, wanted = services_of(request), await read(request, TriggerTestRequest)
    if wanted.message is not None:
        message = _made_up(wanted.message)
    elif wanted.message_id is not None:
        message = await _of_log(services, wanted.message_id, wanted.source)
    else:
        raise InvalidRequest("give a message, or a message_id", problems=[Problem("/message", "required")])
    trial = await services.triggers.test(_known(name), message)
    document: dict[str, Any] = {
        "trigger": name,
        "starts": trial.starts,
        "topic_matches": trial.topic_matches,
        "condition": trial.fits,
        "input": trial.input,
        "deduplication_key": trial.key,
        "thread_id": trial.thread_id,
        "problems": [{"pointer": each.pointer, "message": each.message} for each in trial.problems],
    }
    return answer(document)


def _made_up(given: TriedMessage) -> Message:
    return Message(
        id=given.id,
        topic=given.topic,
        source=given.source,
        type=given.type or given.topic,
        subject=given.subject,
        time=utc_now(),
        data_json=jsontext.dumps(given.data),
        attributes=given.attributes or {},
    )


async def _of_log(services: Services, message_id: str, source: str | None) -> Message:
    found = await services.messages.find(message_id, source=source)
    if not found:
        raise NotFound(f"no message {message_id!r}", code="message_not_found")
    return found[0]


def _known(name: str) -> str:
    """`name` if a trigger can have it.  Raises NotFound."""
    if "\0" in name:
        raise NotFound(f"no trigger {name[:128]!r}", code="trigger_not_found")
    return name
