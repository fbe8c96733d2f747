"""From errors to what a model can do next: the problem of the API as a tool's error, with a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.client import ApiError, ClientError, UnreachableError
from app.mcp_server.calling import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN: Final = 10
_HINTS: Final[Mapping[str, str]] = {
    "workflow_not_found": "Read the resource backstitch://workflows for the registered workflows, or pass a whole document.",
    "thread_not_found": "Check the thread_id; workflow_monitor lists those that run, the resource backstitch://threads all.",
    "version_not_found": "Call invoke_history for the versions that there are.",
    "version_conflict": "The thread has moved on: call invoke_status, then decide again with the present version.",
    "thread_running": "Follow it with invoke_stream, or stop it with invoke_cancel first.",
    "thread_exists": "Choose another thread_id, or leave it out.",
    "thread_ended": "It has ended: invoke_status tells how, invoke_resume or invoke_rollback goes on from there.",
    "invalid_input": "Correct the input where the problems point to; the workflow's input schema is in its definition.",
    "invalid_workflow": "Correct the document where the problems point to.",
    "invalid_request": "Correct the arguments that are named.",
    "idempotency_key_reused": "This key belongs to another start: use a new key for other arguments.",
    "idempotency_key_in_flight": "The same start is under way: call again with the same key in a second.",
    "gate_not_found": "Call gate_answer with the thread_id alone: it lists the gates that are open.",
    "gate_answered": "It has its answer already; go on with invoke_stream.",
    "gate_closed": "It does not wait any more; call invoke_status to see where the thread stands.",
    "gate_ambiguous": "Several items ask: name one by `item`.",
    "invalid_topic": "Name a topic of words with dots between, `orders.paid` say, and none of those of the service itself.",
    "signals_full": "Nothing in this thread takes its signals: look at it with invoke_status.",
    "body_too_large": "Give less, or a reference to where the rest is.",
    "queue_full": "Too many threads wait in this queue: try again later, or use another queue.",
    "output_too_large": "Have the step give less, or a reference to where it is.",
    "state_too_large": "Read single steps instead: GET /api/workflow/execution/{id} of the HTTP API.",
    "step_not_found": "Call invoke_status for the steps of this thread.",
    "state_corrupt": "Stored state is damaged: a person should look (backstitch workflow state verify).",
    "unavailable": "The service cannot work now: try the same call again in a few seconds.",
    "unreachable": "The service does not answer: try the same call again in a few seconds; nothing is lost.",
    "internal_error": "This is a fault of the service; its log has more under the reference.",
}


def refused(error: ClientError | Refused) -> Refused:
    """Any error of the client, in the form that tools refuse in."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnreachableError):
        return Refused("unreachable", str(error), _HINTS["unreachable"])
    if not isinstance(error, ApiError):
        return Refused("internal_error", str(error), _HINTS["internal_error"])
    code = error.code or f"http_{error.status}"
    kept = ("type", "title", "status", "code", "detail", "instance")
    more = {name: value for name, value in error.problem.items() if name not in kept}
    return Refused(code, error.detail or error.title, _HINTS.get(code, ""), **more)


def told(error: Refused) -> str:
    """The error as text: its code and detail, the problems one by one, what to do."""
    lines = [f"{error.code}: {error.detail}"]
    lines += [f"- {one.get('pointer') or '(whole)'}: {one.get('message')}" for one in _problems(error)]
    if "open_gates" in error.more:
        lines += ["Open gates:", *map(str, error.more["open_gates"])]
    if error.hint:
        lines.append(f"What to do: {error.hint}")
    return "\n".join(lines)


def _problems(error: Refused) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = error.more.get("problems") or []
    return found[:_SHOWN]
