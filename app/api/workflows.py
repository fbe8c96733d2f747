"""Define: register, list and read workflows, and try a document without registering it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples
from app.api.answers import answer
from app.api.openapi import WORKFLOW_BODY, example, problems
from app.api.requests import Page
from app.api.schemas_service import ValidationAnswer, WorkflowAnswer, WorkflowsAnswer
from app.api.services import services_of
from app.domain import jsontext
from app.domain.errors import InvalidRequest, InvalidWorkflow, JsonError, NotFound, NotSupported, Problem
from app.domain.views.workflows import diagram, workflow_document, workflow_entry
from app.runners.aside import aside

if TYPE_CHECKING:
    from collections.abc import Mapping

router: Final = APIRouter(tags=["define"])

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
    record, new = await services_of(request).control.register(await _document(request))
    where = {"Location": f"/api/workflows/{record.name}@{record.version}"}
    return answer(workflow_document(record), 201 if new else 200, where)


@router.post(
    "/workflows/validate",
    operation_id="validate_workflow",
    response_model=ValidationAnswer,
    responses={**problems(400, 413, 422), 200: example(examples.VALIDATION)},
    openapi_extra=WORKFLOW_BODY,
)
async def validate(request: Request) -> Response:
    """Whether a document holds: its problems with their JSON pointers, or its steps as a diagram."""
    document = await _document(request)
    try:
        spec = await services_of(request).control.validate(document)
    except (InvalidWorkflow, NotSupported) as error:
        found: list[Problem] = getattr(error, "problems", None) or error.details.get("problems") or []
        found = found or [Problem("", error.message)]
        listed = [{"pointer": one.pointer, "message": one.message} for one in found]
        return answer(_validation(valid=False, problems=listed))
    names = [step.id for step in spec.steps]
    return answer(_validation(valid=True, name=spec.name, hash=spec.hash, steps=names, diagram=diagram(spec)))


def _validation(**given: Any) -> dict[str, Any]:
    return {"valid": False, "name": None, "hash": None, "steps": [], "diagram": None, "problems": [], **given}


@router.get(
    "/workflows",
    operation_id="list_workflows",
    response_model=WorkflowsAnswer,
    responses={**problems(422), 200: example({"workflows": [examples.WORKFLOW_ENTRY], "next_cursor": None})},
)
async def listed(request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The newest version of each registered workflow, by name."""
    after = cursors.text(query.cursor)
    found = await services_of(request).registry.workflows(after=after, limit=query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1].name) if len(found) > query.limit else None
    return answer({"workflows": [workflow_entry(record) for record in page], "next_cursor": cursor})


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
    match = _REFERENCE.match(reference)
    record = None
    if match is not None:
        number = match["version"]
        record = await services_of(request).registry.workflow(match["name"], int(number) if number else None)
    if record is None:
        raise NotFound(f"no workflow {reference[:200]!r}", code="workflow_not_found")
    return answer(workflow_document(record))


async def _document(request: Request) -> Mapping[str, Any] | str:
    """The body as a document: JSON if it is JSON or says so, else the text for a YAML parser."""
    raw = await request.body()
    says_json = "json" in request.headers.get("content-type", "")
    try:
        value = await aside(lambda: jsontext.loads(raw), len(raw))
    except JsonError:
        if says_json or raw.lstrip()[:1] in (b"{", b"["):
            raise
        return _text(raw)
    if not isinstance(value, dict):
        raise InvalidWorkflow([Problem("", "should be an object")])
    return cast("dict[str, Any]", value)


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    if not text.strip():
        raise InvalidRequest("the body is empty: send a workflow document")
    return text
