"""The items of a `for_each` and the iterations of a `repeat`: each as it stands, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter
from fastapi import Path as FromPath
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_steps
from app.api.answers import answer, thread_of
from app.api.openapi import example, problems
from app.api.requests import ItemsQuery
from app.api.schemas_steps import ItemAnswer, ItemsAnswer
from app.api.services import services_of
from app.domain.errors import NotFound
from app.domain.items import ItemFilter
from app.domain.status import StepStatus
from app.domain.views.items import counts_of, item_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.services import Services
    from app.domain.records import ItemRecord, StepRecord, ThreadRecord

router: Final = APIRouter(tags=["look back"])
_MAX_INDEX: Final = 2**31 - 1
_NO_STEP: Final = problems(
    404,
    thread_not_found="no thread 'x'",
    step_not_found="the workflow has no step 'raed'",
    items_not_found="step 'write' is not done in items",
)


@router.get(
    "/workflow/items/{thread_id}/{step_id}",
    operation_id="list_items",
    response_model=ItemsAnswer,
    responses={**problems(422), **_NO_STEP, 200: example(examples_steps.ITEMS)},
)
async def listed(thread_id: str, step_id: str, request: Request, query: Annotated[ItemsQuery, FromQuery()]) -> Response:
    """The items of the step's present run, by their places; one that runs its first attempt is not among them yet."""
    services = services_of(request)
    thread = await thread_of(services, thread_id)
    run = await _run_of(services, thread, step_id)
    first = 0 if query.cursor is None else cursors.version(query.cursor)
    page = None
    if run is not None:
        where = ItemFilter(
            first=first, limit=query.limit + 1, status=None if query.status is None else StepStatus(query.status)
        )
        page = await services.reads.item_page(thread_id, run.id, (run.key_execution_id, step_id), where)
    found: Sequence[ItemRecord] = () if page is None else page.items
    shown = found[: query.limit]
    return answer(
        {
            "thread_id": thread_id,
            "step_id": step_id,
            "run_id": run.id if run is not None else None,
            "status": (run.status if run is not None else StepStatus.PENDING).value,
            "counts": counts_of(page, run),
            "items": [item_document(one) for one in shown],
            "next_cursor": str(found[query.limit].item) if len(found) > query.limit else None,
        }
    )


@router.get(
    "/workflow/items/{thread_id}/{step_id}/{index}",
    operation_id="get_item",
    response_model=ItemAnswer,
    responses={**problems(422), **_NO_STEP, 200: example(examples_steps.ITEM)},
)
async def one(
    thread_id: str, step_id: str, index: Annotated[int, FromPath(ge=0, le=_MAX_INDEX)], request: Request
) -> Response:
    """One item, with its whole output."""
    services = services_of(request)
    run = await _run_of(services, await thread_of(services, thread_id), step_id)
    if run is not None:
        where = ItemFilter(first=index, limit=1, longest=None)
        page = await services.reads.item_page(thread_id, run.id, (run.key_execution_id, step_id), where)
        for item in page.items:
            if item.item == index:
                place = {"thread_id": thread_id, "step_id": step_id, "run_id": run.id}
                return answer({**place, **item_document(item)})
    raise NotFound(f"no item {index} of step {step_id!r} has ended or waits", code="items_not_found")


async def _run_of(services: Services, thread: ThreadRecord, step_id: str) -> StepRecord | None:
    """The present run of a step that is done in items, None before there is one.  Raises NotFound."""
    spec = await services.control.spec(thread.definition_id)
    step = spec.by_id.get(step_id)
    if step is None:
        raise NotFound(f"the workflow {spec.name} has no step {step_id[:128]!r}", code="step_not_found")
    if not step.composite:
        raise NotFound(f"step {step_id!r} is not done in items", code="items_not_found")
    own = await services.reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
    mine = [run for run in own if run.step_id == step_id]
    if not mine:
        entry = (await services.control.head_refs(thread)).steps.get(step_id)
        ids = [] if entry is None else [entry[0]]
        mine = await services.reads.steps(thread.thread_id, ids=ids, values=False) if ids else []
    return mine[-1] if mine else None
