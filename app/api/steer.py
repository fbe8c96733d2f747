"""Steer: resume, roll back, cancel and pause a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples, examples_steps
from app.api.answers import accepted, answer, known_form
from app.api.documents import status_of
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests_steer import CancelRequest, CheckpointRequest, PauseRequest, ResumeRequest, RollbackRequest
from app.api.schemas import CheckpointAnswer, ResumedAnswer, RolledBackAnswer, StatusDocument
from app.api.schemas_steps import PreviewAnswer, ResumePreviewAnswer
from app.api.services import services_of
from app.domain.commands import ResumeCommand, RollbackCommand, StepOverride
from app.domain.spec import Limits
from app.domain.views.status import links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.api.requests import OverrideRequest
    from app.api.requests_steer import LimitsRequest
    from app.api.services import Services

router: Final = APIRouter(tags=["steer"])
_PROBLEMS: Final = problems(400, 404, 409, 413, 422)


@router.post(
    "/invoke/resume/{thread_id}",
    operation_id="invoke_resume",
    status_code=202,
    response_model=ResumedAnswer,
    responses={
        **_PROBLEMS,
        200: {
            "model": ResumedAnswer | ResumePreviewAnswer,
            "description": "It had completed; nothing to do. Or a dry run: nothing has changed",
            **example(examples_steps.RESUME_PREVIEW),
        },
        202: example(examples.RESUMED),
    },
    openapi_extra=body(ResumeRequest, {"overrides": {"marketer": {"agent": "marketer-v2"}}}, required=False),
)
async def resume(thread_id: str, request: Request) -> Response:
    """Go on from the head: nothing that completed runs again unless `from_step` names it.

    With `dry_run` nothing changes: the answer is 200 and tells what would run.
    """
    services = services_of(request)
    wanted = await read(request, ResumeRequest, empty=True)
    command = ResumeCommand(
        thread_id=known_form(thread_id),
        from_step=wanted.from_step,
        skip=wanted.skip or {},
        overrides=overrides_of(wanted.overrides),
        limits=_limits(wanted.limits),
        expected_version=wanted.expected_version,
        triggered_by=wanted.triggered_by,
    )
    if wanted.dry_run:
        return await _resume_ahead(services, command)
    given = await services.control.resume(command)
    status = 200 if given.nothing_to_do else 202
    start = given.thread.head_version if given.from_version is None else given.from_version
    return accepted(services, given, status, resumed_from_version=start)


@router.post(
    "/invoke/rollback/{thread_id}",
    operation_id="invoke_rollback",
    status_code=202,
    response_model=RolledBackAnswer,
    responses={
        **problems(404, 400, 409, 413, 422, version_not_found="no version 9: the thread has 1 to 4"),
        200: {
            "model": PreviewAnswer,
            "description": "A dry run: nothing has changed",
            **example(examples_steps.PREVIEW),
        },
        202: example(examples.ROLLED_BACK),
    },
    openapi_extra=body(RollbackRequest, {"to_version": 2, "reason": "better wording"}),
)
async def rollback(thread_id: str, request: Request) -> Response:
    """Move the head to a version and run on from there; later versions stay in the history.

    With `dry_run` nothing changes: the answer is 200 and tells what would be undone.
    """
    services = services_of(request)
    wanted = await read(request, RollbackRequest)
    command = RollbackCommand(
        thread_id=known_form(thread_id),
        to_version=wanted.to_version,
        resume=wanted.resume,
        compensate=wanted.compensate,
        reason=wanted.reason,
        context=wanted.context or {},
        overrides=overrides_of(wanted.overrides),
        expected_version=wanted.expected_version,
        triggered_by=wanted.triggered_by,
    )
    if wanted.dry_run:
        return await _rollback_ahead(services, command)
    given = await services.control.rollback(command)
    moved = {"rolled_back_to_version": wanted.to_version, "rolled_back_from_version": given.from_version}
    return accepted(services, given, 202, **moved)


@router.post(
    "/invoke/cancel/{thread_id}",
    operation_id="invoke_cancel",
    status_code=202,
    response_model=StatusDocument,
    responses={
        **problems(409, 400, 404, 413, 422, thread_ended="the thread has completed"),
        202: example({**examples.STATUS, "status": "cancelled"}),
    },
    openapi_extra=body(CancelRequest, {"reason": "no longer needed"}, required=False),
)
async def cancel(thread_id: str, request: Request) -> Response:
    """Stop a thread for good; what it has done is kept."""
    services = services_of(request)
    wanted = await read(request, CancelRequest, empty=True)
    thread = await services.control.cancel(known_form(thread_id), wanted.reason, force=wanted.force)
    return answer(await status_of(services, thread), 202, {"Location": links(thread_id)["status"]})


@router.post(
    "/invoke/pause/{thread_id}",
    operation_id="invoke_pause",
    status_code=202,
    response_model=StatusDocument,
    responses={**_PROBLEMS, 202: example({**examples.STATUS, "status": "paused"})},
    openapi_extra=body(PauseRequest, {}, required=False),
)
async def pause(thread_id: str, request: Request) -> Response:
    """Let running steps end and start no further one; resume goes on."""
    services = services_of(request)
    await read(request, PauseRequest, empty=True)
    thread = await services.control.pause(known_form(thread_id))
    return answer(await status_of(services, thread), 202, {"Location": links(thread_id)["status"]})


@router.post(
    "/invoke/checkpoint/{thread_id}",
    operation_id="invoke_checkpoint",
    response_model=CheckpointAnswer,
    responses={**problems(404, 400, 413, 422), 200: example({"thread_id": examples.THREAD, "version": 3})},
    openapi_extra=body(CheckpointRequest, {}, required=False),
)
async def checkpoint(thread_id: str, request: Request) -> Response:
    """Show the thread's present head from now on, whatever its checkpoint policy; it runs on undisturbed."""
    services = services_of(request)
    await read(request, CheckpointRequest, empty=True)
    version = await services.control.checkpoint(known_form(thread_id))
    return answer({"thread_id": thread_id, "version": version})


def overrides_of(given: Mapping[str, OverrideRequest] | None) -> dict[str, StepOverride]:
    """Overrides as the engine takes them."""
    return {name: StepOverride(agent=one.agent, input=one.input or {}) for name, one in (given or {}).items()}


def _limits(given: LimitsRequest | None) -> Limits | None:
    if given is None:
        return None
    return Limits(max_cost_usd=given.max_cost_usd, max_tokens=given.max_tokens, deadline=given.deadline)


async def _rollback_ahead(services: Services, command: RollbackCommand) -> Response:
    found = await services.control.ahead.rollback(command)
    document = {
        "thread_id": command.thread_id,
        "from_version": found.thread.head_version,
        "to_version": command.to_version,
        "status": found.status.value,
        "undone": [one.value() for one in found.undone],
        "irreversible": found.irreversible,
        "compensations": found.compensations,
        "kept": found.kept,
        "runs_again": found.run,
    }
    return answer(document)


async def _resume_ahead(services: Services, command: ResumeCommand) -> Response:
    found = await services.control.ahead.resume(command)
    document = {
        "thread_id": command.thread_id,
        "status": found.status.value,
        "resumed_from_version": found.thread.head_version,
        "would_run": found.run,
        "kept": found.kept,
        "skipped": found.skipped,
        "compensations": found.compensations,
        "again": [one.value() for one in found.undone],
        "irreversible": found.irreversible,
    }
    return answer(document)
