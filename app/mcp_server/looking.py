"""The tools that look back, and around: history, states, and what is going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.client.polling import Polling
from app.mcp_server.bounds import fitting_state
from app.mcp_server.calling import Answer, Call, Document
from app.mcp_server.wording import compact, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.mcp_server.arguments import InvokeHistory, WorkflowMonitor

_ADVICE: Final[Mapping[str, str]] = {
    "gate": "answer it with gate_answer",
    "retrying": "it tries again by itself; if it keeps failing, invoke_resume with skip or overrides after it has failed",
    "breaker_open": "its agent is left alone for a while and then tried again; invoke_resume with another agent in overrides",
    "agent_disabled": "somebody must enable the agent, or give the step another one (overrides of invoke_resume)",
    "queue_full": "it starts when a thread of its queue ends; cancel what is not needed, or raise the queue's limit",
    "queue_held": "somebody must raise the limit of its queue",
    "queued": "it is taken up when a slot is free",
    "delayed": "it starts by itself at that time",
    "paused": "let it run on with invoke_resume",
    "sleeping": "it goes on by itself at that time",
    "sub_workflow": "look at the child thread",
    "no_progress": "its step takes long: follow it with invoke_stream, or stop it with invoke_cancel",
    "service": "the service must be mended first: nothing runs meanwhile, and nothing is lost",
}


async def invoke_history(call: Call, given: InvokeHistory) -> Answer:
    """The versions of a thread, or the whole state at one of them."""
    if given.version is not None:
        where = f"/api/invoke/history/{quote(given.thread_id, safe='')}/{given.version}"
        state = await fitting_state(await call.service.request("GET", where))
        return Answer({"thread_id": given.thread_id, "state": state}, compact(state, 8_000))
    fields = given.given("cursor", "from_version", "to_version", "step")
    page = await call.service.history(given.thread_id, limit=given.limit, **fields)
    lines = [f"Thread {given.thread_id}, at version {page['head_version']}:"]
    lines += [_version(entry) for entry in page["history"]]
    if page["next_cursor"] is not None:
        lines.append(f"There are more: call again with cursor={page['next_cursor']!r}.")
    lines.append("invoke_rollback goes back to a version; invoke_history with `version` tells its whole state.")
    return Answer(page, "\n".join(lines))


def _version(entry: Document) -> str:
    left = "" if entry.get("on_timeline", True) else ", left behind by a rollback"
    done = ", ".join(entry["completed_steps"]) or "nothing"
    return f"- {entry['version']}: written by {entry['current_step']} at {entry['created_at']}; done: {done}{left}"


async def workflow_monitor(call: Call, given: WorkflowMonitor) -> Answer:
    """The threads that have not ended, and why those that stand still do."""
    page = await Polling(call.service).monitor(
        workflow=given.workflow, stuck_after=given.stuck_after, limit=given.limit
    )
    for thread in page["threads"]:
        for reason in thread["why"]:
            reason["advice"] = _advice(thread["thread_id"], reason)
    stuck = [thread["thread_id"] for thread in page["threads"] if thread["stuck"]]
    counts = ", ".join(f"{count} {status}" for status, count in page["counts"].items())
    lines = [f"Threads that have not ended: {counts}; {len(stuck)} stuck."]
    if not page["service"]["able"]:
        lines.append(f"THE SERVICE CANNOT WORK NOW: {page['service']['detail']}")
    lines += [_thread(thread) for thread in page["threads"]]
    if page["more"]:
        lines.append("There are more; ask with a larger limit, or for one workflow.")
    return Answer({**page, "stuck": stuck}, "\n".join(lines))


def _advice(thread_id: str, reason: Document) -> str:
    if reason.get("signal"):
        return f"when it is time, message_send(thread_id={thread_id!r}, signal={reason['signal']!r}) sends it"
    if reason.get("topic"):
        return "when it is time, message_send publishes one on such a topic"
    return _ADVICE.get(reason["reason"], "")


def _thread(thread: Document) -> str:
    at = f" at {', '.join(thread['current_steps'])}" if thread["current_steps"] else ""
    mark = "STUCK " if thread["stuck"] else ""
    head = (
        f"- {mark}{thread['thread_id']} ({thread['workflow']}) {thread['status']}{at}, "
        f"{percent(thread['progress'])}, last moved {thread['idle_ms'] / 1000:.0f} s ago"
    )
    return "\n".join([head, *(f"    {_reason(reason)}" for reason in thread["why"])])


def _reason(reason: Document) -> str:
    step = f" ({reason['step_id']})" if reason.get("step_id") else ""
    until: Any = f", until {reason['until']}" if reason.get("until") else ""
    return f"{reason['reason']}{step}: {reason['detail']}{until}. {reason['advice']}".rstrip(" .") + "."
