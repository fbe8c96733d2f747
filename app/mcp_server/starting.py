"""The tools that start a workflow and tell where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Answer, Call, Document
from app.mcp_server.wording import next_text, status_text

if TYPE_CHECKING:
    from app.mcp_server.arguments import InvokeAsync, InvokeStatus


async def invoke_async(call: Call, given: InvokeAsync) -> Answer:
    """Start, and answer at once."""
    fields = given.given("input", "thread_id", "context", "queue", "priority", "delay")
    fields["triggered_by"] = given.triggered_by or "mcp"
    key = given.idempotency_key or call.key
    return started(await call.service.invoke(given.workflow, idempotency_key=key, **fields))


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
