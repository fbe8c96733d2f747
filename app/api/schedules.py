"""Schedules: make, change, pause and resume them, fire one now, make up for what was not fired, and see what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors
from app.api import examples_schedules as examples
from app.api.answers import answer
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests_schedules import (
    BackfillRequest,
    FiringsQuery,
    PauseScheduleRequest,
    PreviewRequest,
    ResumeScheduleRequest,
    RunScheduleRequest,
    ScheduleChangeRequest,
    ScheduleRequest,
    SchedulesQuery,
)
from app.api.schemas_schedules import (
    BackfillAnswer,
    DeletedScheduleAnswer,
    ScheduleAnswer,
    ScheduleFiringAnswer,
    ScheduleFiringsAnswer,
    SchedulePreviewAnswer,
    SchedulesAnswer,
)
from app.api.services import services_of
from app.domain.schedule_document import plan_of
from app.domain.schedule_store import FiringFilter, ScheduleFilter
from app.domain.schedules import Kind, Outcome, Overlap
from app.domain.views import schedules as views

if TYPE_CHECKING:
    from app.api.parsing import Body
    from app.domain.schedules import Schedule

router: Final = APIRouter(tags=["schedules"])
_NOT_FOUND: Final = problems(404, schedule_not_found=examples.NO_SCHEDULE)
_INVALID: Final = problems(422, 400, 413, invalid_schedule=examples.INVALID)


@router.get(
    "/schedules",
    operation_id="list_schedules",
    response_model=SchedulesAnswer,
    responses={**problems(422), 200: example(examples.SCHEDULES)},
)
async def listed(request: Request, query: Annotated[SchedulesQuery, FromQuery()]) -> Response:
    """The schedules, by name, each with its last firing."""
    where = ScheduleFilter(
        workflow=query.workflow, paused=query.paused, after=cursors.text(query.cursor), limit=query.limit + 1
    )
    found = await services_of(request).schedules.listed(where)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1][0].name) if len(found) > query.limit else None
    return answer({"schedules": [views.schedule_document(*one) for one in page], "next_cursor": cursor})


@router.post(
    "/schedules",
    operation_id="create_schedule",
    status_code=201,
    response_model=ScheduleAnswer,
    responses={
        **problems(409, schedule_exists="there is a schedule morning-briefing that says something else"),
        **_INVALID,
        200: {"model": ScheduleAnswer, "description": "It was like that already"},
        201: example({**examples.SCHEDULE, "fired": 0, "last_fire_at": None, "last_firing": None}),
    },
    openapi_extra=body(ScheduleRequest, examples.DOCUMENT),
)
async def create(request: Request) -> Response:
    """Make a schedule; the same again changes nothing."""
    wanted = await read(request, ScheduleRequest)
    value = _usual(wanted.told())
    schedule, new = await services_of(request).schedules.create(wanted.name, value, paused=wanted.paused)
    where = {"Location": f"/api/schedules/{schedule.name}"}
    return answer(views.schedule_document(schedule), 201 if new else 200, where)


@router.post(
    "/schedules/preview",
    operation_id="preview_schedule",
    response_model=SchedulePreviewAnswer,
    responses={**_INVALID, 200: example(examples.PREVIEW)},
    openapi_extra=body(
        PreviewRequest,
        {"cron": "30 2 * * *", "timezone": "Europe/Vienna", "after": "2026-03-28T00:00:00Z", "count": 3},
    ),
)
async def preview(request: Request) -> Response:
    """When something would fire, by UTC and by the clock of its zone; nothing is made."""
    wanted = await read(request, PreviewRequest)
    given = {name: getattr(wanted, name) for name in ("cron", "every", "timezone")}
    times = {name: at and at.isoformat() for name, at in (("start_at", wanted.start_at), ("end_at", wanted.end_at))}
    timing = plan_of(_usual({**given, **times, "workflow": "-"})).timing
    found = await services_of(request).schedules.upcoming(timing, wanted.count, wanted.after)
    return answer({"timezone": timing.timezone, "times": views.times_document(found, timing.timezone)})


@router.get(
    "/schedules/{name}",
    operation_id="get_schedule",
    response_model=ScheduleAnswer,
    responses={**_NOT_FOUND, 200: example(examples.SCHEDULE)},
)
async def one(name: str, request: Request) -> Response:
    """A schedule, with its last firing."""
    return await _shown(request, await services_of(request).schedules.find(name))


@router.patch(
    "/schedules/{name}",
    operation_id="change_schedule",
    response_model=ScheduleAnswer,
    responses={
        **problems(409, version_conflict="schedule morning-briefing is in revision 2, not 1"),
        **_NOT_FOUND,
        **_INVALID,
        200: example({**examples.SCHEDULE, "revision": 2}),
    },
    openapi_extra=body(ScheduleChangeRequest, {"cron": "30 8 * * MON-FRI", "expected_revision": 1}),
)
async def change(name: str, request: Request) -> Response:
    """Change what is given and leave the rest; null goes back to the usual. A firing that is due already is still made."""
    wanted = await read(request, ScheduleChangeRequest)
    changed = await services_of(request).schedules.change(name, wanted.told(), wanted.expected_revision)
    return await _shown(request, changed)


@router.delete(
    "/schedules/{name}",
    operation_id="delete_schedule",
    response_model=DeletedScheduleAnswer,
    responses={**_NOT_FOUND, 200: example(examples.DELETED)},
)
async def delete(name: str, request: Request) -> Response:
    """Take a schedule away, with what is known of its firings; their threads stay and run on."""
    await services_of(request).schedules.delete(name)
    return answer({"name": name, "deleted": True})


@router.post(
    "/schedules/{name}/pause",
    operation_id="pause_schedule",
    response_model=ScheduleAnswer,
    responses={**problems(400, 413, 422), **_NOT_FOUND, 200: example(examples.PAUSED)},
    openapi_extra=body(PauseScheduleRequest, {"reason": "the editors are away"}, required=False),
)
async def pause(name: str, request: Request) -> Response:
    """Make none of its times until it is resumed; threads that run go on."""
    wanted = await read(request, PauseScheduleRequest, empty=True)
    return await _shown(request, await services_of(request).schedules.pause(name, wanted.reason))


@router.post(
    "/schedules/{name}/resume",
    operation_id="resume_schedule",
    response_model=ScheduleAnswer,
    responses={**problems(400, 413, 422), **_NOT_FOUND, 200: example(examples.SCHEDULE)},
    openapi_extra=body(ResumeScheduleRequest, {}, required=False),
)
async def resume(name: str, request: Request) -> Response:
    """Go on with its times from now on; those of the pause are left out (a backfill makes up for them)."""
    await _nothing(request, ResumeScheduleRequest)
    return await _shown(request, await services_of(request).schedules.resume(name))


@router.post(
    "/schedules/{name}/run",
    operation_id="run_schedule",
    status_code=202,
    response_model=ScheduleFiringAnswer,
    responses={**problems(400, 413, 422), **_NOT_FOUND, 202: example(examples.MANUAL)},
    openapi_extra=body(RunScheduleRequest, {}, required=False),
)
async def run(name: str, request: Request) -> Response:
    """Fire now, whatever else runs, also while it is paused; the firing, of which `outcome` tells what came of it."""
    await _nothing(request, RunScheduleRequest)
    return answer(views.firing_document(await services_of(request).schedules.run(name)), 202)


@router.post(
    "/schedules/{name}/backfill",
    operation_id="backfill_schedule",
    status_code=202,
    response_model=BackfillAnswer,
    responses={
        **problems(422, 400, 413, invalid_backfill="/to: lies before `from`"),
        **_NOT_FOUND,
        200: {
            "model": BackfillAnswer,
            "description": "A dry run: nothing is made",
            **example({**examples.BACKFILL, "dry_run": True}),
        },
        202: example(examples.BACKFILL),
    },
    openapi_extra=body(BackfillRequest, {"from": "2026-11-16T00:00:00Z", "to": "2026-11-20T12:00:00Z"}),
)
async def backfill(name: str, request: Request) -> Response:
    """Make its times in a span for which nothing was started, 1,000 at most: one after the other, or all at once."""
    wanted = await read(request, BackfillRequest)
    found = await services_of(request).schedules.backfill(
        name, wanted.first, wanted.last, overlap=Overlap(wanted.overlap), dry_run=wanted.dry_run
    )
    document: dict[str, Any] = {
        "dry_run": wanted.dry_run,
        "firings": [views.firing_document(firing) for firing in found.asked],
        "there": [views.firing_document(firing) for firing in found.there],
    }
    return answer(document, 200 if wanted.dry_run else 202)


@router.get(
    "/schedules/{name}/firings",
    operation_id="schedule_firings",
    response_model=ScheduleFiringsAnswer,
    responses={**problems(422), **_NOT_FOUND, 200: example(examples.FIRINGS)},
)
async def firings(name: str, request: Request, query: Annotated[FiringsQuery, FromQuery()]) -> Response:
    """What became of its times, the latest first."""
    where = FiringFilter(
        outcome=None if query.outcome is None else Outcome(query.outcome),
        kind=None if query.kind is None else Kind(query.kind),
        since=query.since,
        until=query.until,
        before=cursors.instant(query.cursor),
        limit=query.limit + 1,
    )
    found = await services_of(request).schedules.firings(name, where)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1].fire_time.isoformat()) if len(found) > query.limit else None
    return answer({"firings": [views.firing_document(one) for one in page], "next_cursor": cursor})


async def _nothing(request: Request, model: type[Body]) -> None:
    await read(request, model, empty=True)


async def _shown(request: Request, schedule: Schedule) -> Response:
    last = await services_of(request).schedules.firings(schedule.name, FiringFilter(limit=1))
    return answer(views.schedule_document(schedule, next(iter(last), None)))


def _usual(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is null, which stands for the usual; a null `input` is one."""
    return {name: each for name, each in value.items() if each is not None or name == "input"}
