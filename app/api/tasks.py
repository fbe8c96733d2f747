"""Tasks: one agent on one input, started, followed and cancelled; each is a thread of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples, examples_fork, follow, idempotency, trace_context
from app.api.answers import answer, thread_of
from app.api.documents import status_of
from app.api.openapi import body, example, problems
from app.api.parsing import check, read, read_json
from app.api.requests import StreamQuery
from app.api.requests_steer import CancelRequest
from app.api.requests_tasks import TaskRequest, TasksQuery
from app.api.schemas_tasks import TaskAccepted, TaskDocument, TasksAnswer
from app.api.services import services_of
from app.api.sse import EventStream
from app.api.start_webhook import hook_of
from app.api.trace_context import traceparent_of
from app.api.waiting import ended
from app.domain.commands import StartCommand
from app.domain.errors import InvalidWorkflow, NotFound
from app.domain.ids import THREAD_ID
from app.domain.ports import ExecutionFilter
from app.domain.tasks import TASK, as_request, document_of, is_task
from app.domain.views.tasks import task_document, task_entry, task_links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.services import Services
    from app.domain.records import ExecutionRecord, ThreadRecord
    from app.domain.views.common import Document

router: Final = APIRouter(tags=["tasks"])
_START: Final = {"agent": "writer", "input": {"topic": "AI in Education"}, "timeout": "60s"}
_DOCUMENTED: Final[dict[str, Any]] = {
    **body(TaskRequest, _START),
    "parameters": [idempotency.HEADER, trace_context.HEADER],
}
_MISSING: Final = problems(404, task_not_found=f"no task {examples.THREAD!r}")


@router.post(
    "/tasks",
    operation_id="start_task",
    status_code=202,
    response_model=TaskAccepted,
    responses={
        **problems(400, 409, 413, 422, 429),
        200: {"model": TaskDocument, "description": "It ended in the time to wait", **example(examples_fork.TASK)},
        202: example(examples_fork.TASK_ACCEPTED),
    },
    openapi_extra=_DOCUMENTED,
)
async def start(request: Request) -> Response:
    """Give one agent one input; the task is durable once this answers."""
    services = services_of(request)
    value = await read_json(request)
    wanted = check(TaskRequest, value)
    key = idempotency.key_of(request)
    command = StartCommand(
        workflow=document_of(wanted.agent, timeout=wanted.timeout, retry=wanted.retry),
        input=wanted.input,
        has_input=wanted.input is not None,
        omits_input="input" not in wanted.model_fields_set,
        thread_id=wanted.thread_id,
        triggered_by=wanted.triggered_by,
        external_run_id=wanted.external_run_id,
        queue=wanted.queue,
        priority=wanted.priority,
        delay=wanted.delay or 0.0,
        idempotency_key=key,
        traceparent=traceparent_of(services, request),
        webhook=None if wanted.webhook is None else await hook_of(services, wanted.webhook),
        request_sha256=idempotency.digest(key, "/tasks", value),
    )
    try:
        given = await services.control.start(command)
    except InvalidWorkflow as error:
        raise as_request(error) from None
    task_id = given.thread.thread_id
    headers = {"Location": task_links(task_id)["task"]}
    if given.replayed:
        headers["Idempotency-Replayed"] = "true"
    if given.nothing_to_do or (wanted.wait and await ended(services, task_id, wanted.wait)):
        return answer(await _document(services, await thread_of(services, task_id)), 200, headers)
    accepted = {
        "task_id": task_id,
        "execution_id": given.execution_id,
        "status": given.thread.status.value,
        "durable": services.durable,
        "links": task_links(task_id),
    }
    return answer(accepted, 202, headers)


@router.get(
    "/tasks",
    operation_id="list_tasks",
    response_model=TasksAnswer,
    responses={**problems(422), 200: example({"tasks": [examples_fork.TASK_ENTRY], "next_cursor": None})},
)
async def listed(request: Request, query: Annotated[TasksQuery, FromQuery()]) -> Response:
    """Tasks, newest first, each as its last execution went."""
    services = services_of(request)
    where = ExecutionFilter(
        workflow=TASK,
        status=query.status,
        triggered_by=query.triggered_by,
        before=cursors.created(query.cursor),
        limit=query.limit + 1,
    )
    found = await services.reads.executions(where)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    cursor = None if last is None else cursors.encode(last.created_at.isoformat(), last.id)
    return answer({"tasks": await _entries(services, page), "next_cursor": cursor})


@router.get(
    "/tasks/{task_id}",
    operation_id="get_task",
    response_model=TaskDocument,
    responses={**_MISSING, 200: example(examples_fork.TASK)},
)
async def task(task_id: str, request: Request) -> Response:
    """Where a task stands, with its output or its error."""
    services = services_of(request)
    return answer(await _document(services, await _task(services, task_id)))


@router.get(
    "/tasks/{task_id}/stream",
    operation_id="stream_task",
    status_code=200,
    response_class=EventStream,
    responses={**problems(404, 422, 401, 403, task_not_found=f"no task {examples.THREAD!r}"), **follow.STREAMED},
    openapi_extra=follow.LAST_SEQ,
)
async def stream(task_id: str, request: Request, query: Annotated[StreamQuery, FromQuery()]) -> Response:
    """The events of a task's thread after a cursor, then live ones until it has ended (server-sent events)."""
    await _task(services_of(request), task_id)
    return await follow.stream(task_id, request, query)


@router.post(
    "/tasks/{task_id}/cancel",
    operation_id="cancel_task",
    status_code=202,
    response_model=TaskDocument,
    responses={
        **problems(409, 400, 404, 413, 422, thread_ended="the thread has completed"),
        202: example({**examples_fork.TASK, "status": "cancelled", "output": None}),
    },
    openapi_extra=body(CancelRequest, {"reason": "no longer needed"}, required=False),
)
async def cancel(task_id: str, request: Request) -> Response:
    """Stop a task for good."""
    services = services_of(request)
    wanted = await read(request, CancelRequest, empty=True)
    await _task(services, task_id)
    thread = await services.control.cancel(task_id, wanted.reason, force=wanted.force)
    return answer(await _document(services, thread), 202, {"Location": task_links(task_id)["task"]})


async def _task(services: Services, task_id: str) -> ThreadRecord:
    """The thread of a task.  Raises NotFound for what is none."""
    thread = await services.reads.thread(task_id) if THREAD_ID.match(task_id) else None
    if thread is None or not is_task(await services.control.spec(thread.definition_id)):
        raise NotFound(f"no task {task_id[:128]!r}", code="task_not_found")
    return thread


async def _document(services: Services, thread: ThreadRecord) -> Document:
    return task_document(await status_of(services, thread))


async def _entries(services: Services, executions: Sequence[ExecutionRecord]) -> list[Document]:
    """Those that are a task's last execution."""
    ids = sorted({execution.thread_id for execution in executions})
    threads = {thread.execution_id: thread for thread in await services.reads.threads(ids)}
    found: list[Document] = []
    for execution in executions:
        thread = threads.get(execution.id)
        spec = await services.control.spec(thread.definition_id) if thread is not None else None
        if spec is not None and is_task(spec):
            found.append(task_entry(execution, spec.steps[0].agent))
    return found
