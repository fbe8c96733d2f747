"""Answers as ready bytes: FastAPI documents their models but does not serialise them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from app.domain.errors import NotFound
from app.domain.ids import THREAD_ID
from app.domain.views.common import encode
from app.domain.views.status import links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.api.services import Services
    from app.domain.commands import Accepted
    from app.domain.records import ThreadRecord


def answer(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(encode(document), status_code=status, media_type="application/json", headers=headers)


def accepted(services: Services, given: Accepted, status: int, **more: int | None) -> Response:
    """The answer to a start, resume or rollback, with the place of the status document."""
    thread = given.thread
    where = links(thread.thread_id)
    document = {
        "thread_id": thread.thread_id,
        "execution_id": given.execution_id,
        "status": thread.status.value,
        **more,
        "durable": services.durable,
        "links": where,
    }
    headers = {"Location": where["status"]}
    if given.replayed:
        headers["Idempotency-Replayed"] = "true"
    return answer(document, status, headers)


async def thread_of(services: Services, thread_id: str) -> ThreadRecord:
    """The thread's row.  Raises NotFound; what cannot be an id is not looked up."""
    thread = await services.reads.thread(known_form(thread_id))
    if thread is None:
        raise no_thread(thread_id)
    return thread


def known_form(thread_id: str) -> str:
    """`thread_id` if a thread can have it.  Raises NotFound."""
    if THREAD_ID.match(thread_id) is None:
        raise no_thread(thread_id)
    return thread_id


def no_thread(thread_id: str) -> NotFound:
    """There is no such thread."""
    return NotFound(f"no thread {thread_id[:128]!r}", code="thread_not_found")
