"""What is going on: the threads that have not ended, how far they are, and why those that stand still do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples_stream
from app.api.answers import answer
from app.api.health import ESSENTIAL
from app.api.openapi import example, problems
from app.api.requests_stream import MonitorQuery
from app.api.schemas_stream import MonitorAnswer
from app.api.services import services_of
from app.domain.gates import GateFilter
from app.domain.ports import ExecutionFilter
from app.domain.status import Status
from app.domain.times import utc_now
from app.domain.views.common import when
from app.domain.views.monitor import Around, Seen, monitor_entry
from app.domain.waits import WaitFilter

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.records import ExecutionRecord, ThreadRecord

router: Final = APIRouter(tags=["follow"])

_STATUSES: Final = (Status.RUNNING, Status.WAITING, Status.PENDING, Status.PAUSED)
_SCANNED: Final = 500
"""Of each status the oldest so many executions are looked through for the threads that moved longest ago."""
_COUNTED: Final = 10_000
_AT_ONCE: Final = 4


@router.get(
    "/workflow/monitor",
    operation_id="workflow_monitor",
    response_model=MonitorAnswer,
    responses={**problems(422), 200: example(examples_stream.MONITOR)},
)
async def monitor(request: Request, query: Annotated[MonitorQuery, FromQuery()]) -> Response:
    """Threads that have not ended, those that moved longest ago first, with what each waits for."""
    services = services_of(request)
    around = await _around(services, query.stuck_after)
    counts = {
        status.value: await services.reads.count_executions(
            ExecutionFilter(status=status, workflow=query.workflow), _COUNTED
        )
        for status in _STATUSES
    }
    picked, more = await _picked(services, query)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def entry(thread: ThreadRecord, execution: ExecutionRecord) -> dict[str, Any]:
        async with turns:
            return monitor_entry(await _seen(services, thread, execution), around)

    threads = await asyncio.gather(*(entry(*one) for one in picked))
    return answer(
        {
            "now": when(around.now),
            "counts": counts,
            "service": {"able": around.unable is None, "detail": around.unable},
            "threads": threads,
            "more": more,
        }
    )


async def _around(services: Services, stuck_after: float) -> Around:
    await services.breakers.refresh()
    parts = await services.health()
    unable = [
        f"{name}: {part.get('detail')}"
        for name, part in parts.items()
        if name in ESSENTIAL and part.get("status") == "unavailable"
    ]
    return Around(
        now=utc_now(),
        stuck_after=stuck_after,
        queues={report.settings.name: report for report in await services.queues.report()},
        slots=services.queues.slots,
        breakers={record.agent: record for record in services.breakers.listed()},
        unable="; ".join(unable) or None,
    )


async def _picked(services: Services, query: MonitorQuery) -> tuple[list[tuple[ThreadRecord, ExecutionRecord]], bool]:
    """The threads that moved longest ago, with their executions, and whether there are more."""
    executions: dict[str, ExecutionRecord] = {}
    for status in _STATUSES:
        where = ExecutionFilter(status=status, workflow=query.workflow, oldest=True, limit=_SCANNED)
        executions |= {one.thread_id: one for one in await services.reads.executions(where)}
    threads = await services.reads.threads(list(executions))
    present = [one for one in threads if one.execution_id == executions[one.thread_id].id]
    present.sort(key=lambda thread: thread.updated_at)
    picked = present[: query.limit]
    return [(thread, executions[thread.thread_id]) for thread in picked], len(present) > len(picked)


async def _seen(services: Services, thread: ThreadRecord, execution: ExecutionRecord) -> Seen:
    name = thread.thread_id
    spec = await services.control.spec(thread.definition_id)
    refs = await services.control.head_refs(thread)
    runs = await services.reads.steps(name, execution_id=thread.execution_id, values=False)
    gates = await services.gates.listed(GateFilter(thread_id=name, only_open=True))
    waits = await services.waits.listed(WaitFilter(thread_id=name, is_open=True))
    return Seen(thread=thread, execution=execution, spec=spec, refs=refs, runs=runs, gates=gates, waits=waits)
