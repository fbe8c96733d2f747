"""Define: register, list and read workflows, and try a document without registering it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples
from app.api.answers import answer
from app.api.definitions import definition, entries, graph_of, placed, problems_of, sent
from app.api.openapi import WORKFLOW_BODY, example, problems
from app.api.problem import problem_item
from app.api.requests import Page
from app.api.schemas_service import ValidationAnswer, WorkflowAnswer, WorkflowsAnswer, WorkflowVersionsAnswer
from app.api.services import services_of
from app.domain.errors import InvalidWorkflow, NotFound, NotSupported
from app.domain.views.graph import diagram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.records import WorkflowRecord

router: Final = APIRouter(tags=["define"])

_AT_ONCE: Final = 20
"""Versions that are read at once, each with a document of up to a million bytes."""
_NAME: Final = re.compile(r"[^\x00]{1,200}\Z")
_REFERENCE: Final = re.compile(r"(?P<name>[^@\x00]{1,200})(?:@(?P<version>[1-9][0-9]{0,8}))?\Z")


@router.post(
    "/workflows",
    operation_id="register_workflow",
    status_code=201,
    response_model=WorkflowAnswer,
    responses={
        **problems(422, 400, 413, invalid_workflow="/steps/0/agent: no agent analist"),
        200: {"model": WorkflowAnswer, "description": "The same content was registered before"},
        201: example(examples.WORKFLOW),
    },
    openapi_extra=WORKFLOW_BODY,
)
async def register(request: Request) -> Response:
    """Register a YAML or JSON document: the same content is the same version, a change the next."""
    services, given = services_of(request), await sent(request)
    try:
        record, new = await services.control.register(given.document)
    except (InvalidWorkflow, NotSupported) as error:
        raise placed(error, await given.places(problems_of(error))) from None
    where = {"Location": f"/api/workflows/{record.name}@{record.version}"}
    return answer(await definition(services, record), 201 if new else 200, where)


@router.post(
    "/workflows/validate",
    operation_id="validate_workflow",
    response_model=ValidationAnswer,
    responses={**problems(400, 413, 422), 200: example(examples.VALIDATION)},
    openapi_extra=WORKFLOW_BODY,
)
async def validate(request: Request) -> Response:
    """Whether a document holds: its problems with their JSON pointers and lines, or its steps as a graph and a diagram."""
    given = await sent(request)
    try:
        spec = await services_of(request).control.validate(given.document)
    except (InvalidWorkflow, NotSupported) as error:
        found = await given.places(problems_of(error))
        return answer(_validation(valid=False, problems=[problem_item(one, placed=True) for one in found]))
    drawn = await graph_of(spec, given.text)
    steps = {"steps": [step.id for step in spec.steps], "graph": drawn, "diagram": drawn and diagram(drawn)}
    return answer(_validation(valid=True, name=spec.name, hash=spec.hash, **steps))


def _validation(**given: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"name": None, "hash": None, "steps": [], "graph": None, "diagram": None, "problems": []}
    return {"valid": False, **nothing, **given}


@router.get(
    "/workflows",
    operation_id="list_workflows",
    response_model=WorkflowsAnswer,
    responses={**problems(422), 200: example({"workflows": [examples.WORKFLOW_ENTRY], "next_cursor": None})},
)
async def listed(request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The newest version of each registered workflow, by name."""
    registry, after = services_of(request).registry, cursors.text(query.cursor)

    async def some(last: WorkflowRecord | None, limit: int) -> list[WorkflowRecord]:
        return await registry.workflows(after=after if last is None else last.name, limit=limit)

    found, last = await _few_at_a_time(some, query.limit)
    return answer({"workflows": found, "next_cursor": None if last is None else cursors.encode(last.name)})


async def _few_at_a_time(
    some: Callable[[WorkflowRecord | None, int], Awaitable[list[WorkflowRecord]]], limit: int
) -> tuple[list[dict[str, Any]], WorkflowRecord | None]:
    """The entries of a page, and its last one where there are more: each is read with its document."""
    found: list[dict[str, Any]] = []
    last: WorkflowRecord | None = None
    while len(found) < limit:
        wanted = min(_AT_ONCE, limit - len(found))
        read = await some(last, wanted + 1)
        found += await entries(read[:wanted])
        if len(read) <= wanted:
            return found, None
        last = read[wanted - 1]
    return found, last


@router.get(
    "/workflows/{name}/versions",
    operation_id="list_workflow_versions",
    response_model=WorkflowVersionsAnswer,
    responses={
        **problems(404, 422, workflow_not_found="no workflow 'content-strategy'"),
        200: example({"name": "content-strategy", "versions": [examples.WORKFLOW_ENTRY], "next_cursor": None}),
    },
)
async def versions(name: str, request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The registered versions of a workflow, newest first."""
    registry, before = services_of(request).registry, cursors.number(query.cursor) or None

    async def some(last: WorkflowRecord | None, limit: int) -> list[WorkflowRecord]:
        if _NAME.match(name) is None:
            return []
        return await registry.versions(name, before=before if last is None else last.version, limit=limit)

    found, last = await _few_at_a_time(some, query.limit)
    if not found and query.cursor is None:
        raise NotFound(f"no workflow {name[:200]!r}", code="workflow_not_found")
    more = None if last is None or last.version is None else cursors.encode(last.version)
    return answer({"name": name, "versions": found, "next_cursor": more})


@router.get(
    "/workflows/{reference}",
    operation_id="get_workflow",
    response_model=WorkflowAnswer,
    responses={
        **problems(404, workflow_not_found="no workflow 'content-strategy@9'"),
        200: example(examples.WORKFLOW),
    },
)
async def one(reference: str, request: Request) -> Response:
    """A registered workflow, by `name` (the newest) or `name@version`."""
    match, services = _REFERENCE.match(reference), services_of(request)
    record = None
    if match is not None:
        number = match["version"]
        record = await services.registry.workflow(match["name"], int(number) if number else None)
    if record is None:
        raise NotFound(f"no workflow {reference[:200]!r}", code="workflow_not_found")
    return answer(await definition(services, record))
