"""Step replay: one recorded step run again in a scratch thread, and what came of it beside what is recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples_travel, idempotency
from app.api.answers import answer, known_form, thread_of
from app.api.openapi import body, example, problems
from app.api.parsing import check, read_json
from app.api.requests_travel import ReplayRequest
from app.api.schemas_travel import ReplayAccepted, ReplayAnswer
from app.api.services import services_of
from app.domain.errors import NotFound
from app.domain.replay import ReplayCommand
from app.domain.views.replay import replay_document
from app.domain.views.status import links
from app.domain.views.tree import asked_by

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.parameters import ReplayOf
    from app.domain.records import ItemRecord, StepRecord, ThreadRecord

router: Final = APIRouter(tags=["replay"])
_BIG: Final = 50_000
_DOCUMENTED: Final[dict[str, Any]] = {
    **body(ReplayRequest, {"agent": "marketer-v2"}, required=False),
    "parameters": [idempotency.HEADER],
}
_MISSING: Final = {
    "thread_not_found": "no thread 'x'",
    "step_not_found": "the workflow has no step 'raed'",
    "run_not_found": "no run of step write is recorded there",
    "items_not_found": "step read has no item 9",
}


@router.post(
    "/invoke/replay/{thread_id}/{step_id}",
    operation_id="invoke_replay",
    status_code=202,
    response_model=ReplayAccepted,
    responses={**problems(404, 400, 409, 413, 422, 429, **_MISSING), 202: example(examples_travel.REPLAY_STARTED)},
    openapi_extra=_DOCUMENTED,
)
async def replay(thread_id: str, step_id: str, request: Request) -> Response:
    """Do a recorded step again, with its recorded input, in a thread of its own; the thread itself is left alone.

    A step that says, or whose HTTP method says, that it changes something outside is refused without `allow_effects`.
    """
    services = services_of(request)
    value = await read_json(request, empty=True)
    wanted = check(ReplayRequest, value)
    key = idempotency.key_of(request)
    command = ReplayCommand(
        thread_id=known_form(thread_id),
        step_id=step_id,
        execution_id=wanted.execution_id.lower() if wanted.execution_id is not None else None,
        run_id=wanted.run_id.lower() if wanted.run_id is not None else None,
        item=wanted.item,
        agent=wanted.agent,
        input=wanted.input,
        allow_effects=wanted.allow_effects,
        new_thread_id=wanted.new_thread_id,
        triggered_by=wanted.triggered_by,
        idempotency_key=key,
        request_sha256=idempotency.digest(key, f"/invoke/replay/{thread_id}/{step_id}", value),
    )
    given = await services.travel.replay(command)
    scratch = given.thread.thread_id
    where = f"/api/invoke/replay/{scratch}"
    document = {
        "thread_id": scratch,
        "execution_id": given.execution_id,
        "status": given.thread.status.value,
        "replay_of": (await _origin(services, given.thread)).value(),
        "durable": services.durable,
        "links": {**links(scratch), "replay": where},
    }
    headers = {"Location": where, **({"Idempotency-Replayed": "true"} if given.replayed else {})}
    return answer(document, 202, headers)


@router.get(
    "/invoke/replay/{thread_id}",
    operation_id="get_replay",
    response_model=ReplayAnswer,
    responses={
        **problems(404, 422, thread_not_found="no thread 'x'", replay_not_found="thread 'x' is no replay"),
        200: example(examples_travel.REPLAY),
    },
)
async def replayed(thread_id: str, request: Request) -> Response:
    """A replay beside what it does again: the same output, or an RFC 6902 patch from the recorded one to its own."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    origin = await _origin(services, thread)
    execution, rows, recorded = await asyncio.gather(
        services.reads.execution(thread.execution_id),
        services.reads.steps(thread_id, execution_id=thread.execution_id),
        _recorded(services, origin),
    )
    if execution is None:
        raise NotFound(f"no execution {thread.execution_id}", code="execution_not_found")
    run = next((row for row in rows if row.step_id == origin.step_id), None)
    size = sum(len((one and one.output) or "") for one in (run, recorded)) + len(execution.input or "")

    def told() -> Response:
        return answer(replay_document(thread, execution, origin, recorded, run))

    return await asyncio.to_thread(told) if size > _BIG else told()


async def _origin(services: Services, thread: ThreadRecord) -> ReplayOf:
    """What a replay does again.  Raises NotFound for a thread that is none."""
    found = await services.travel.lines.executions_of(thread.thread_id, limit=1)
    origin = asked_by(found[0]).replay_of if found else None
    if origin is None:
        raise NotFound(f"thread {thread.thread_id!r} is no replay", code="replay_not_found")
    return origin


async def _recorded(services: Services, origin: ReplayOf) -> StepRecord | ItemRecord | None:
    """What it is compared with; None when that is gone."""
    found = await services.reads.steps(origin.thread_id, ids=[origin.run_id], values=origin.item is None)
    if not found or origin.item is None:
        return found[0] if found else None
    key = (found[0].key_execution_id, origin.step_id)
    items = await services.reads.items(origin.thread_id, key, first=origin.item, limit=1)
    return items[0] if items and items[0].item == origin.item else None
