"""Runs: begun, waited for, streamed, joined, cancelled; of threads of the client's or, stateless, of one of their own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api.idempotency import key_of
from app.api.langgraph import bodies
from app.api.langgraph.lookup import assistant_id_of, assistant_of, known_thread, run_of, thread_that_ran
from app.api.langgraph.replies import not_supported, nothing, page, reply, selected, wrong
from app.api.langgraph.resting import Waited
from app.api.langgraph.starting import Caller, begin, caller_of
from app.api.langgraph.stream import RunEvents, RunStream, Watched
from app.api.langgraph.telling import MODES, USUAL
from app.api.langgraph.views import error_of, run_document, run_status, was_begun
from app.api.langgraph.wanting import refuse
from app.api.langgraph.yielding import cancel_run, undo_run
from app.api.parsing import check, read, read_json
from app.api.services import services_of, state_of
from app.api.trace_context import traceparent_of
from app.domain.errors import BackstitchError, Conflict
from app.domain.ports import ExecutionFilter
from app.domain.sdk_threads import SdkRun
from app.domain.status import ENDED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from app.api.langgraph.starting import Begun
    from app.api.services import Services
    from app.domain.records import ExecutionRecord

router: Final = APIRouter()
_MANY: Final = 1_000
_BATCH: Final = 100


@router.post("/runs")
@router.post("/threads/{thread_id}/runs")
async def create(request: Request, thread_id: str | None = None) -> Response:
    """Begin a run; it is durable once this answers."""
    services = services_of(request)
    _, begun = await _begin(request, thread_id)
    execution = await run_of(services, begun.thread_id, begun.run_id)
    return reply(await _document(services, execution), headers=_headers(begun))


@router.post("/runs/batch")
async def create_batch(request: Request) -> Response:
    """Begin several, one after the other; all bodies are checked before the first begins."""
    services, value = services_of(request), await read_json(request)
    if not isinstance(value, list) or len(cast("list[Any]", value)) > _BATCH:
        raise wrong("(body)", f"should be a list of at most {_BATCH} runs")
    if key_of(request) is not None:
        raise wrong("Idempotency-Key", "it begins one run once, not several")
    wanted = [check(bodies.RunAsked, one) for one in cast("list[Any]", value)]
    for one in wanted:
        refuse(one, stateless=one.thread_id is None)
        await assistant_of(services, one.assistant_id)
    caller, found = Caller(traceparent=traceparent_of(services, request)), list[dict[str, Any]]()
    for one in wanted:
        begun = await begin(services, one.thread_id, one, caller)
        found.append(await _document(services, await run_of(services, begun.thread_id, begun.run_id)))
    return reply(found)


@router.post("/runs/wait")
@router.post("/threads/{thread_id}/runs/wait")
async def wait(request: Request, thread_id: str | None = None) -> Response:
    """Begin a run, and answer with what it has come to."""
    services = services_of(request)
    wanted, begun = await _begin(request, thread_id)
    cut = _cancelling(services, begun.thread_id, begun.run_id) if wanted.on_disconnect == "cancel" else None
    place = f"/threads/{begun.thread_id}/runs/{begun.run_id}/join"
    return Waited(services, (begun.thread_id, begun.run_id), {**_headers(begun), "Location": place}, cut)


@router.post("/runs/stream")
@router.post("/threads/{thread_id}/runs/stream")
async def stream(request: Request, thread_id: str | None = None) -> Response:
    """Begin a run and tell what happens in it."""
    services = services_of(request)
    given = check(bodies.RunAsked, await read_json(request)).stream_mode or ["values"]
    modes = _modes([given] if isinstance(given, str) else given)
    wanted, begun = await _begin(request, thread_id)
    cut = _cancelling(services, begun.thread_id, begun.run_id) if wanted.on_disconnect == "cancel" else None
    # Of another run, whose place it has taken, there may be an end in between: whoever comes again begins after that too.
    after = max(begun.after, await _before(services, begun.thread_id, begun.run_id)) if begun.after else 0
    run = _Run(thread_id=begun.thread_id, run_id=begun.run_id, after=after)
    return await _events(request, run, modes, cut)


@router.get("/threads/{thread_id}/runs")
async def listed(
    thread_id: str,
    request: Request,
    limit: Annotated[int, FromQuery(ge=1, le=1000)] = 10,
    offset: Annotated[int, FromQuery(ge=0, le=1_000_000)] = 0,
    status: str | None = None,
    select: Annotated[list[str] | None, FromQuery()] = None,
) -> Response:
    """The runs of a thread, the newest first."""
    services = services_of(request)
    await known_thread(services, thread_id)
    found: list[dict[str, Any]] = []
    before, many = None, min(_MANY, limit + offset) if status is None else _MANY
    while chunk := await services.reads.executions(ExecutionFilter(thread_id=thread_id, before=before, limit=many)):
        before = (chunk[-1].created_at, chunk[-1].id)
        notes = await services.sdk_threads.runs([one.id for one in chunk])
        shown = [one for one in chunk if was_begun(one) and not (one.id in notes and notes[one.id].hidden)]
        documents = await _documents(services, thread_id, shown)
        found += [one for one in documents if status in (None, one["status"])]
        if len(found) >= limit + offset:
            break
    return reply([selected(one, select) for one in page(found, limit, offset)])


@router.get("/threads/{thread_id}/runs/{run_id}")
async def get(thread_id: str, run_id: str, request: Request) -> Response:
    """One."""
    services = services_of(request)
    return reply(await _document(services, await run_of(services, thread_id, run_id)))


@router.get("/threads/{thread_id}/runs/{run_id}/join")
async def join(thread_id: str, run_id: str, request: Request) -> Response:
    """What a run has come to, once it rests."""
    services = services_of(request)
    execution = await run_of(services, thread_id, run_id)
    place = f"/threads/{thread_id}/runs/{execution.id}/join"
    return Waited(services, (thread_id, execution.id), {"Location": place})


@router.get("/threads/{thread_id}/runs/{run_id}/stream")
async def join_stream(thread_id: str, run_id: str, request: Request, cancel_on_disconnect: bool = False) -> Response:
    """What happens in a run: from its beginning, or after the message of `Last-Event-ID`."""
    services = services_of(request)
    execution = await run_of(services, thread_id, run_id)
    modes = _modes(mode for mode in request.query_params.getlist("stream_mode") if mode)
    run = _Run(thread_id=thread_id, run_id=execution.id, after=await _before(services, thread_id, execution.id))
    cut = _cancelling(services, thread_id, execution.id) if cancel_on_disconnect else None
    return await _events(request, run, modes, cut)


@router.post("/threads/{thread_id}/runs/{run_id}/cancel")
async def cancel(
    thread_id: str,
    run_id: str,
    request: Request,
    wait: bool = False,
    action: str = "interrupt",
) -> Response:
    """End a run, which keeps what it has done, or with the action `rollback` goes back to before it."""
    services = services_of(request)
    execution = await run_of(services, thread_id, run_id)
    await _cancel(services, execution, action)
    if wait:
        place = f"/threads/{thread_id}/runs/{execution.id}/join"
        return Waited(services, (thread_id, execution.id), {"Location": place}, empty=True)
    return nothing(202)


@router.post("/runs/cancel")
async def cancel_many(request: Request, action: str = "interrupt") -> Response:
    """End several runs of a thread; those that have ended already are left as they are."""
    services, wanted = services_of(request), await read(request, bodies.CancelMany)
    if wanted.thread_id is None or not wanted.run_ids or wanted.status is not None:
        raise not_supported("status", "name a thread_id and its run_ids")
    executions = [await run_of(services, wanted.thread_id, run_id) for run_id in wanted.run_ids]
    for execution in executions:
        with suppress(Conflict):
            await _cancel(services, execution, action)
    return nothing()


@router.delete("/threads/{thread_id}/runs/{run_id}")
async def delete(thread_id: str, run_id: str, request: Request) -> Response:
    """Show a run no more that has ended; the thread keeps its history, as everywhere in LangGraph."""
    services = services_of(request)
    execution = await run_of(services, thread_id, run_id)
    if execution.status not in ENDED:
        raise Conflict(f"run {execution.id} is {execution.status}: cancel it first", code="thread_running")
    await services.sdk_threads.note_run(SdkRun(run_id=execution.id, thread_id=thread_id, hidden=True))
    return nothing()


class _Run:
    """As starting.Begun: which run, and after which event of its thread it comes."""

    def __init__(self, *, thread_id: str, run_id: str, after: int) -> None:
        self.thread_id, self.run_id, self.after = thread_id, run_id, after


async def _before(services: Services, thread_id: str, run_id: str) -> int:
    """The event after which a run begins."""
    turns = await services.travel.lines.turns(thread_id, [run_id])
    return turns[0].seq - 1 if turns else 0


async def _begin(request: Request, thread_id: str | None) -> tuple[bodies.RunAsked, Begun]:
    value = await read_json(request)
    wanted = check(bodies.RunAsked, value)
    if wanted.thread_id is not None:
        raise wrong("thread_id", "unknown field")
    services = services_of(request)
    return wanted, await begin(services, thread_id, wanted, caller_of(services, request, value))


async def _events(request: Request, run: _Run, modes: list[str], cut: Callable[[], Awaitable[None]] | None) -> Response:
    state = state_of(request)
    thread = await thread_that_ran(state["services"], run.thread_id)
    watched = Watched(thread=thread, run_id=run.run_id, modes=modes, first=run.after)
    told = RunStream(state["services"], state["streams"], watched, request.headers.get("last-event-id"))
    query = urlencode([("stream_mode", mode) for mode in modes])
    place = f"/threads/{run.thread_id}/runs/{run.run_id}/stream?{query}"
    return RunEvents(told, state["streams"], {**_headers(run), "Location": place}, cut)


def _headers(run: Begun | _Run) -> dict[str, str]:
    """What the SDK reads a run's ids from; its paths begin below ours."""
    return {"Content-Location": f"/threads/{run.thread_id}/runs/{run.run_id}"}


def _modes(given: Iterable[str]) -> list[str]:
    """The stream modes that are wanted.  Raises NotSupported."""
    modes = list(dict.fromkeys(given)) or list(USUAL)
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown:
        raise not_supported("stream_mode", f"{unknown[0][:40]} is not streamed here; these are: {', '.join(MODES)}")
    return modes


async def _document(services: Services, execution: ExecutionRecord) -> dict[str, Any]:
    [found] = await _documents(services, execution.thread_id, [execution])
    return found


async def _documents(services: Services, thread_id: str, executions: list[ExecutionRecord]) -> list[dict[str, Any]]:
    thread = await services.reads.thread(thread_id)
    statuses = await services.sdk_threads.statuses([thread_id])
    notes = await services.sdk_threads.runs([one.id for one in executions])
    assistant = await assistant_id_of(services, thread.definition_id) if thread is not None else ("", "")
    return [
        run_document(one, notes.get(one.id), assistant, run_status(one, thread, statuses.get(thread_id)))
        for one in executions
    ]


async def _cancel(services: Services, execution: ExecutionRecord, action: str) -> None:
    """Raises Conflict (thread_ended), InvalidRequest."""
    if action not in ("interrupt", "rollback"):
        raise wrong("action", "should be interrupt or rollback")
    thread = await services.reads.thread(execution.thread_id)
    if thread is None or thread.execution_id != execution.id or thread.status in ENDED:
        told = error_of(execution)["error"] if execution.error else execution.status.value
        raise Conflict(f"run {execution.id} has ended: {told}", code="thread_ended")
    if action == "rollback":
        await undo_run(services, execution.thread_id, execution.id)
    else:
        await cancel_run(services, execution.thread_id, execution.id, "cancelled by a client of the LangGraph SDK")


def _cancelling(services: Services, thread_id: str, run_id: str) -> Callable[[], Awaitable[None]]:
    """Cancels a run whose client has gone, if it still goes on."""

    async def cut() -> None:
        with suppress(BackstitchError):
            execution = await services.reads.execution(run_id)
            if execution is not None and execution.thread_id == thread_id:
                await _cancel(services, execution, "interrupt")

    return cut
