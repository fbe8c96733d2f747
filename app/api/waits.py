"""Waits and signals: what waits for what, what a thread was sent, and sending it something."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_waits, idempotency
from app.api.answers import answer, known_form, thread_of
from app.api.openapi import example, json_body, problems
from app.api.parsing import read_json
from app.api.requests_waits import SignalQuery, SignalsQuery, WaitsQuery
from app.api.schemas_waits import SignalsAnswer, SignalSentAnswer, WaitsAnswer
from app.api.services import services_of
from app.domain import jsontext
from app.domain.errors import InvalidRequest, Problem
from app.domain.views.status import links
from app.domain.views.waits import signal_document, wait_document
from app.domain.waits import Signal, SignalFilter, WaitFilter, check_signal

router: Final = APIRouter(tags=["waits"])
list_router: Final = APIRouter(tags=["waits"])
_ENDED: Final = "thread 0199 is completed: nothing in it waits"


@router.post(
    "/invoke/signals/{thread_id}/{name}",
    operation_id="send_signal",
    status_code=202,
    response_model=SignalSentAnswer,
    responses={
        **problems(409, 400, 404, 413, thread_ended=_ENDED, signals_full="10,000 signals that nothing has taken"),
        **problems(422, invalid_request="name: not a name", idempotency_key_reused="used for another request"),
        202: example(examples_waits.SENT),
    },
    openapi_extra={
        **json_body("The value of the signal, any JSON; null where there is none.", {"by": "ana"}),
        "parameters": [idempotency.HEADER],
    },
)
async def send_signal(
    thread_id: str, name: str, request: Request, query: Annotated[SignalQuery, FromQuery()]
) -> Response:
    """Send a signal to a thread: the step that waits for it takes it, now or once it waits; durable once this answers."""
    services = services_of(request)
    value: Any = await read_json(request) if await request.body() else None
    key = idempotency.key_of(request)
    signal = Signal(
        name=_name(name),
        value_json=jsontext.dumps(value),
        by=query.by,
        key=key,
        request_sha256=idempotency.digest(key, f"/invoke/signals/{name}", value),
    )
    sent = await services.waits.send(known_form(thread_id), signal)
    where = links(thread_id)
    document = {
        "thread_id": thread_id,
        "execution_id": sent.thread.execution_id,
        "name": name,
        "number": sent.signal.place,
        "taken": sent.signal.taken_by is not None,
        "status": sent.thread.status.value,
        "durable": services.durable,
        "links": where,
    }
    headers = {"Location": where["status"]}
    if sent.replayed:
        headers["Idempotency-Replayed"] = "true"
    return answer(document, 202, headers)


@router.get(
    "/invoke/signals/{thread_id}",
    operation_id="thread_signals",
    response_model=SignalsAnswer,
    responses={**problems(404, 422), 200: example({"signals": [examples_waits.SIGNAL], "next_cursor": None})},
)
async def signals(thread_id: str, request: Request, query: Annotated[SignalsQuery, FromQuery()]) -> Response:
    """The signals that a thread was sent, pending and taken, in the order of their sending."""
    services = services_of(request)
    await thread_of(services, thread_id)
    after = cursors.number(query.cursor)
    where = SignalFilter(
        thread_id=thread_id, name=query.name, pending=query.pending, after=after, limit=query.limit + 1
    )
    found = await services.waits.signals(where)
    page = found[: query.limit]
    last = cursors.encode(page[-1].place) if len(found) > query.limit else None
    return answer({"signals": [signal_document(one) for one in page], "next_cursor": last})


@list_router.get(
    "/waits",
    operation_id="waits",
    response_model=WaitsAnswer,
    responses={**problems(422), 200: example({"waits": [examples_waits.WAIT], "next_cursor": None})},
)
async def waits(request: Request, query: Annotated[WaitsQuery, FromQuery()]) -> Response:
    """What steps wait, or have waited, for: messages on topics and signals; newest first."""
    where = WaitFilter(
        thread_id=query.thread_id,
        step_id=query.step_id,
        topic=query.topic,
        signal=query.signal,
        is_open=query.open,
        before=cursors.gate(query.cursor),
        limit=query.limit + 1,
    )
    found = await services_of(request).waits.listed(where)
    page = found[: query.limit]
    last = cursors.of_gate(page[-1]) if len(found) > query.limit else None
    return answer({"waits": [wait_document(one) for one in page], "next_cursor": last})


def _name(name: str) -> str:
    """`name` if a signal can be called so.  Raises InvalidRequest."""
    try:
        check_signal(name)
    except ValueError as error:
        raise InvalidRequest(f"name: {error}", problems=[Problem("/path/name", str(error))]) from None
    return name
