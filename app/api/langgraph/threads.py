"""Threads: made before they run, looked at and for, copied, deleted, and followed through all their runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import known_form, no_thread
from app.api.langgraph import bodies
from app.api.langgraph.asking import interrupts_by_step
from app.api.langgraph.lookup import assistant_id_of, known_thread, storable, thread_that_ran
from app.api.langgraph.replies import Scale, not_supported, nothing, reply, selected, wants, wrong
from app.api.langgraph.state import values_at
from app.api.langgraph.stream import RunEvents, RunStream, Watched
from app.api.langgraph.telling import USUAL
from app.api.langgraph.views import MOVED_BY
from app.api.parsing import read
from app.api.services import services_of, state_of
from app.domain.commands import ForkCommand, Variant
from app.domain.errors import Conflict
from app.domain.ids import uuid7
from app.domain.sdk_threads import SdkStatus, SdkThread, SdkThreadFilter, SortBy
from app.domain.status import ACTIVE, Status
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.api.services import Services
    from app.domain.records import ThreadRecord

router: Final = APIRouter()
_KEPT: Final = "how long threads are kept is the service's retention, by workflow: see /api/retention"
_FOLLOWED: Final[dict[str, tuple[str, ...]]] = {"run_modes": USUAL, "state_update": ("values",), "lifecycle": ()}


@router.post("/threads")
async def create(request: Request) -> Response:
    """Make a thread, which has no run yet."""
    services, wanted = services_of(request), await read(request, bodies.ThreadCreate, empty=True)
    _refuse_ttl(wanted.ttl)
    if wanted.supersteps:
        raise not_supported("supersteps", "a thread's state is made by its runs: copy one, or start with `context`")
    thread_id = wanted.thread_id or uuid7()
    there = await services.reads.thread(thread_id) is not None
    made = not there and await services.sdk_threads.create(thread_id, storable(wanted.metadata))
    if not made and wanted.if_exists == "raise":
        raise Conflict(f"thread {thread_id} exists", code="thread_exists")
    return reply(await _document(services, thread_id))


@router.post("/threads/search")
async def search(request: Request) -> Response:
    """The threads that clients of the SDK have made or run."""
    services, wanted = services_of(request), await read(request, bodies.ThreadSearch, empty=True)
    if wanted.extract:
        raise not_supported("extract", "take what you need out of the values")
    where = SdkThreadFilter(
        ids=wanted.ids,
        **_where(wanted),
        sort_by=SortBy(wanted.sort_by),
        ascending=wanted.sort_order == "asc",
        limit=wanted.limit,
        offset=wanted.offset,
    )
    found = await services.sdk_threads.found(where)
    scale = Scale() if wants(wanted.select, {"values"}) else None
    ids = [one.thread_id for one in found]
    real = {one.thread_id: one for one in await services.reads.threads(ids)}
    known = await _Known.of(services, list(real.values()))
    documents = [await _told(services, one, real.get(one.thread_id), known, scale) for one in found]
    return reply([selected(one, wanted.select) for one in documents])


@router.post("/threads/count")
async def count(request: Request) -> Response:
    """How many there are."""
    services, wanted = services_of(request), await read(request, bodies.ThreadCount, empty=True)
    return reply(await services.sdk_threads.count(SdkThreadFilter(**_where(wanted))))


@router.post("/threads/prune")
async def prune(request: Request) -> Response:
    """Delete several; those that are not there count as pruned by somebody else."""
    services, wanted = services_of(request), await read(request, bodies.Prune)
    if wanted.strategy != "delete":
        raise not_supported(
            "strategy", "versions are not thinned out afterwards: a checkpoint policy does that beforehand"
        )
    pruned = 0
    for thread_id in dict.fromkeys(wanted.thread_ids):
        pruned += await _delete(services, thread_id)
    return reply({"pruned_count": pruned})


@router.get("/threads/{thread_id}")
async def get(thread_id: str, request: Request) -> Response:
    """One, also of those that no client of the SDK has made."""
    if request.query_params.get("include"):
        raise not_supported("include", _KEPT)
    return reply(await _document(services_of(request), thread_id))


@router.patch("/threads/{thread_id}")
async def update(thread_id: str, request: Request) -> Response:
    """Add to a thread's metadata."""
    services, wanted = services_of(request), await read(request, bodies.ThreadPatch)
    _refuse_ttl(wanted.ttl)
    kept, thread = await known_thread(services, thread_id)
    added = storable(wanted.metadata, {} if kept is None else kept.metadata)
    await services.sdk_threads.merge(thread_id, added, ran=thread is not None)
    if "return=minimal" in request.headers.get("prefer", ""):
        return nothing()
    return reply(await _document(services, thread_id))


@router.delete("/threads/{thread_id}")
async def delete(thread_id: str, request: Request) -> Response:
    """Delete a thread with all its history; one that is paused or asks is cancelled first."""
    if not await _delete(services_of(request), known_form(thread_id)):
        raise no_thread(thread_id)
    return nothing()


@router.post("/threads/{thread_id}/copy")
async def copy(thread_id: str, request: Request) -> Response:
    """A new thread with the state of this one; it waits for a run, or has ended if this one has."""
    services = services_of(request)
    kept, thread = await known_thread(services, thread_id)
    new, metadata = uuid7(), dict(kept.metadata) if kept is not None else {}
    if thread is not None:
        variant = Variant(name="copy", thread_id=new)
        command = ForkCommand(
            thread_id=thread_id, variants=[variant], resume=False, reason="copied", triggered_by=MOVED_BY
        )
        [fork] = (await services.control.fork(command)).forks
        if fork.error is not None:
            raise fork.error
    await services.sdk_threads.merge(new, metadata, ran=thread is not None)
    return reply(await _document(services, new))


@router.get("/threads/{thread_id}/stream")
async def join_stream(thread_id: str, request: Request) -> Response:
    """What happens in all runs of a thread that has had one, until the client goes."""
    state = state_of(request)
    modes = [mode for mode in request.query_params.getlist("stream_mode") if mode] or ["run_modes"]
    unknown = [mode for mode in modes if mode not in _FOLLOWED]
    if unknown:
        raise wrong("stream_mode", f"should be any of {', '.join(_FOLLOWED)}")
    thread = await thread_that_ran(state["services"], thread_id)
    last, told = request.headers.get("last-event-id"), {one for mode in modes for one in _FOLLOWED[mode]}
    # Without a cursor it begins now.
    watched = Watched(thread=thread, run_id=None, modes=told, first=0 if last else thread.last_seq)
    query = "&".join(f"stream_mode={mode}" for mode in modes)
    stream = RunStream(state["services"], state["streams"], watched, last)
    return RunEvents(stream, state["streams"], {"Location": f"/threads/{thread_id}/stream?{query}"})


def _refuse_ttl(ttl: Any) -> None:
    if ttl is not None:
        raise not_supported("ttl", _KEPT)


def _where(wanted: bodies.ThreadCount) -> dict[str, Any]:
    if wanted.values:
        raise not_supported("values", "threads are not found by their state: put what you look for into the metadata")
    status = None if wanted.status is None else SdkStatus(wanted.status)
    return {"metadata": storable(wanted.metadata) or None, "status": status}


async def _document(services: Services, thread_id: str) -> dict[str, Any]:
    kept, thread = await known_thread(services, thread_id)
    known = await _Known.of(services, [] if thread is None else [thread])
    return await _told(services, kept, thread, known, Scale())


@dataclass(frozen=True, slots=True)
class _Known:
    """Of several threads, asked for at once: how they stand, and their assistants by the ids of their definitions."""

    statuses: Mapping[str, SdkStatus]
    assistants: Mapping[str, tuple[str, str]]

    @classmethod
    async def of(cls, services: Services, threads: Sequence[ThreadRecord]) -> _Known:
        """What is known of these."""
        statuses = await services.sdk_threads.statuses([one.thread_id for one in threads]) if threads else {}
        definitions = {one.definition_id for one in threads}
        return cls(statuses, {one: await assistant_id_of(services, one) for one in definitions})


async def _told(
    services: Services, kept: SdkThread | None, thread: ThreadRecord | None, known: _Known, scale: Scale | None
) -> dict[str, Any]:
    """A thread, with its values where there is a `scale` to weigh them."""
    found: dict[str, Any] = {"config": {}, "values": None, "interrupts": {}}
    if kept is not None:
        found |= {"thread_id": kept.thread_id, "status": SdkStatus.IDLE.value, "metadata": dict(kept.metadata)}
        found |= {"created_at": when(kept.created_at), "updated_at": when(kept.updated_at)}
    if thread is None:
        return found
    assistant_id, graph_id = known.assistants[thread.definition_id]
    created = thread.created_at if kept is None else min(kept.created_at, thread.created_at)
    found |= {
        "thread_id": thread.thread_id,
        "created_at": when(created),
        "updated_at": when(thread.updated_at if kept is None else max(kept.updated_at, thread.updated_at)),
        "metadata": {**found.get("metadata", {}), "graph_id": graph_id, "assistant_id": assistant_id},
        "status": known.statuses.get(thread.thread_id, SdkStatus.IDLE).value,
        "values": None if scale is None else await values_at(services, thread, scale),
    }
    if thread.status is Status.WAITING:
        found["interrupts"] = await _interrupts(services, thread)
    return found


async def _interrupts(services: Services, thread: ThreadRecord) -> dict[str, list[dict[str, Any]]]:
    """The open questions by the tasks that ask."""
    asked = await interrupts_by_step(services, thread.thread_id)
    rows = await services.reads.steps(thread.thread_id, execution_id=thread.execution_id, values=False)
    runs = {row.step_id: row.id for row in sorted(rows, key=lambda row: row.id)}
    return {runs.get(step, step): found for step, found in asked.items()}


async def _delete(services: Services, thread_id: str) -> bool:
    """Whether there was anything to delete.  Raises Conflict (thread_running)."""
    thread = await services.reads.thread(thread_id)
    if thread is None:
        return await services.sdk_threads.delete(thread_id)
    statuses = await services.sdk_threads.statuses([thread_id])
    stands = statuses.get(thread_id) is SdkStatus.INTERRUPTED
    if stands and (thread.status is Status.PAUSED or thread.status in ACTIVE):
        await services.control.cancel(thread_id, "its thread is deleted")
    await services.retention.delete(thread_id)
    await services.sdk_threads.delete(thread_id)
    return True
