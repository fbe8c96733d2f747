"""What OpenAPI cannot see by itself: bodies that are read by hand, problem answers, and their examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from anyio import to_thread
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.routing import Route

from app.api import (
    examples,
    requests,
    requests_agents,
    requests_hook,
    requests_messages,
    requests_policies,
    requests_schedules,
    requests_steer,
    requests_stream,
    requests_tasks,
    requests_threads,
    requests_travel,
    requests_upkeep,
    requests_webhooks,
    schemas_service,
)
from app.api.problem import MEDIA_TYPE, problem
from app.domain import jsontext

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.responses import Response

Json = dict[str, Any]

_PACKED: Final = "\x00json:"
_TAGS: Final = [
    {"name": "start", "description": "Start a workflow; it is durable once the answer is 202."},
    {"name": "follow", "description": "Where a thread stands, and its events live."},
    {"name": "steer", "description": "Resume, roll back, cancel, pause."},
    {"name": "fork", "description": "New threads from a version of another, and two executions side by side."},
    {"name": "replay", "description": "A recorded step, done again in a thread of its own."},
    {"name": "transfer", "description": "A thread as one file."},
    {"name": "gates", "description": "Questions that steps ask, and their answers."},
    {"name": "waits", "description": "What steps wait for, and signals to threads."},
    {"name": "look back", "description": "Checkpoints, states and executions."},
    {"name": "usage", "description": "What work has cost."},
    {"name": "metrics", "description": "How agents and workflows do over time."},
    {"name": "tasks", "description": "One agent on one input."},
    {"name": "define", "description": "Workflow documents."},
    {"name": "agents", "description": "Who does the steps: register, change, enable, disable, health."},
    {"name": "breakers", "description": "The circuit breakers of the agents."},
    {"name": "mcp", "description": "The MCP servers whose tools steps call."},
    {"name": "queues", "description": "Where threads wait for a slot."},
    {
        "name": "upkeep",
        "description": "Threads to another version of their workflow, stored versions to the newest format.",
    },
    {"name": "messages", "description": "Messages on topics, plain or as CloudEvents."},
    {"name": "triggers", "description": "Messages that start workflows."},
    {"name": "schedules", "description": "Workflows that are started again and again, and what became of it."},
    {"name": "webhooks", "description": "Who is told of events, what was sent, and sending it again."},
    {"name": "retention", "description": "How long what has ended is kept, and deleting it."},
    {"name": "config", "description": "The settings, and changing them while the service runs."},
    {"name": "repair", "description": "Damaged state: verify a thread, and make it fit to go on."},
    {"name": "health", "description": "Whether the service can work."},
]

_EXAMPLES: Final[dict[int, dict[str, str]]] = {
    400: {"invalid_json": "not valid JSON: unexpected end of data: line 1 column 12 (char 11)"},
    401: {
        "token_invalid": "the token is not one of this service",
        "token_expired": "the token's time is over: ask for another",
    },
    403: {"token_mismatch": "the token is for the stream of another thread"},
    404: {"thread_not_found": f"no thread {examples.THREAD}"},
    409: {"thread_running": f"thread {examples.THREAD} is running", "version_conflict": "the head is version 4, not 3"},
    413: {"body_too_large": "the body is larger than 10000000 bytes"},
    422: {"invalid_request": "/to_version: required", "not_supported": "/steps/1/on_cancel: not supported yet"},
    429: {"queue_full": "the queue mail is full: 100 may wait"},
    500: {"internal_error": f"an unexpected error; the service's log tells more under {examples.EXECUTION}"},
    503: {"unavailable": "the database cannot be reached"},
}


def _packed(value: Any) -> str:
    """An example as text: FastAPI would take the nulls out of it."""
    return _PACKED + jsontext.dumps(value)


def problems(*statuses: int, **examples: str) -> dict[int | str, Json]:
    """The problem answers of a route (500 and 503 always); `examples` are codes with a detail, for the first status."""
    found: dict[int | str, Json] = {}
    for status in (*statuses, 500, 503):
        cases = examples if examples and status == statuses[0] else _EXAMPLES[status]
        shown = {
            code: {"value": _packed(problem(status, code, detail, instance="/api/..."))}
            for code, detail in cases.items()
        }
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": shown}
        found[status] = {"description": " or ".join(cases), "content": {MEDIA_TYPE: content}}
    return found


def example(value: Any) -> Json:
    """The content of an answer, by example."""
    return {"content": {"application/json": {"example": _packed(value)}}}


def body(model: type[BaseModel], value: Any, *, required: bool = True) -> Json:
    """The `openapi_extra` of a route that reads a `model` from its body."""
    content = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": _packed(value)}
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


def json_body(told: str, value: Any) -> Json:
    """The `openapi_extra` of a route that reads any JSON value from its body, or none."""
    content: Json = {"schema": {}, "example": _packed(value)}
    return {"requestBody": {"required": False, "description": told, "content": {"application/json": content}}}


def agent_body(schema: Json, value: Any) -> Json:
    """The `openapi_extra` of a route that reads an agent, or a part of one."""
    told = {name: part for name, part in schema.items() if name != "$schema"}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": told, "example": _packed(value)}},
        }
    }


def published_body(data: Json, event: Json) -> Json:
    """The `openapi_extra` of a route that reads a message: any JSON, a CloudEvent, or a batch of these."""
    content: Json = {
        "application/json": {"schema": {}, "example": _packed(data)},
        "application/cloudevents+json": {"schema": {"type": "object"}, "example": _packed(event)},
        "application/cloudevents-batch+json": {
            "schema": {"type": "array", "items": {"type": "object"}},
            "example": _packed([event]),
        },
    }
    return {"requestBody": {"required": True, "content": content}}


WORKFLOW_BODY: Final[Json] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": _packed(examples.WORKFLOW_DOCUMENT)},
            "application/yaml": {
                "schema": {"type": "string"},
                "example": "name: content-strategy\nsteps:\n  - {id: analyst, agent: analyst}\n",
            },
        },
    }
}

_BODIES: Final[tuple[type[BaseModel], ...]] = (
    requests.StartRequest,
    requests_stream.TokenRequest,
    requests_steer.ResumeRequest,
    requests_steer.RollbackRequest,
    requests.ForkRequest,
    requests_travel.ReplayRequest,
    requests_tasks.TaskRequest,
    requests_steer.CancelRequest,
    requests_steer.CheckpointRequest,
    requests_steer.PauseRequest,
    requests_threads.BulkRequest,
    requests_threads.BulkCancelRequest,
    requests.QueueRequest,
    requests_policies.RetentionRunRequest,
    requests_policies.WorkflowRetentionRequest,
    requests.GateRequest,
    requests.OpenBreakerRequest,
    requests.CloseBreakerRequest,
    requests_upkeep.MigrateRequest,
    requests_upkeep.UpgradeRequest,
    requests_messages.TriggerRequest,
    requests_messages.TriggerChange,
    requests_messages.TriggerTestRequest,
    requests_agents.DisableAgentRequest,
    requests_agents.EnableAgentRequest,
    requests_schedules.ScheduleRequest,
    requests_schedules.ScheduleChangeRequest,
    requests_schedules.PauseScheduleRequest,
    requests_schedules.ResumeScheduleRequest,
    requests_schedules.RunScheduleRequest,
    requests_schedules.BackfillRequest,
    requests_schedules.PreviewRequest,
    requests_hook.StartWebhookRequest,
    requests_webhooks.WebhookRequest,
    requests_webhooks.ChangeWebhookRequest,
    requests_webhooks.RotateWebhookRequest,
    requests_webhooks.RecoverRequest,
    requests_webhooks.TestWebhookRequest,
    requests_webhooks.RedeliverRequest,
    schemas_service.Problem,
)


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell of the bodies and problems too; worked out once, when first asked for, in a thread: it
    takes most of a second.
    """

    def openapi() -> Json:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=_TAGS
            )
            app.openapi_schema = _completed(_unpacked(found))
        return app.openapi_schema

    app.openapi = openapi
    served = next(route for route in app.router.routes if isinstance(route, Route) and route.path == app.openapi_url)

    async def serve(request: Request) -> Response:
        await to_thread.run_sync(app.openapi)
        return await served.endpoint(request)

    app.router.routes.insert(0, Route(served.path, serve))


def _completed(document: Json) -> Json:
    """With the schemas of the bodies, without the 422 answers that FastAPI thinks it gives."""
    _, own = models_json_schema(
        [(model, "validation") for model in _BODIES], ref_template="#/components/schemas/{model}"
    )
    schemas = document["components"]["schemas"]
    schemas.update(own["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    return document


def _unpacked(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_PACKED):
        return jsontext.loads(value.removeprefix(_PACKED))
    if isinstance(value, dict):
        return {name: _unpacked(item) for name, item in cast("Json", value).items()}
    if isinstance(value, list):
        return [_unpacked(item) for item in cast("list[Any]", value)]
    return value
