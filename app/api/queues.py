"""Queues: how full they are, and what each is told to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples
from app.api.answers import answer
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import QueueName, QueueRequest
from app.api.schemas_queues import QueueAnswer, QueuesAnswer
from app.api.services import services_of
from app.domain.document_schema import NAME
from app.domain.errors import NotFound
from app.domain.queues import QueueSettings

if TYPE_CHECKING:
    from app.domain.queues import QueueReport

router: Final = APIRouter(tags=["queues"])
_NAME: Final = re.compile(NAME)


@router.get(
    "/queue",
    operation_id="queues",
    response_model=QueuesAnswer,
    responses={**problems(), 200: example(examples.QUEUES)},
)
async def queues(request: Request) -> Response:
    """How many threads wait and run, in all and in each queue."""
    desk = services_of(request).queues
    found = [_document(report, desk.slots) for report in await desk.report()]
    waits = [one["oldest_wait_ms"] for one in found if one["oldest_wait_ms"] is not None]
    sums = {name: sum(one[name] for one in found) for name in ("depth", "delayed", "running")}
    return answer({**sums, "oldest_wait_ms": max(waits, default=None), "queues": found})


@router.get(
    "/queue/{name}",
    operation_id="queue",
    response_model=QueueAnswer,
    responses={**problems(404, queue_not_found="no queue 'mail'"), 200: example(examples.QUEUE)},
)
async def queue(name: str, request: Request) -> Response:
    """One queue."""
    desk = services_of(request).queues
    found = await desk.report(name) if _NAME.fullmatch(name) else []
    if not found:
        raise NotFound(f"no queue {name[:128]!r}", code="queue_not_found")
    return answer(_document(found[0], desk.slots))


@router.put(
    "/queue/{name}",
    operation_id="configure_queue",
    response_model=QueueAnswer,
    responses={
        **problems(409, 400, 413, 422, too_many_queues="there are 1,000 queues already"),
        200: example(examples.QUEUE),
    },
    openapi_extra=body(QueueRequest, {"limit": 3, "max_depth": 100, "rate_limit": {"count": 10, "per": "1m"}}),
)
async def configure(name: Annotated[QueueName, Path()], request: Request) -> Response:
    """Make a queue or change it: all three are set, what is null or missing goes back to the usual."""
    desk = services_of(request).queues
    wanted = await read(request, QueueRequest)
    rate = wanted.rate_limit
    settings = QueueSettings(
        name=name,
        max_running=wanted.limit,
        max_depth=wanted.max_depth,
        rate_count=rate.count if rate else None,
        rate_seconds=rate.per if rate else None,
    )
    return answer(_document(await desk.configure(settings), desk.slots))


def _document(report: QueueReport, slots: int) -> dict[str, Any]:
    told = report.settings
    rate = None
    if told.rate_count is not None and told.rate_seconds is not None:
        rate = {"count": told.rate_count, "per_ms": round(told.rate_seconds * 1000)}
    return {
        "name": told.name,
        "limit": slots if told.max_running is None else told.max_running,
        "limit_scope": "process" if told.max_running is None else "all",
        "running": report.running,
        "depth": report.depth,
        "delayed": report.delayed,
        "oldest_wait_ms": None if report.oldest_wait is None else round(report.oldest_wait * 1000),
        "max_depth": told.max_depth,
        "rate_limit": rate,
    }
