"""Gates: which questions are open, what a thread asks and was answered, and the answer to one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples
from app.api.answers import answer, known_form, thread_of
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import GateQuery, GateRequest, GatesQuery, Page
from app.api.schemas_gates import GateAnswer as GateModel
from app.api.schemas_gates import GateAnsweredAnswer, GatesAnswer
from app.api.services import services_of
from app.domain import jsontext
from app.domain.document_schema import IDENTIFIER
from app.domain.errors import NotFound
from app.domain.gates import Answer, GateFilter
from app.domain.views.gates import gate_document
from app.domain.views.status import links

if TYPE_CHECKING:
    from app.api.services import Services

router: Final = APIRouter(tags=["gates"])
open_router: Final = APIRouter(tags=["gates"])
_LIST: Final = example({"gates": [examples.GATE], "next_cursor": None})
_IDENTIFIER: Final = re.compile(IDENTIFIER)
_NO_GATE: Final = "there is no gate at step write"


@router.post(
    "/invoke/gates/{thread_id}/{step_id}",
    operation_id="gate_answer",
    status_code=202,
    response_model=GateAnsweredAnswer,
    responses={
        **problems(409, 400, 413, gate_answered="the gate has its answer: ana was first", gate_closed="it is closed"),
        **problems(404, gate_not_found=_NO_GATE),
        **problems(422, invalid_input="the answer does not fit the form: 3 is not of type boolean"),
        202: example(examples.GATE_ANSWERED),
    },
    openapi_extra=body(GateRequest, {"answer": {"approved": True}, "by": "ana"}),
)
async def answer_gate(thread_id: str, step_id: str, request: Request) -> Response:
    """Answer the question of a step; the first answer holds."""
    services = services_of(request)
    wanted = await read(request, GateRequest)
    given = Answer(answer_json=jsontext.dumps(wanted.answer), by=wanted.by, via=wanted.via)
    thread = await services.gates.answer(
        known_form(thread_id), _step(step_id), given, item=wanted.item, round=wanted.round
    )
    where = links(thread_id)
    document = {
        "thread_id": thread_id,
        "execution_id": thread.execution_id,
        "step_id": step_id,
        "status": thread.status.value,
        "durable": services.durable,
        "links": where,
    }
    return answer(document, 202, {"Location": where["status"]})


@router.get(
    "/invoke/gates/{thread_id}",
    operation_id="thread_gates",
    response_model=GatesAnswer,
    responses={**problems(404, 422), 200: _LIST},
)
async def thread_gates(thread_id: str, request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """All gates of a thread with their answers, newest first."""
    services = services_of(request)
    await thread_of(services, thread_id)
    return await _page(services, query, GateFilter(thread_id=thread_id))


@router.get(
    "/invoke/gates/{thread_id}/{step_id}",
    operation_id="get_gate",
    response_model=GateModel,
    responses={
        **problems(404, 422, gate_not_found=_NO_GATE),
        **problems(409, gate_ambiguous="several items of step write wait for an answer: name one by `item`"),
        200: example(examples.GATE),
    },
)
async def gate(thread_id: str, step_id: str, request: Request, query: Annotated[GateQuery, FromQuery()]) -> Response:
    """The gate of a step, whole: the one that waits, else the last one."""
    gates = services_of(request).gates
    return answer(
        gate_document(await gates.find(known_form(thread_id), _step(step_id), item=query.item, round=query.round))
    )


@open_router.get(
    "/gates",
    operation_id="open_gates",
    response_model=GatesAnswer,
    responses={**problems(422), 200: _LIST},
)
async def open_gates(request: Request, query: Annotated[GatesQuery, FromQuery()]) -> Response:
    """The gates of all threads that can be answered, newest first."""
    return await _page(services_of(request), query, GateFilter(assignee=query.assignee, only_open=True))


def _step(step_id: str) -> str:
    """`step_id` if a step can have it.  Raises NotFound."""
    if _IDENTIFIER.fullmatch(step_id) is None:
        raise NotFound(f"there is no gate at step {step_id[:128]!r}", code="gate_not_found")
    return step_id


async def _page(services: Services, query: Page, where: GateFilter) -> Response:
    wanted = GateFilter(
        thread_id=where.thread_id,
        assignee=where.assignee,
        only_open=where.only_open,
        before=cursors.gate(query.cursor),
        limit=query.limit + 1,
    )
    found = await services.gates.listed(wanted)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    return answer(
        {
            "gates": [gate_document(one) for one in page],
            "next_cursor": None if last is None else cursors.of_gate(last),
        }
    )
