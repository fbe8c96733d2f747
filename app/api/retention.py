"""Retention: what is kept for how long, what would be deleted, a run by hand; and deleting one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples_policies as examples
from app.api.answers import answer, known_form
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import QueueName
from app.api.requests_policies import RetentionQuery, RetentionRunRequest, WorkflowRetentionRequest
from app.api.schemas_policies import DeletedAnswer, RetentionAnswer, RetentionRunAnswer, WorkflowRetentionAnswer
from app.api.services import services_of
from app.domain.retention import WorkflowRetention
from app.domain.status import Status
from app.domain.views.common import when
from app.engine.retention import Asked

if TYPE_CHECKING:
    from app.domain.retention import RetentionRun

router: Final = APIRouter(tags=["retention"])
_RUNS: Final = 20


@router.get(
    "/retention",
    operation_id="retention",
    response_model=RetentionAnswer,
    responses={**problems(422), 200: example(examples.RETENTION)},
)
async def retention(request: Request, query: Annotated[RetentionQuery, FromQuery()]) -> Response:
    """The policy, the last runs and what the tables weigh; with `preview` also what a run would delete now."""
    desk = services_of(request).retention
    policy, sizes = await desk.policy(), await desk.store.sizes()
    document = {
        "policy": {
            "days": policy.days,
            "status_days": {status.value: days for status, days in policy.status_days.items()},
            "max_per_workflow": policy.max_per_workflow,
            "max_bytes": policy.max_bytes,
            "every_ms": round(desk.every() * 1000),
            "workflows": [_told(policy.workflows[name]) for name in sorted(policy.workflows)],
        },
        "runs": [_run(run) for run in await desk.store.runs(_RUNS)],
        "size_bytes": sum(sizes.values()) if sizes else None,
        "tables": [{"name": name, "size_bytes": size} for name, size in sizes.items()],
        "would_delete": _run(await desk.preview(Asked())) if query.preview else None,
    }
    return answer(document)


@router.post(
    "/retention/run",
    operation_id="run_retention",
    status_code=202,
    response_model=RetentionRunAnswer,
    responses={
        **problems(409, 400, 413, 422, retention_running="a retention run is under way: wait for its end"),
        200: {"model": RetentionRunAnswer, "description": "A dry run: nothing is deleted", **example(examples.RUN)},
        202: example(examples.RUNNING),
    },
    openapi_extra=body(RetentionRunRequest, {"dry_run": True}, required=False),
)
async def run(request: Request) -> Response:
    """Delete what is to go now, in the background; with `dry_run` only count it."""
    desk = services_of(request).retention
    wanted = await read(request, RetentionRunRequest, empty=True)
    asked = Asked(
        days=wanted.days,
        max_per_workflow=wanted.max_per_workflow,
        workflow=wanted.workflow,
        status=None if wanted.status is None else Status(wanted.status),
        by=wanted.by,
    )
    if wanted.dry_run:
        return answer(_run(await desk.preview(asked)))
    return answer(_run(await desk.begin(asked)), 202, {"Location": "/api/retention"})


@router.put(
    "/retention/workflows/{workflow}",
    operation_id="set_workflow_retention",
    response_model=WorkflowRetentionAnswer,
    responses={**problems(422, 400, 413), 200: example(examples.WORKFLOW_RETENTION)},
    openapi_extra=body(WorkflowRetentionRequest, {"days": 7, "status_days": {"failed": 90}, "max_threads": 1000}),
)
async def set_workflow(workflow: Annotated[QueueName, Path()], request: Request) -> Response:
    """Tell a workflow how long its threads are kept, whichever version they are of: all of it is set."""
    wanted = await read(request, WorkflowRetentionRequest)
    policy = WorkflowRetention(
        workflow=workflow,
        keep=wanted.keep,
        days=wanted.days,
        status_days={Status(status): days for status, days in (wanted.status_days or {}).items()},
        max_threads=wanted.max_threads,
    )
    await services_of(request).retention.set_policy(policy)
    return answer(_told(policy))


@router.delete(
    "/retention/workflows/{workflow}",
    operation_id="drop_workflow_retention",
    status_code=204,
    responses={**problems(404, 422, policy_not_found="workflow x has no retention of its own")},
)
async def drop_workflow(workflow: Annotated[QueueName, Path()], request: Request) -> Response:
    """Its threads are kept as all others again."""
    await services_of(request).retention.drop_policy(workflow)
    return Response(status_code=204)


@router.delete(
    "/threads/{thread_id}",
    operation_id="delete_thread",
    response_model=DeletedAnswer,
    responses={
        **problems(
            409, 404, thread_running="thread a is running: only what has ended", thread_has_parent="a belongs to b"
        ),
        200: example(examples.DELETED),
    },
)
async def delete(thread_id: str, request: Request) -> Response:
    """Delete a thread that has ended, with its sub-workflows and everything that is stored of them, for good."""
    deleted = await services_of(request).retention.delete(known_form(thread_id))
    document = {"thread_id": thread_id, "deleted": True, "threads": deleted.threads, "rows": deleted.rows}
    return answer(document)


def _told(policy: WorkflowRetention) -> dict[str, Any]:
    return {
        "workflow": policy.workflow,
        "keep": policy.keep,
        "days": policy.days,
        "status_days": {status.value: days for status, days in policy.status_days.items()},
        "max_threads": policy.max_threads,
    }


def _run(run: RetentionRun) -> dict[str, Any]:
    status = "running" if run.ended_at is None else "completed" if run.error is None else "failed"
    return {
        "id": run.id,
        "status": status,
        "dry_run": bool(run.asked.get("dry_run")),
        "asked": dict(run.asked),
        "started_at": when(run.started_at),
        "ended_at": when(run.ended_at),
        "scanned": run.scanned,
        "threads": run.threads,
        "rows": run.rows,
        "size_bytes": run.size,
        "reasons": run.reasons,
        "workflows": run.workflows,
        "definitions": run.definitions,
        "agent_events": run.agent_events,
        "error": run.error,
    }
