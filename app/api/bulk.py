"""Steer many threads at once: each by the way of the route of one thread, in a transaction of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_threads
from app.api.answers import answer, no_thread
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests_threads import BulkCancelRequest, BulkRequest
from app.api.schemas_threads import BulkAnswer
from app.api.services import services_of
from app.domain.commands import ResumeCommand
from app.domain.errors import BackstitchError, Conflict
from app.domain.status import ENDED, RESUMABLE, Status
from app.domain.thread_list import ThreadFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.api.services import Services
    from app.domain.commands import Check
    from app.domain.records import ThreadRecord
    from app.domain.thread_list import Place

    Act = Callable[[str, Check | None], Awaitable[None]]

router: Final = APIRouter(tags=["steer"])
_log: Final = logging.getLogger(__name__)

PATIENCE: Final = 20.0
"""Seconds after which no further thread is begun with: what asks has time-outs, and asks again for the others."""
_LOOKS: Final = 20
"""Pages of the list that one request goes through for its threads."""
_PROBLEMS: Final = problems(422, 400, 413)
_ANSWER: Final = {**_PROBLEMS, 200: example(examples_threads.BULK)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done with each thread: `usual` are the statuses of those that it is for, `fits` of those that take it;
    `at_once` how many are steered at the same time.
    """

    name: str
    usual: frozenset[Status]
    fits: frozenset[Status]
    code: str
    act: Act
    at_once: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The threads that are meant, each once; by a filter with their `places`. `next`: where to go on behind them."""

    ids: list[str]
    places: Mapping[str, Place]
    next: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `tried`: with how many of them, before the time was over."""

    done: list[str]
    refused: list[dict[str, str]]
    tried: int


@router.post(
    "/threads/resume",
    operation_id="resume_threads",
    response_model=BulkAnswer,
    responses=_ANSWER,
    openapi_extra=body(BulkRequest, {"where": {"status": "failed", "workflow": "content-strategy"}, "limit": 100}),
)
async def resume(request: Request) -> Response:
    """Go on with many threads; without a `status` with those that failed or were interrupted."""
    wanted, control = await read(request, BulkRequest), services_of(request).control

    async def act(thread_id: str, check: Check | None) -> None:
        command = ResumeCommand(thread_id=thread_id, triggered_by=wanted.triggered_by)
        given = await control.resume(command, check=check)
        if given.nothing_to_do:
            raise _completed(thread_id)

    broken = frozenset({Status.FAILED, Status.INTERRUPTED})
    work = Work(name="resume", usual=broken, fits=RESUMABLE, code="thread_running", act=act)
    return await _bulk(services_of(request), wanted, work)


@router.post(
    "/threads/cancel",
    operation_id="cancel_threads",
    response_model=BulkAnswer,
    responses=_ANSWER,
    openapi_extra=body(BulkCancelRequest, {"thread_ids": ["order-4711", "order-4712"], "reason": "no longer needed"}),
)
async def cancel(request: Request) -> Response:
    """Stop many threads for good; without a `status` those that have not ended."""
    wanted, control = await read(request, BulkCancelRequest), services_of(request).control

    async def act(thread_id: str, check: Check | None) -> None:
        await control.cancel(thread_id, wanted.reason, force=wanted.force, check=check)

    alive = frozenset(Status) - ENDED
    # Many of them may only wait for another process to do it.
    work = Work(name="cancel", usual=alive, fits=alive, code="thread_ended", act=act, at_once=48)
    return await _bulk(services_of(request), wanted, work)


@router.post(
    "/threads/pause",
    operation_id="pause_threads",
    response_model=BulkAnswer,
    responses=_ANSWER,
    openapi_extra=body(BulkRequest, {"where": {"workflow": "content-strategy"}, "dry_run": True}),
)
async def pause(request: Request) -> Response:
    """Start no further step of many threads; without a `status` of those that are pending, running or waiting."""
    wanted, control = await read(request, BulkRequest), services_of(request).control

    async def act(thread_id: str, check: Check | None) -> None:  # noqa: ARG001 - what is paused goes on when it is resumed
        await control.pause(thread_id)

    alive = frozenset(Status) - ENDED
    work = Work(name="pause", usual=alive - {Status.PAUSED}, fits=alive, code="thread_ended", act=act)
    return await _bulk(services_of(request), wanted, work)


async def _bulk(services: Services, wanted: BulkRequest, work: Work) -> Response:
    end = monotonic() + PATIENCE
    chosen = await _chosen(services, wanted, work)
    ids = chosen.ids
    if wanted.dry_run:
        outcome = await _foretold(services, ids, work)
    else:
        outcome = await _worked(ids, work, _still(wanted, work), end)
    if not wanted.dry_run:
        told = [f", by {wanted.triggered_by}"] if wanted.triggered_by else []
        told += [f": {wanted.reason}"] if wanted.reason else []
        numbers = (work.name, len(ids), len(outcome.done), len(outcome.refused))
        _log.info("%s of %d threads, %d done, %d refused%s", *numbers, "".join(told))
    return answer(
        {
            "matched": len(ids),
            "done": 0 if wanted.dry_run else len(outcome.done),
            "refused": outcome.refused,
            "more": chosen.next is not None or outcome.tried < len(ids),
            "next_cursor": _next(chosen, outcome.tried, wanted.cursor),
            "dry_run": wanted.dry_run,
            "thread_ids": outcome.done,
        }
    )


def _next(chosen: Chosen, tried: int, begun: str | None) -> str | None:
    """Where to go on behind those that were tried; what is resumed comes to the top, so none is met again from there."""
    if tried == len(chosen.ids):
        return cursors.of_created(chosen.next)
    return cursors.of_created(chosen.places.get(chosen.ids[tried - 1])) if tried else begun


async def _chosen(services: Services, wanted: BulkRequest, work: Work) -> Chosen:
    if wanted.where is None:
        return Chosen(ids=list(dict.fromkeys(wanted.thread_ids or ())), places={})
    where, places, before = wanted.where, dict[str, "Place"](), cursors.created(wanted.cursor)
    for _ in range(_LOOKS):
        page = ThreadFilter(
            statuses=where.status or work.usual,
            workflow=where.workflow,
            since=where.since,
            until=where.until,
            triggered_by=where.triggered_by,
            text=where.text,
            children=where.children,
            before=before,
            limit=wanted.limit - len(places),
        )
        found, before = await services.threads.ids(page)
        places.update(found)
        if before is None or len(places) >= wanted.limit:
            break
    return Chosen(ids=list(places), places=places, next=before)


def _still(wanted: BulkRequest, work: Work) -> Check | None:
    """Of those that a filter has chosen, one that has another of the statuses by now was not meant."""
    if wanted.where is None:
        return None
    statuses = wanted.where.status or work.usual

    def check(thread: ThreadRecord) -> None:
        if thread.status in work.fits - statuses:
            raise Conflict(f"thread {thread.thread_id} is {thread.status} by now", code="status_changed")

    return check


async def _worked(ids: Sequence[str], work: Work, check: Check | None, end: float) -> Outcome:
    """Do it with each, some at a time; what hinders one hinders no other."""
    outcomes: dict[str, dict[str, str] | None] = {}
    queue = iter(ids)

    async def lane() -> None:
        for thread_id in queue:
            if monotonic() > end:
                return
            outcomes[thread_id] = await _tried(thread_id, work, check)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(work.at_once, len(ids))):
            group.create_task(lane())
    tried = [(name, outcomes[name]) for name in ids if name in outcomes]
    refused = [refusal for _, refusal in tried if refusal is not None]
    return Outcome(done=[name for name, refusal in tried if refusal is None], refused=refused, tried=len(tried))


async def _tried(thread_id: str, work: Work, check: Check | None) -> dict[str, str] | None:
    """None when it is done, else why not."""
    try:
        await work.act(thread_id, check)
    except BackstitchError as error:
        return _refusal(thread_id, error)
    except Exception:  # noqa: BLE001 - it is told, and the others go on
        _log.exception("%s of thread %s failed", work.name, thread_id)
        return {"thread_id": thread_id, "code": "internal_error", "detail": "an unexpected error; the log tells more"}
    return None


async def _foretold(services: Services, ids: Sequence[str], work: Work) -> Outcome:
    """What it would come to, as far as the threads' statuses tell."""
    known = {thread.thread_id: thread.status for thread in await services.reads.threads(ids)}
    refused: list[dict[str, str]] = []
    for thread_id in ids:
        status = known.get(thread_id)
        if status is None:
            refused.append(_refusal(thread_id, no_thread(thread_id)))
        elif status is Status.COMPLETED and work.name == "resume":
            refused.append(_refusal(thread_id, _completed(thread_id)))
        elif status not in work.fits:
            refused.append(_refusal(thread_id, Conflict(f"thread {thread_id} is {status}", code=work.code)))
    without = {one["thread_id"] for one in refused}
    done = [thread_id for thread_id in ids if thread_id not in without]
    return Outcome(done=done, refused=refused, tried=len(ids))


def _completed(thread_id: str) -> BackstitchError:
    return Conflict(f"thread {thread_id} has completed: there is nothing to go on with", code="nothing_to_do")


def _refusal(thread_id: str, error: BackstitchError) -> dict[str, Any]:
    return {"thread_id": thread_id, "code": error.code, "detail": error.message}
