"""Verify and repair: whether what is stored of a thread is what was written, and making it fit to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples
from app.api.answers import answer, known_form
from app.api.openapi import example, problems
from app.api.schemas_repair import RepairAnswer, VerifyAnswer
from app.api.services import services_of
from app.domain import jsontext
from app.domain.events import STATE_QUARANTINED
from app.domain.views.common import when

if TYPE_CHECKING:
    from collections.abc import Collection

    from app.domain.integrity import Finding, Quarantined
    from app.domain.views.common import Document

router: Final = APIRouter(tags=["repair"])

_FINDING: Final = {
    "kind": "output",
    "version": None,
    "step_id": "analyst",
    "run_id": examples.THREAD,
    "execution_id": examples.EXECUTION,
    "problem": "its text is not the one that was written (SHA-256)",
    "quarantined": True,
}
_QUARANTINED: Final = {
    "id": "3a52ce78-0963-5b0e-8cb1-d8d0b6f6c1c5",
    **{name: value for name, value in _FINDING.items() if name != "quarantined"},
    "expected_sha256": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    "stored": '{"score":0.1}',
    "found_at": "2026-11-21T09:30:00.123Z",
}
_VERIFIED: Final = {
    "thread_id": examples.THREAD,
    "status": "failed",
    "valid": False,
    "head_version": 3,
    "head_valid": False,
    "versions": {"checked": 3, "valid": [1]},
    "findings": [_FINDING],
    "quarantined": [_QUARANTINED],
}
_REPAIRED: Final = {
    "thread_id": examples.THREAD,
    "execution_id": examples.EXECUTION,
    "status": "failed",
    "repaired": True,
    "from_version": 3,
    "to_version": 3,
    "reruns": ["analyst"],
    "findings": [_FINDING],
}


@router.get(
    "/invoke/verify/{thread_id}",
    operation_id="invoke_verify",
    response_model=VerifyAnswer,
    responses={**problems(404), 200: example(_VERIFIED)},
)
async def verify(thread_id: str, request: Request) -> Response:
    """Check every version and every value of a thread against its digest; nothing is changed."""
    report = await services_of(request).inspector.verify(known_form(thread_id))
    thread, known = report.thread, {item.id for item in report.quarantined}
    return answer(
        {
            "thread_id": thread.thread_id,
            "status": thread.status.value,
            "valid": not report.findings,
            "head_version": thread.head_version,
            "head_valid": report.fit,
            "versions": {"checked": report.checked, "valid": report.sound},
            "findings": [_finding(one, known) for one in report.findings],
            "quarantined": [_quarantined(item) for item in report.quarantined],
        }
    )


@router.post(
    "/invoke/repair/{thread_id}",
    operation_id="invoke_repair",
    response_model=RepairAnswer,
    responses={
        **problems(409, 404, thread_running=f"thread {examples.THREAD} is running and being driven: pause it first"),
        200: example(_REPAIRED),
    },
)
async def repair(thread_id: str, request: Request) -> Response:
    """Put aside what is damaged; move the head to the last sound version where its own is not."""
    services = services_of(request)
    before = await services.inspector.verify(known_form(thread_id))
    thread, written = await services.inspector.repair(thread_id)
    told: dict[str, Any] = {"from_version": thread.head_version, "to_version": thread.head_version, "reruns": []}
    if written is not None:
        event = next(one for one in written.events if one.name == STATE_QUARANTINED)
        told = jsontext.loads(event.data)
    known = {item.id for item in await services.reads.quarantined(thread_id)}
    return answer(
        {
            "thread_id": thread.thread_id,
            "execution_id": thread.execution_id,
            "status": thread.status.value,
            "repaired": written is not None,
            **{name: told[name] for name in ("from_version", "to_version", "reruns")},
            "findings": [_finding(one, known) for one in before.findings],
        }
    )


def _finding(finding: Finding, known: Collection[str]) -> Document:
    return {**_where(finding), "problem": finding.problem, "quarantined": finding.id in known}


def _quarantined(item: Quarantined) -> Document:
    finding = item.finding
    return {
        "id": item.id,
        **_where(finding),
        "problem": finding.problem,
        "expected_sha256": finding.expected.hex() if finding.expected is not None else None,
        "stored": finding.stored,
        "found_at": when(item.found_at),
    }


def _where(finding: Finding) -> Document:
    return {
        "kind": finding.kind,
        "version": finding.version,
        "step_id": finding.step_id,
        "run_id": finding.run_id,
        "execution_id": finding.execution_id,
    }
