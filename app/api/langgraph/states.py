"""The states of a thread: at the head and at checkpoints, their history, and new ones that a client writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api.langgraph import bodies
from app.api.langgraph.lookup import assistant_id_of, known_thread, thread_that_ran, version_in
from app.api.langgraph.replies import Scale, reply, selected, wants, wrong
from app.api.langgraph.state import NO_STATE, checkpoint_at, place_document, state_document
from app.api.langgraph.views import MOVED_BY, checkpoint_of, state_metadata
from app.api.parsing import read
from app.api.services import services_of
from app.domain.checkpoints import is_shown
from app.domain.commands import Edit, RollbackCommand
from app.domain.errors import Conflict, Corrupt
from app.domain.sdk_threads import SdkStatus
from app.domain.status import ACTIVE
from app.domain.travel import Timeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.api.services import Services
    from app.domain.records import CheckpointRecord, ThreadRecord
    from app.domain.spec import WorkflowSpec

router: Final = APIRouter()
_CHUNK: Final = 200
_OURS: Final = frozenset({"input", "output"})
_LOADED: Final = frozenset({"values", "next", "tasks", "interrupts"})
"""What of a state has to be read, beside its checkpoint."""


@router.get("/threads/{thread_id}/state")
async def head(thread_id: str, request: Request, select: Annotated[list[str] | None, FromQuery()] = None) -> Response:
    """The state at the head; an empty one of a thread that has not run."""
    return reply(selected(await _state(services_of(request), thread_id, None), select))


@router.get("/threads/{thread_id}/state/{checkpoint_id}")
async def at(
    thread_id: str, checkpoint_id: str, request: Request, select: Annotated[list[str] | None, FromQuery()] = None
) -> Response:
    """The state at a checkpoint."""
    version = version_in(None, checkpoint_id, thread_id)
    return reply(selected(await _state(services_of(request), thread_id, version), select))


@router.post("/threads/{thread_id}/state/checkpoint")
async def at_checkpoint(thread_id: str, request: Request) -> Response:
    """The same, told by a whole checkpoint."""
    wanted = await read(request, bodies.StateAt)
    version = version_in(wanted.checkpoint, None, thread_id)
    return reply(selected(await _state(services_of(request), thread_id, version), wanted.select))


@router.get("/threads/{thread_id}/history")
async def history_got(
    thread_id: str, request: Request, limit: Annotated[int, FromQuery(ge=1, le=1000)] = 10, before: str | None = None
) -> Response:
    """As below, for those who GET it."""
    return await _history(request, thread_id, bodies.HistoryAsked(limit=limit, before=before))


@router.post("/threads/{thread_id}/history")
async def history(thread_id: str, request: Request) -> Response:
    """The checkpoints of a thread, of all timelines, the newest first."""
    return await _history(request, thread_id, await read(request, bodies.HistoryAsked, empty=True))


@router.post("/threads/{thread_id}/state")
async def update(thread_id: str, request: Request) -> Response:
    """Write a version with other variables, or as if a step had ended with an output; nothing runs until a run is made."""
    services, wanted = services_of(request), await read(request, bodies.StateUpdate)
    thread = await thread_that_ran(services, thread_id)
    version = version_in(wanted.checkpoint, wanted.checkpoint_id, thread_id)
    spec = await services.control.spec(thread.definition_id)
    edit, context = _edit(spec, wanted)
    asks = await _asks(services, thread)
    command = RollbackCommand(
        thread_id=thread_id,
        to_version=thread.head_version if version is None else version,
        # A question that is open is asked again with what has changed, unless this was its answer.
        resume=asks and version in (None, thread.head_version) and edit.step_id is None,
        reason="update_state",
        context=context,
        edit=edit,
        expected_version=thread.head_version,
        triggered_by=MOVED_BY,
    )
    given = await services.control.rollback(command)
    place = checkpoint_of(thread_id, given.thread.head_version)
    return reply({"checkpoint": place, "configurable": place, "checkpoint_id": str(given.thread.head_version)})


async def _state(services: Services, thread_id: str, version: int | None) -> dict[str, Any]:
    _, thread = await known_thread(services, thread_id)
    if thread is None and version is None:
        return {**NO_STATE, "checkpoint": {**(checkpoint_of(thread_id, 0) or {}), "checkpoint_id": None}}
    if thread is None:
        thread = await thread_that_ran(services, thread_id)
    found = await checkpoint_at(services, thread, thread.head_version if version is None else version)
    return await state_document(services, thread, found, await assistant_id_of(services, thread.definition_id))


async def _history(request: Request, thread_id: str, wanted: bodies.HistoryAsked) -> Response:
    services = services_of(request)
    _, thread = await known_thread(services, thread_id)
    found: list[dict[str, Any]] = []
    scale, whole = Scale(), wants(wanted.select, _LOADED)
    if thread is not None:
        assistant = await assistant_id_of(services, thread.definition_id)
        given = (wanted.metadata or {}).items()
        async for checkpoint in _before(services, thread, wanted):
            if given <= state_metadata(checkpoint, assistant).items():
                scale.add(checkpoint.size_bytes if whole else 0)
                place = place_document(checkpoint, assistant)
                found.append(await _shown(services, thread, checkpoint, assistant) if whole else place)
            if len(found) == wanted.limit:
                break
    return reply([selected(one, wanted.select) for one in found])


async def _before(
    services: Services, thread: ThreadRecord, wanted: bodies.HistoryAsked
) -> AsyncIterator[CheckpointRecord]:
    """The versions that are wanted, the newest first; `checkpoint` means those that it came from, itself included."""
    last = thread.last_version
    before = wanted.before if isinstance(wanted.before, dict) else {"checkpoint_id": wanted.before}
    if (version := version_in(before, None, thread.thread_id)) is not None:
        last = min(last, version - 1)
    top, timeline = version_in(wanted.checkpoint, None, thread.thread_id), None
    if top is not None:
        last = min(last, top)
        timeline = Timeline(await services.travel.lines.segments(thread.thread_id), top)
    while last > 0:
        chunk = await services.reads.checkpoints(thread.thread_id, first=max(1, last - _CHUNK + 1), last=last)
        for checkpoint in reversed(chunk):
            on_it = timeline is None or timeline.holds(checkpoint.version)
            if on_it and is_shown(checkpoint, thread.head_version):
                yield checkpoint
        last -= _CHUNK


async def _shown(
    services: Services, thread: ThreadRecord, checkpoint: CheckpointRecord, assistant: tuple[str, str]
) -> dict[str, Any]:
    """A version; one that is damaged is told of without its values, so that the list can be shown."""
    try:
        return await state_document(services, thread, checkpoint, assistant)
    except Corrupt as error:
        metadata = {**state_metadata(checkpoint, assistant), "damaged": error.message}
        return {**place_document(checkpoint, assistant), "metadata": metadata}


def _edit(spec: WorkflowSpec, wanted: bodies.StateUpdate) -> tuple[Edit, dict[str, Any]]:
    """What a client's `values` mean: a step's output with `as_node`, else variables."""
    if wanted.as_node is not None:
        if spec.code is not None:
            raise wrong(
                "as_node", "a workflow in Python knows its steps only while it runs: change its variables instead"
            )
        return Edit(step_id=wanted.as_node, output=wanted.values), {}
    return Edit(), variables(spec, wanted.values, "values")


def variables(spec: WorkflowSpec, given: Any, field: str) -> dict[str, Any]:
    """Values that a client sets, as variables.  Raises InvalidRequest."""
    found: dict[str, Any] = {}
    for one in _parts(given):
        if not isinstance(one, dict):
            raise wrong(field, "should be an object of variables, or a list of such")
        found |= cast("dict[str, Any]", one)
    taken = sorted(found.keys() & spec.by_id.keys())
    if taken:
        raise wrong(
            field, f"{taken[0]} is a step: its output is set with as_node={taken[0]!r} and the output as values"
        )
    if found.keys() & _OURS:
        raise wrong(field, "input and output cannot be set: give a new input to a run")
    return found


def _parts(given: Any) -> list[Any]:
    if given is None:
        return []
    parts = cast("list[Any]", given) if isinstance(given, list) else [given]
    return [_pair(one) for one in parts]


def _pair(given: Any) -> Any:
    """[name, value] as an object; anything else as it is."""
    match given:
        case [str(name), value]:
            return {name: value}
        case _:
            return given


async def _asks(services: Services, thread: ThreadRecord) -> bool:
    """Whether it waits for answers only.  Raises Conflict (thread_running) while anything else goes on."""
    if thread.status not in ACTIVE:
        return False
    statuses = await services.sdk_threads.statuses([thread.thread_id])
    if statuses.get(thread.thread_id) is not SdkStatus.INTERRUPTED:
        raise Conflict(f"thread {thread.thread_id} is {thread.status}: cancel its run first", code="thread_running")
    return True
