"""Fork: new threads with the state that another thread had at a version."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import examples_fork, idempotency
from app.api.answers import answer, known_form
from app.api.openapi import body, example, problems
from app.api.parsing import check, read_json
from app.api.requests import ForkRequest, VariantRequest
from app.api.schemas_fork import ForkedAnswer
from app.api.services import services_of
from app.api.steer import overrides_of
from app.domain.commands import ForkCommand, Variant
from app.domain.errors import InvalidRequest, Problem
from app.domain.views.status import links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.api.services import Services
    from app.domain.commands import Fork, Forked

router: Final = APIRouter(tags=["fork"])
_EXAMPLE: Final = {
    "version": 2,
    "variants": [{"name": "a"}, {"name": "b", "overrides": {"marketer": {"agent": "marketer-v2"}}}],
}
_DOCUMENTED: Final[dict[str, Any]] = {
    **body(ForkRequest, _EXAMPLE, required=False),
    "parameters": [idempotency.HEADER],
}


@router.post(
    "/invoke/fork/{thread_id}",
    operation_id="invoke_fork",
    status_code=202,
    response_model=ForkedAnswer,
    responses={
        **problems(404, 400, 409, 413, 422, 429, version_not_found="thread 0199... has no version 9"),
        202: example(examples_fork.FORKED),
    },
    openapi_extra=_DOCUMENTED,
)
async def fork(thread_id: str, request: Request) -> Response:
    """Make new threads with the state of a version: one for each variant, which may do things otherwise."""
    services = services_of(request)
    value = await read_json(request, empty=True)
    wanted = check(ForkRequest, value)
    key = idempotency.key_of(request)
    command = ForkCommand(
        thread_id=known_form(thread_id),
        version=wanted.version,
        variants=_variants(wanted.variants or [VariantRequest()]),
        resume=wanted.resume,
        reason=wanted.reason,
        triggered_by=wanted.triggered_by,
        idempotency_key=key,
        request_sha256=idempotency.digest(key, f"/invoke/fork/{thread_id}", value),
    )
    return _answer(services, await services.control.fork(command))


def _variants(wanted: Sequence[VariantRequest]) -> list[Variant]:
    """Those without a name get a letter.  Raises InvalidRequest for two of one name or one thread id."""
    found = [
        Variant(
            name=one.name or ascii_lowercase[place],
            overrides=overrides_of(one.overrides),
            context=one.context or {},
            thread_id=one.thread_id,
        )
        for place, one in enumerate(wanted)
    ]
    ids = [variant.thread_id for variant in found if variant.thread_id is not None]
    for field, given in (("name", [variant.name for variant in found]), ("thread_id", ids)):
        twice = {one for one in given if given.count(one) > 1}
        if twice:
            told = f"two variants have the {field} {min(twice)!r}"
            raise InvalidRequest(f"/variants: {told}", problems=[Problem("/variants", told)])
    return found


def _answer(services: Services, forked: Forked) -> Response:
    made = [fork for fork in forked.forks if fork.accepted is not None]
    document: dict[str, Any] = {
        "thread_id": forked.thread_id,
        "version": forked.version,
        "forks": [_document(fork) for fork in made],
        "failed": [
            {"variant": fork.variant.name, "code": fork.error.code, "detail": fork.error.message}
            for fork in forked.forks
            if fork.error is not None
        ],
        "durable": services.durable,
    }
    headers: dict[str, str] = {}
    if len(made) == 1:
        headers["Location"] = _document(made[0])["links"]["status"]
    if all(fork.accepted is not None and fork.accepted.replayed for fork in forked.forks):
        headers["Idempotency-Replayed"] = "true"
    return answer(document, 202, headers)


def _document(fork: Fork) -> dict[str, Any]:
    assert fork.accepted is not None
    thread = fork.accepted.thread
    return {
        "variant": fork.variant.name,
        "thread_id": thread.thread_id,
        "execution_id": fork.accepted.execution_id,
        "status": thread.status.value,
        "version": thread.head_version,
        "links": links(thread.thread_id),
    }
