"""Of a thread: the definition that it runs, and one run of one of its steps, whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples, examples_steps
from app.api.answers import answer, thread_of
from app.api.cursors import is_uuid
from app.api.definitions import definition
from app.api.documents import refs_of
from app.api.openapi import example, problems
from app.api.requests import StepRunQuery
from app.api.schemas_service import WorkflowAnswer
from app.api.schemas_steps import StepRunAnswer
from app.api.services import services_of
from app.domain.errors import InvalidRequest, NotFound
from app.domain.gates import GateFilter
from app.domain.views.steps import StepRun, step_run_document
from app.domain.waits import WaitFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.services import Services
    from app.domain.records import StepRecord, ThreadRecord
    from app.domain.spec import StepSpec, WorkflowSpec

router: Final = APIRouter(tags=["look back"])
_OTHERS: Final = 50
_WAITS: Final = 100
_UNDO: Final = ".undo"


@router.get(
    "/invoke/workflow/{thread_id}",
    operation_id="invoke_workflow",
    response_model=WorkflowAnswer,
    responses={
        **problems(404, thread_not_found="no thread 'x'", workflow_not_found="the definition of thread 'x' is gone"),
        200: example(examples.WORKFLOW),
    },
)
async def workflow(thread_id: str, request: Request) -> Response:
    """The definition that the thread's present execution runs, one without a version (started directly) too."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    record = await services.registry.definition(thread.definition_id)
    if record is None:
        raise NotFound(f"the definition of thread {thread_id!r} is gone", code="workflow_not_found")
    return answer(await definition(services, record))


@router.get(
    "/invoke/steps/{thread_id}/{step_id}",
    operation_id="invoke_step",
    response_model=StepRunAnswer,
    response_model_exclude_unset=True,
    responses={
        **problems(
            404,
            422,
            thread_not_found="no thread 'x'",
            step_not_found="the workflow has no step 'raed'",
            execution_not_found="thread 'x' has no execution 0199...",
        ),
        200: example(examples_steps.STEP_RUN),
    },
)
async def step(thread_id: str, step_id: str, request: Request, query: Annotated[StepRunQuery, FromQuery()]) -> Response:
    """One run of a step with its input and output: the one that counts now, else the last; and which others there are."""
    if query.run_id is not None and query.execution_id is not None:
        raise InvalidRequest("name the run or the execution, not both")
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    spec = await services.control.spec(thread.definition_id)
    step, undoes = _declared(spec, step_id)
    known: list[StepRecord] = []
    if "\x00" not in step_id:
        known = await services.travel.lines.runs_of(thread_id, step_id, _OTHERS + 2)
    if step is None and not known:
        raise NotFound(f"the workflow {spec.name} has no step {step_id[:128]!r}", code="step_not_found")
    execution_id = await _execution_of(services, thread, query.execution_id)
    counts = await _run_in(services, thread, execution_id, step_id, known)
    run = await _chosen(services, thread, query, counts, known) if known else None
    others = [one for one in known if run is None or one.id != run.id]
    of = StepRun(
        step=step,
        run=run,
        execution_id=execution_id,
        current=run is not None and counts is not None and run.id == counts.id and execution_id == thread.execution_id,
        compensates=undoes,
        coded=spec.code is not None,
        others=others[:_OTHERS],
        more=len(others) > _OTHERS,
    )
    if run is not None:
        of = await _with_values(services, of, run, whole=query.values)
    return answer(step_run_document(thread_id, of, values=query.values))


def _declared(spec: WorkflowSpec, step_id: str) -> tuple[StepSpec | None, str | None]:
    """The step as the workflow has it, and which one it undoes if it is a compensation."""
    step = spec.by_id.get(step_id)
    undone = spec.by_id.get(step_id.removesuffix(_UNDO)) if step is None and step_id.endswith(_UNDO) else None
    if undone is None or undone.compensate is None:
        return step, None
    return undone.compensate, undone.id


async def _execution_of(services: Services, thread: ThreadRecord, asked: str | None) -> str:
    """The execution that a run is told for.  Raises NotFound."""
    if asked is None:
        return thread.execution_id
    found = await services.reads.execution(asked.lower()) if is_uuid(asked) else None
    if found is None or found.thread_id != thread.thread_id:
        raise NotFound(f"thread {thread.thread_id} has no execution {asked[:128]!r}", code="execution_not_found")
    return found.id


async def _run_in(
    services: Services, thread: ThreadRecord, execution_id: str, step_id: str, known: Sequence[StepRecord]
) -> StepRecord | None:
    """The run of a step that counts for an execution: its own, else the one that it kept from before."""
    own = next((one for one in known if one.execution_id == execution_id), None)
    if own is None and len(known) > _OTHERS:
        rows = await services.reads.steps(thread.thread_id, execution_id=execution_id, values=False)
        own = next((one for one in reversed(rows) if one.step_id == step_id), None)
    if own is not None or not known:
        return own
    kept = (await refs_of(services, thread, execution_id)).steps.get(step_id)
    return None if kept is None else await _by_id(services, thread.thread_id, kept[0], known)


async def _by_id(services: Services, thread_id: str, run_id: str, known: Sequence[StepRecord]) -> StepRecord | None:
    found = next((one for one in known if one.id == run_id), None)
    if found is None and is_uuid(run_id):
        found = next(iter(await services.reads.steps(thread_id, ids=[run_id.lower()], values=False)), None)
    return found


async def _chosen(
    services: Services,
    thread: ThreadRecord,
    query: StepRunQuery,
    counts: StepRecord | None,
    known: Sequence[StepRecord],
) -> StepRecord | None:
    """The run that is asked for.  Raises NotFound."""
    if query.run_id is None:
        return known[0] if counts is None and query.execution_id is None else counts
    found = await _by_id(services, thread.thread_id, query.run_id, known)
    if found is None or found.step_id != known[0].step_id:
        message = f"step {known[0].step_id!r} of thread {thread.thread_id} has no run {query.run_id[:128]!r}"
        raise NotFound(message, code="step_not_found")
    return found


async def _with_values(services: Services, of: StepRun, run: StepRecord, *, whole: bool) -> StepRun:
    """With what the run was given and gave, and the last question or wait of its idempotency key, an open one first."""
    thread_id, step_id = run.thread_id, run.step_id
    values, gates, waits = await asyncio.gather(
        services.travel.lines.values_of(thread_id, run.id, whole=whole),
        services.gates.listed(GateFilter(thread_id=thread_id, step_id=step_id, limit=_WAITS)),
        services.waits.listed(WaitFilter(thread_id=thread_id, step_id=step_id, limit=_WAITS)),
    )
    mine = [gate for gate in gates if gate.key.key_execution_id == run.key_execution_id]
    waited = [wait for wait in waits if wait.key.key_execution_id == run.key_execution_id]
    return replace(
        of,
        values=values,
        gate=min(mine, key=lambda gate: gate.closed, default=None),
        wait=min(waited, key=lambda wait: wait.closed, default=None),
    )
