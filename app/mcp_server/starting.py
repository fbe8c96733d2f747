"""The tools that start a workflow and tell where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.client import ApiError
from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Answer, Call, Document, Refused
from app.mcp_server.hints import refused
from app.mcp_server.lenient import either, unpacked
from app.mcp_server.wording import next_text, status_text

if TYPE_CHECKING:
    from app.mcp_server.arguments import InvokeAsync, InvokeStatus

_NAMES: Final = 30
"""Workflows that are named to who asks for one that is not there."""


async def invoke_async(call: Call, given: InvokeAsync) -> Answer:
    """Start, and answer at once."""
    fields = given.given("input", "thread_id", "context", "queue", "priority", "delay")
    fields["triggered_by"] = given.triggered_by or "mcp"
    workflow, key = unpacked(given.workflow), given.idempotency_key or call.key

    async def start(value: Any) -> Any:
        more = {**fields, "input": value} if "input" in fields else fields
        return await call.service.invoke(workflow, idempotency_key=key, **more)

    try:
        return started(await either(given.input, start))
    except ApiError as error:
        if error.code == "workflow_not_found":
            raise await _with_names(call, refused(error)) from error
        raise


async def _with_names(call: Call, error: Refused) -> Refused:
    """The refusal, with the names that would do: many clients show their models no resources."""
    page = await call.service.workflows.list(limit=_NAMES + 1)
    names = [str(one["name"]) for one in page["workflows"]]
    if not names:
        return error
    more = ", and more" if len(names) > _NAMES else ""
    known = f"Registered are {', '.join(names[:_NAMES])}{more}; the resource backstitch://workflows/NAME tells of each."
    hint = f"{known} Or pass a whole document."
    return Refused(error.code, error.detail, hint, **error.more)


def started(accepted: Document) -> Answer:
    """The answer to a start."""
    thread_id, estimate = accepted["thread_id"], accepted.get("estimated_duration_ms")
    lasts = "how long it takes is not known" if estimate is None else f"it is likely to take {estimate / 1000:g} s"
    kept = "" if accepted.get("durable", True) else " It is NOT durable: the service keeps nothing."
    text = f"Thread {thread_id} is {accepted['status']}; {lasts}.{kept}\n{next_text(accepted['status'], thread_id)}"
    return Answer(accepted, text)


async def invoke_status(call: Call, given: InvokeStatus) -> Answer:
    """The status document."""
    status = await fitting_status(await call.service.status(given.thread_id))
    return Answer(status, f"{status_text(status)}\n{next_text(status['status'], given.thread_id)}")
