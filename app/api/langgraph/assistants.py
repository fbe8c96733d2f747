"""Assistants: the registered workflows, looked at.  What makes or changes one is refused: a definition does that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.langgraph import bodies
from app.api.langgraph.lookup import Assistant, assistant_of, first_version
from app.api.langgraph.replies import not_supported, page, reply, selected
from app.api.langgraph.views import SYSTEM, assistant_document, assistant_version, graph_document, schemas_document
from app.api.parsing import read
from app.api.services import services_of

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.records import WorkflowRecord

router: Final = APIRouter()
_PAGE: Final = 1_000
_INSTEAD: Final = (
    "an assistant is a registered workflow: register a document (POST /api/workflows), "
    "and give what differs from run to run as its `context`"
)


@router.post("/assistants/search")
async def search(request: Request) -> Response:
    """The workflows, by name unless it says otherwise."""
    services, wanted = services_of(request), await read(request, bodies.AssistantSearch, empty=True)
    found = await _matching(services, wanted)
    keys = await _keys(services, found, wanted.sort_by)
    found.sort(key=lambda one: (keys[one.name], one.name), reverse=wanted.sort_order == "desc")
    more = wanted.offset + wanted.limit
    headers = {"X-Pagination-Total": str(len(found))}
    if more < len(found):
        headers["X-Pagination-Next"] = str(more)
    shown = [await _assistant(services, one) for one in page(found, wanted.limit, wanted.offset)]
    return reply([selected(assistant_document(one), wanted.select) for one in shown], headers=headers)


@router.post("/assistants/count")
async def count(request: Request) -> Response:
    """How many there are."""
    return reply(len(await _matching(services_of(request), await read(request, bodies.AssistantCount, empty=True))))


@router.get("/assistants/{assistant_id}")
async def get(assistant_id: str, request: Request) -> Response:
    """One."""
    return reply(assistant_document(await assistant_of(services_of(request), assistant_id)))


@router.get("/assistants/{assistant_id}/graph")
async def graph(assistant_id: str, request: Request) -> Response:
    """Its steps, and what each waits for."""
    services = services_of(request)
    found = await assistant_of(services, assistant_id)
    return reply(graph_document(await services.control.spec(found.record.id)))


@router.get("/assistants/{assistant_id}/schemas")
async def schemas(assistant_id: str, request: Request) -> Response:
    """The schema of its input, and the names of its channels."""
    services = services_of(request)
    found = await assistant_of(services, assistant_id)
    return reply(schemas_document(await services.control.spec(found.record.id)))


@router.get("/assistants/{assistant_id}/subgraphs")
@router.get("/assistants/{assistant_id}/subgraphs/{namespace}")
async def subgraphs(assistant_id: str, request: Request) -> Response:
    """None: a sub-workflow is a thread of its own."""
    await assistant_of(services_of(request), assistant_id)
    return reply({})


@router.post("/assistants/{assistant_id}/versions")
async def versions(assistant_id: str, request: Request) -> Response:
    """The versions of its workflow, the newest first."""
    services = services_of(request)
    found, wanted = (
        await assistant_of(services, assistant_id),
        await read(request, bodies.AssistantVersions, empty=True),
    )
    first = (found.record.version or 1) - wanted.offset
    numbers = range(first, max(0, first - wanted.limit), -1) if not wanted.metadata else range(0)
    records = [await services.registry.workflow(found.record.name, number) for number in numbers]
    return reply([assistant_version(found, record) for record in records if record is not None])


@router.post("/assistants")
@router.patch("/assistants/{assistant_id}")
@router.delete("/assistants/{assistant_id}")
@router.post("/assistants/{assistant_id}/latest")
async def refused() -> Response:
    """Not here."""
    raise not_supported("assistant", _INSTEAD)


async def _assistant(services: Services, record: WorkflowRecord) -> Assistant:
    first = await first_version(services, record)
    return Assistant(assistant_id=first.id, record=record, first=first, reference=record.name)


async def _keys(services: Services, records: list[WorkflowRecord], by: str) -> dict[str, Any]:
    """By what they are sorted, by their names; the first versions are read only where that is of them."""
    if by in ("assistant_id", "created_at"):
        firsts = {one.name: await first_version(services, one) for one in records}
        return {name: first.id if by == "assistant_id" else first.created_at for name, first in firsts.items()}
    return {one.name: one.created_at if by == "updated_at" else one.name for one in records}


async def _matching(services: Services, wanted: bodies.AssistantCount) -> list[WorkflowRecord]:
    """Their newest versions."""
    found: list[WorkflowRecord] = []
    if not (wanted.metadata or {}).items() <= SYSTEM.items():
        return found
    after = ""
    while records := await services.registry.workflows(after=after, limit=_PAGE):
        after = records[-1].name
        found += [
            record
            for record in records
            if wanted.graph_id in (None, record.name) and (wanted.name or "").lower() in record.name.lower()
        ]
    return found
