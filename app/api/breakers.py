"""Circuit breakers: how those of the agents stand, and opening and closing one by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors
from app.api.answers import answer
from app.api.examples_agents import BREAKER_CLOSED, NO_AGENT
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import CloseBreakerRequest, OpenBreakerRequest, Page
from app.api.schemas_service import BreakerAnswer, BreakersAnswer
from app.api.services import services_of
from app.domain.breakers import BreakerRecord
from app.domain.errors import NotFound
from app.domain.views.agents import breaker_document

if TYPE_CHECKING:
    from app.api.services import Services

router: Final = APIRouter(tags=["breakers"])

_OPEN: Final = {
    "agent": "analyst",
    "state": "open",
    "forced": False,
    "reason": "5 failures in a row: http.503: the model is overloaded",
    "opened_at": "2026-11-21T09:30:00.123Z",
    "probe_at": "2026-11-21T09:30:30.123Z",
    "trips": 1,
    "changed_at": "2026-11-21T09:30:00.123Z",
}
_FORCED: Final = {**_OPEN, "forced": True, "reason": "maintenance", "trips": 0}


@router.get(
    "/breakers",
    operation_id="list_breakers",
    response_model=BreakersAnswer,
    responses={**problems(422), 200: example({"breakers": [_OPEN], "next_cursor": None})},
)
async def listed(request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The breakers of all agents that this process knows, by name."""
    services = services_of(request)
    await services.breakers.refresh()
    known = {record.agent: record for record in services.breakers.listed()}
    after = cursors.text(query.cursor)
    names = sorted(name for name in known.keys() | set(services.agents.directory.names()) if name > after)
    page = names[: query.limit]
    cursor = cursors.encode(page[-1]) if len(names) > query.limit else None
    found = [breaker_document(known.get(name) or BreakerRecord(agent=name)) for name in page]
    return answer({"breakers": found, "next_cursor": cursor})


@router.get(
    "/breakers/{agent}",
    operation_id="get_breaker",
    response_model=BreakerAnswer,
    responses={**problems(404, agent_not_found=NO_AGENT), 200: example(_OPEN)},
)
async def one(agent: str, request: Request) -> Response:
    """The breaker of one agent."""
    services = services_of(request)
    await services.breakers.refresh()
    return answer(breaker_document(_find(services, agent)))


@router.post(
    "/breakers/{agent}/open",
    operation_id="open_breaker",
    response_model=BreakerAnswer,
    responses={**problems(404, 400, 413, 422, agent_not_found=NO_AGENT), 200: example(_FORCED)},
    openapi_extra=body(OpenBreakerRequest, {"reason": "maintenance", "for": "10m"}, required=False),
)
async def opened(agent: str, request: Request) -> Response:
    """Let no step of this agent through: `for` a while, after which a probe decides, or until it is closed by hand."""
    services = services_of(request)
    wanted = await read(request, OpenBreakerRequest, empty=True)
    _find(services, agent)
    return answer(breaker_document(await services.breakers.open(agent, wanted.reason, wanted.duration)))


@router.post(
    "/breakers/{agent}/close",
    operation_id="close_breaker",
    response_model=BreakerAnswer,
    responses={**problems(404, 400, 413, 422, agent_not_found=NO_AGENT), 200: example(BREAKER_CLOSED)},
    openapi_extra=body(CloseBreakerRequest, {}, required=False),
)
async def closed(agent: str, request: Request) -> Response:
    """Let the steps of this agent through again, a few at first."""
    services = services_of(request)
    await read(request, CloseBreakerRequest, empty=True)
    _find(services, agent)
    return answer(breaker_document(await services.breakers.close(agent)))


def _find(services: Services, agent: str) -> BreakerRecord:
    """The breaker of an agent that is registered here or has one.  Raises NotFound."""
    found = services.breakers.find(agent)
    if found is None and services.agents.directory.find(agent) is None:
        raise NotFound(f"no agent {agent[:128]!r}", code="agent_not_found")
    return found or BreakerRecord(agent=agent)
