"""What OpenAPI cannot see by itself: bodies that are read by hand, problem answers, and their examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app.api import examples, requests, schemas
from app.api.problem import MEDIA_TYPE, problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

Json = dict[str, Any]

_TAGS: Final = [
    {"name": "start", "description": "Start a workflow; it is durable once the answer is 202."},
    {"name": "follow", "description": "Where a thread stands, and its events live."},
    {"name": "steer", "description": "Resume, roll back, cancel, pause."},
    {"name": "look back", "description": "Checkpoints, states and executions."},
    {"name": "define", "description": "Workflow documents."},
    {"name": "health", "description": "Whether the service can work."},
]

_EXAMPLES: Final[dict[int, dict[str, str]]] = {
    400: {"invalid_json": "not valid JSON: unexpected end of data: line 1 column 12 (char 11)"},
    404: {"thread_not_found": f"no thread {examples.THREAD}"},
    409: {"thread_running": f"thread {examples.THREAD} is running", "version_conflict": "the head is version 4, not 3"},
    413: {"body_too_large": "the body is larger than 10000000 bytes"},
    422: {"invalid_request": "/to_version: required", "not_supported": "delay: not supported yet"},
    500: {"internal_error": f"an unexpected error; the service's log tells more under {examples.EXECUTION}"},
    503: {"unavailable": "the database cannot be reached"},
}


def problems(*statuses: int, **examples: str) -> dict[int | str, Json]:
    """The problem answers of a route (500 and 503 always); `examples` are codes with a detail, for the first status."""
    found: dict[int | str, Json] = {}
    for status in (*statuses, 500, 503):
        cases = examples if examples and status == statuses[0] else _EXAMPLES[status]
        shown = {code: {"value": problem(status, code, detail, instance="/api/...")} for code, detail in cases.items()}
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": shown}
        found[status] = {"description": " or ".join(cases), "content": {MEDIA_TYPE: content}}
    return found


def example(value: Any) -> Json:
    """The content of an answer, by example."""
    return {"content": {"application/json": {"example": value}}}


def body(model: type[BaseModel], value: Any, *, required: bool = True) -> Json:
    """The `openapi_extra` of a route that reads a `model` from its body."""
    content = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": value}
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


WORKFLOW_BODY: Final[Json] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": examples.WORKFLOW_DOCUMENT},
            "application/yaml": {
                "schema": {"type": "string"},
                "example": "name: content-strategy\nsteps:\n  - {id: analyst, agent: analyst}\n",
            },
        },
    }
}

_BODIES: Final[tuple[type[BaseModel], ...]] = (
    requests.StartRequest,
    requests.ResumeRequest,
    requests.RollbackRequest,
    requests.CancelRequest,
    requests.PauseRequest,
    schemas.Problem,
)


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell of the bodies and problems too; worked out once, when first asked for."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes, tags=_TAGS)
            document["info"]["description"] = app.description
            _, found = models_json_schema(
                [(model, "validation") for model in _BODIES], ref_template="#/components/schemas/{model}"
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi
