"""Start: `POST /invoke/async`, the hot way in, and `POST /invoke`, which waits for the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples, idempotency, trace_context
from app.api.answers import accepted, answer, thread_of
from app.api.documents import status_of
from app.api.openapi import body, example, problems
from app.api.parsing import check, read_json
from app.api.requests import StartRequest, WaitQuery
from app.api.schemas import AcceptedAnswer, StatusDocument
from app.api.services import services_of
from app.api.start_webhook import hook_of
from app.api.trace_context import traceparent_of
from app.api.waiting import ended
from app.domain.commands import StartCommand

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.commands import Accepted

router: Final = APIRouter(tags=["start"])

_START: Final = {
    "workflow": "content-strategy",
    "input": {"topic": "AI in Education"},
    "triggered_by": "me@example",
}
_DOCUMENTED: Final[dict[str, Any]] = {
    **body(StartRequest, _START),
    "parameters": [idempotency.HEADER, trace_context.HEADER],
}
_PROBLEMS: Final = problems(400, 404, 409, 413, 422, 429)


@router.post(
    "/invoke/async",
    operation_id="invoke_async",
    status_code=202,
    response_model=AcceptedAnswer,
    responses={
        **_PROBLEMS,
        200: {"model": AcceptedAnswer, "description": "The thread had completed; nothing to do"},
        202: example(examples.ACCEPTED),
    },
    openapi_extra=_DOCUMENTED,
)
async def invoke_async(request: Request) -> Response:
    """Start a workflow; the thread is durable once this answers."""
    services = services_of(request)
    return _accepted(services, *await _start(services, request, "/invoke/async"))


@router.post(
    "/invoke",
    operation_id="invoke",
    response_model=StatusDocument,
    responses={
        **_PROBLEMS,
        200: example(examples.STATUS),
        202: {"model": AcceptedAnswer, "description": "Not ended in time", **example(examples.ACCEPTED)},
    },
    openapi_extra=_DOCUMENTED,
)
async def invoke(request: Request, query: Annotated[WaitQuery, FromQuery()]) -> Response:
    """Start a workflow and wait for its end: the status document, or 202 when it does not end in time."""
    services = services_of(request)
    given, workflow = await _start(services, request, "/invoke")
    thread_id = given.thread.thread_id
    if not await ended(services, thread_id, query.timeout):
        return _accepted(services, given, workflow)
    headers = {"Idempotency-Replayed": "true"} if given.replayed else None
    return answer(await status_of(services, await thread_of(services, thread_id)), 200, headers)


async def _start(services: Services, request: Request, route: str) -> tuple[Accepted, Any]:
    """What was started, and of which workflow."""
    value = await read_json(request)
    wanted = check(StartRequest, value)
    key = idempotency.key_of(request)
    command = StartCommand(
        workflow=wanted.workflow,
        input=wanted.input,
        has_input=wanted.input is not None,
        omits_input="input" not in wanted.model_fields_set,
        thread_id=wanted.thread_id,
        context=wanted.context or {},
        triggered_by=wanted.triggered_by,
        external_run_id=wanted.external_run_id,
        queue=wanted.queue,
        priority=wanted.priority,
        delay=wanted.delay or 0.0,
        idempotency_key=key,
        traceparent=traceparent_of(services, request),
        webhook=None if wanted.webhook is None else await hook_of(services, wanted.webhook),
        request_sha256=idempotency.digest(key, route, value),
    )
    return await services.control.start(command), wanted.workflow


def _accepted(services: Services, given: Accepted, workflow: Any) -> Response:
    name: Any = workflow.partition("@")[0] if isinstance(workflow, str) else workflow.get("name")
    estimate = services.metrics.estimate(name) if isinstance(name, str) else None
    more = {"version": given.thread.head_version, "estimated_duration_ms": estimate}
    if given.from_version is not None:
        more["resumed_from_version"] = given.from_version
    return accepted(services, given, 200 if given.nothing_to_do else 202, **more)
