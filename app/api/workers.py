"""The processes that drive threads of this service's database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples_workers
from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.schemas_workers import WorkersAnswer
from app.api.services import services_of
from app.domain.views.common import when

if TYPE_CHECKING:
    from app.api.services_agents import Workforce
    from app.domain.workers import WorkerRecord

router: Final = APIRouter(tags=["health"])


@router.get(
    "/workers",
    operation_id="list_workers",
    response_model=WorkersAnswer,
    responses={**problems(), 200: example(examples_workers.WORKERS)},
)
async def workers(request: Request) -> Response:
    """The processes on this database, the newest 50: when each was last heard of, and how many threads it drives."""
    force = services_of(request).workforce
    found = [_document(one, force) for one in await force.listed()]
    return answer({"workers": found, "lease_ms": round(force.lease * 1000)})


def _document(one: WorkerRecord, force: Workforce) -> dict[str, Any]:
    pid, mine = one.process.partition("@")[0], one.id == force.own
    slots, free = force.slots if mine else (None, None)
    return {
        "id": one.id,
        "host": one.host.partition(" ")[0],
        "pid": int(pid) if pid.isdecimal() else None,
        "started_at": when(one.started_at),
        "heartbeat_at": when(one.heartbeat_at),
        "age_ms": max(0, round(one.silent_for * 1000)),
        "alive": one.silent_for <= force.lease,
        "this": mine,
        "threads": sum(one.threads.values()),
        "queues": dict(sorted(one.threads.items())),
        "slots": slots,
        "free_slots": free,
    }
