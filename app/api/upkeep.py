"""Upkeep: move threads to another version of their workflow, and bring stored versions into the newest format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_upkeep
from app.api.answers import answer
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests_upkeep import MigrateRequest, UpgradeRequest
from app.api.schemas_upkeep import FormatsAnswer, MigrateAnswer, UpgradeAnswer
from app.api.services import services_of
from app.domain.errors import InvalidRequest, NotFound, Problem
from app.domain.moving import USUAL, MoveCommand
from app.domain.state import FORMAT
from app.domain.status import Status

if TYPE_CHECKING:
    from app.domain.moving import Outcome

router: Final = APIRouter(tags=["upkeep"])

_LONGEST_NAME: Final = 128


@router.post(
    "/workflows/{name}/migrate",
    operation_id="migrate_workflow",
    response_model=MigrateAnswer,
    responses={
        **problems(404, 400, 413, 422, workflow_not_found="there is no workflow content-strategy@9"),
        200: example(examples_upkeep.MIGRATED),
    },
    openapi_extra=body(MigrateRequest, {"dry_run": True}, required=False),
)
async def migrate(name: str, request: Request) -> Response:
    """Move threads to another version of their workflow: those whose done and open steps are the same in both.

    Each in a transaction of its own; what keeps one from being moved is told and hurts no other.
    """
    wanted = await read(request, MigrateRequest, empty=True)
    if not name or "@" in name or "\x00" in name or len(name) > _LONGEST_NAME:
        raise NotFound(f"there is no workflow {name[:200]!r}", code="workflow_not_found")
    command = MoveCommand(
        workflow=name,
        from_version=wanted.from_version,
        to_version=wanted.to_version,
        thread_ids=wanted.thread_ids,
        statuses=_statuses(wanted),
        resume=wanted.resume,
        dry_run=wanted.dry_run,
        after=cursors.text(wanted.cursor),
        limit=wanted.limit,
        triggered_by=wanted.triggered_by,
    )
    moves = await services_of(request).mover.move(command)
    found = moves.outcomes
    return answer(
        {
            "workflow": moves.to.name,
            "to_version": moves.to.version,
            "dry_run": wanted.dry_run,
            "can_move": sum(not one.reasons for one in found),
            "moved": sum(one.execution_id is not None for one in found),
            "refused": sum(bool(one.reasons) for one in found),
            "threads": [_outcome(one) for one in found],
            "next_cursor": cursors.encode(found[-1].thread_id) if moves.more else None,
        }
    )


@router.get(
    "/workflow/state/formats",
    operation_id="list_formats",
    response_model=FormatsAnswer,
    responses={**problems(), 200: example(examples_upkeep.FORMATS)},
)
async def formats(request: Request) -> Response:
    """How many versions are stored in which format; this reads all of them."""
    found = await services_of(request).upkeep.formats()
    listed = [{"format": one, "versions": found[one], "known": 1 <= one <= FORMAT} for one in sorted(found)]
    return answer({"current": FORMAT, "formats": listed})


@router.post(
    "/workflow/state/upgrade",
    operation_id="upgrade_formats",
    response_model=UpgradeAnswer,
    responses={**problems(400, 413, 422), 200: example(examples_upkeep.UPGRADED)},
    openapi_extra=body(UpgradeRequest, {"dry_run": True}, required=False),
)
async def upgrade(request: Request) -> Response:
    """Write a batch of versions of old formats in the newest one; nothing has to be stopped for it."""
    wanted = await read(request, UpgradeRequest, empty=True)
    thread_id, version = cursors.decode(wanted.cursor, str, int) if wanted.cursor is not None else ("", 0)
    done = await services_of(request).upkeep.upgrade(
        (thread_id, min(version, 2**31 - 1)), wanted.limit, dry_run=wanted.dry_run
    )
    return answer(
        {
            "dry_run": wanted.dry_run,
            "current": FORMAT,
            "checked": done.seen,
            "upgraded": done.upgraded,
            "damaged": done.damaged,
            "next_cursor": None if done.after is None else cursors.encode(*done.after),
        }
    )


def _statuses(wanted: MigrateRequest) -> frozenset[Status]:
    """Raises InvalidRequest for what is no status."""
    if wanted.statuses is None:
        return frozenset(Status) - {Status.COMPLETED} if wanted.thread_ids is not None else USUAL
    problems = [
        Problem(f"/statuses/{place}", "is no status of a thread")
        for place, one in enumerate(wanted.statuses)
        if one not in set(Status)
    ]
    if problems:
        raise InvalidRequest(f"{problems[0].pointer}: {problems[0].message}", problems=problems)
    return frozenset(Status(one) for one in wanted.statuses)


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "thread_id": one.thread_id,
        "status": None if one.status is None else one.status.value,
        "from_version": one.from_version,
        "can_move": not one.reasons,
        "moved": one.execution_id is not None,
        "execution_id": one.execution_id,
        "reasons": [reason.value() for reason in one.reasons],
    }
