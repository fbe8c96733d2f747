"""Crons: schedules whose names are the crons' ids, each run of which has a thread of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.cursors import is_uuid
from app.api.langgraph import bodies
from app.api.langgraph.lookup import assistant_of, first_version
from app.api.langgraph.replies import not_supported, nothing, page, reply, selected, wrong
from app.api.langgraph.wanting import configurable, context_of, refuse_interrupts
from app.api.parsing import read
from app.api.services import services_of
from app.domain.errors import NotFound
from app.domain.expression import ExpressionError
from app.domain.ids import uuid7
from app.domain.schedule_store import ScheduleFilter
from app.domain.schedules import Overlap
from app.domain.template import Template, literal
from app.domain.views.common import when

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.schedules import Schedule

router: Final = APIRouter()
_NAME: Final = re.compile(r"sdk-(?P<id>[0-9a-f-]{36})\Z")
_PAGE: Final = 200
_FIELDS: Final = {"schedule": "cron", "timezone": "timezone", "end_time": "end_at", "input": "input"}
"""What stands in a schedule's document under another name, or the same."""
_REFUSED: Final = {
    "metadata": "the threads of a cron are found by who started them: triggered_by=schedule:sdk-{cron_id}",
    "webhook": "a schedule brings none: make an endpoint for the workflow (POST /api/webhooks)",
}


@router.post("/runs/crons")
async def create(request: Request) -> Response:
    """Make one."""
    services, wanted = services_of(request), await read(request, bodies.CronCreate)
    _refuse(wanted)
    assistant = await assistant_of(services, wanted.assistant_id)
    value = {**_document(wanted), "workflow": assistant.reference, "overlap": Overlap.ALLOW.value}
    given = {name: each for name, each in value.items() if each is not None}
    made, _ = await services.schedules.create(f"sdk-{uuid7()}", given, paused=wanted.enabled is False)
    return reply(await _shown(services, made))


@router.post("/threads/{thread_id}/runs/crons")
async def create_for_thread() -> Response:
    """Not here."""
    raise not_supported("thread_id", "each run of a cron has a thread of its own: make it with crons.create")


@router.post("/runs/crons/search")
async def search(request: Request) -> Response:
    """Those that clients of the SDK have made."""
    services, wanted = services_of(request), await read(request, bodies.CronSearch, empty=True)
    found = [await _shown(services, one) for one in await _matching(services, wanted)]
    by = wanted.sort_by
    found.sort(
        key=lambda one: (one[by] is not None, one[by] or "", one["cron_id"]), reverse=wanted.sort_order == "desc"
    )
    return reply([selected(one, wanted.select) for one in page(found, wanted.limit, wanted.offset)])


@router.post("/runs/crons/count")
async def count(request: Request) -> Response:
    """How many there are."""
    services, wanted = services_of(request), await read(request, bodies.CronCount, empty=True)
    return reply(len(await _matching(services, wanted)))


@router.patch("/runs/crons/{cron_id}")
async def update(cron_id: str, request: Request) -> Response:
    """Change what is given."""
    services, wanted = services_of(request), await read(request, bodies.CronPatch)
    _refuse(wanted)
    name, changed = _name(cron_id), _document(wanted)
    schedule = await services.schedules.change(name, changed) if changed else await services.schedules.find(name)
    if wanted.enabled is not None and wanted.enabled is schedule.paused:
        turn = services.schedules.resume if wanted.enabled else services.schedules.pause
        schedule = await turn(name)
    return reply(await _shown(services, schedule))


@router.delete("/runs/crons/{cron_id}")
async def delete(cron_id: str, request: Request) -> Response:
    """Take one away; what it has started goes on."""
    await services_of(request).schedules.delete(_name(cron_id))
    return nothing()


def _refuse(wanted: bodies.CronFields) -> None:
    refuse_interrupts(wanted)
    for field, instead in _REFUSED.items():
        if getattr(wanted, field):
            raise not_supported(field, instead)
    if wanted.on_run_completed == "delete":
        raise not_supported("on_run_completed", "threads are kept until their retention is over")
    if configurable(wanted).get("checkpoint_id"):
        raise wrong("config/configurable", "a new thread has no checkpoint")


def _document(wanted: bodies.CronFields) -> dict[str, Any]:
    """What is given of a schedule's document: None of an end that is taken away."""
    given = wanted.model_fields_set
    found: dict[str, Any] = {ours: getattr(wanted, name) for name, ours in _FIELDS.items() if name in given}
    found = {name: one for name, one in found.items() if one is not None or name == "end_at"}
    if "input" in found:
        found["input"] = literal(found["input"])
    if wanted.end_time is not None:
        found["end_at"] = wanted.end_time.isoformat()
    return {**found, "context": literal(context_of(wanted))} if {"context", "config"} & given else found


def _name(cron_id: str) -> str:
    """Of the schedule."""
    if not is_uuid(cron_id):
        raise NotFound(f"there is no cron {cron_id[:200]!r}", code="schedule_not_found")
    return f"sdk-{cron_id.lower()}"


async def _matching(services: Services, wanted: bodies.CronCount) -> list[Schedule]:
    if wanted.metadata:
        raise not_supported("metadata", "crons have none")
    if wanted.thread_id is not None:
        return []
    workflow = (await assistant_of(services, wanted.assistant_id)).record.name if wanted.assistant_id else None
    paused = wanted.enabled is False if isinstance(wanted, bodies.CronSearch) and wanted.enabled is not None else None
    found: list[Schedule] = []
    after = ""
    while some := await services.schedules.listed(
        ScheduleFilter(workflow=workflow, paused=paused, after=after, limit=_PAGE)
    ):
        found += [one for one, _ in some if _NAME.match(one.name)]
        after = some[-1][0].name
    return found


async def _shown(services: Services, schedule: Schedule) -> dict[str, Any]:
    plan, workflow = schedule.plan, schedule.plan.workflow.partition("@")[0]
    record = await services.registry.workflow(workflow)
    assistant_id = workflow if record is None else (await first_version(services, record)).id
    payload = {"assistant_id": assistant_id, "input": _told(plan.input), "context": _told(dict(plan.context))}
    return {
        "cron_id": schedule.name.removeprefix("sdk-"),
        "assistant_id": assistant_id,
        "thread_id": None,
        "user_id": None,
        "schedule": plan.timing.cron,
        "timezone": plan.timing.timezone,
        "end_time": when(plan.timing.end_at),
        "next_run_date": when(schedule.next_fire_at),
        "enabled": not schedule.paused,
        "on_run_completed": "keep",
        "payload": payload,
        "metadata": {},
        "created_at": when(schedule.created_at),
        "updated_at": when(schedule.updated_at),
    }


def _told(given: Any) -> Any:
    """What its runs get; the template itself where somebody else has made one of it."""
    try:
        return Template.compile(given).render({})
    except ExpressionError:
        return given
