"""The tools that steer a thread: resume, roll back, cancel, answer a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.client import ApiError
from app.client.gates import Gates
from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Answer, Call, Document, Refused
from app.mcp_server.hints import refused
from app.mcp_server.lenient import either
from app.mcp_server.wording import compact, gate_line, next_text, status_text

if TYPE_CHECKING:
    from app.mcp_server.arguments import GateAnswer, InvokeCancel, InvokeResume, InvokeRollback, Override

_UNFIT: Final = frozenset({"invalid_input", "gate_not_found", "gate_ambiguous", "invalid_request"})
"""What an answer can be refused for that the list of open gates helps with."""


async def invoke_resume(call: Call, given: InvokeResume) -> Answer:
    """Go on with what has not completed."""
    fields = given.given("from_step", "skip", "expected_version")
    fields |= {"overrides": _overrides(given.overrides), "triggered_by": given.triggered_by or "mcp"}
    found = await call.service.resume(given.thread_id, **fields)
    text = f"Thread {given.thread_id} goes on from version {found['resumed_from_version']}: {found['status']}."
    return Answer(found, f"{text}\n{next_text(found['status'], given.thread_id)}")


async def invoke_rollback(call: Call, given: InvokeRollback) -> Answer:
    """Move the head, or tell what that would undo."""
    fields = given.given("dry_run", "resume", "compensate", "reason", "context", "expected_version")
    fields |= {"overrides": _overrides(given.overrides), "triggered_by": "mcp"}
    found = await call.service.rollback(given.thread_id, given.to_version, **fields)
    if given.dry_run:
        return Answer({"dry_run": True, **found}, _preview(found))
    text = (
        f"Thread {given.thread_id} is back at version {found['rolled_back_to_version']} "
        f"(from {found['rolled_back_from_version']}): {found['status']}."
    )
    return Answer({"dry_run": False, **found}, f"{text}\n{next_text(found['status'], given.thread_id)}")


def _preview(found: Document) -> str:
    lines = [f"Nothing has changed. From version {found['from_version']} to {found['to_version']}:"]
    lines += [f"- undone: {compact(one, 300)}" for one in found["undone"]]
    lines.append(f"- runs again: {', '.join(found['runs_again']) or 'nothing'}")
    if found["irreversible"]:
        lines.append(f"- cannot be undone: {', '.join(found['irreversible'])}")
    return "\n".join([*lines, "Call invoke_rollback again without dry_run to do it."])


async def invoke_cancel(call: Call, given: InvokeCancel) -> Answer:
    """Stop for good."""
    status = await fitting_status(await call.service.cancel(given.thread_id, **given.given("reason", "force")))
    return Answer(status, f"{status_text(status)}\nWhat it has done is kept; invoke_resume takes it up again.")


async def gate_answer(call: Call, given: GateAnswer) -> Answer:
    """Answer a gate; without a step, list those that are open."""
    if given.step_id is None:
        return await _listed(call, given)
    if "answer" not in given.model_fields_set:
        raise await _with_gates(call, given, Refused("invalid_arguments", "answer is required with step_id"))
    fields: dict[str, Any] = {**given.given("by", "item", "round"), "via": "mcp"}
    try:
        gates, step_id = Gates(call.service), given.step_id
        found = await either(given.answer, lambda value: gates.answer(given.thread_id, step_id, value, **fields))
    except ApiError as error:
        if error.code in _UNFIT:
            raise await _with_gates(call, given, refused(error)) from error
        raise
    text = f"Step {given.step_id} of thread {given.thread_id} has its answer."
    document = {"thread_id": given.thread_id, "answered": True, "step_id": given.step_id, "status": found["status"]}
    return Answer({**document, "open_gates": []}, f"{text}\n{next_text('running', given.thread_id)}")


async def _listed(call: Call, given: GateAnswer) -> Answer:
    gates = await open_gates(call, given.thread_id)
    status = await call.service.status(given.thread_id)
    document = {"thread_id": given.thread_id, "answered": False, "step_id": None, "status": status["status"]}
    if not gates:
        text = f"No gate of thread {given.thread_id} waits for an answer; it is {status['status']}."
        return Answer({**document, "open_gates": []}, f"{text}\n{next_text(status['status'], given.thread_id)}")
    lines = [f"- {gate_line(gate)}" for gate in gates]
    text = "\n".join(["Nothing was answered. Open gates:", *lines, "Call gate_answer again with step_id and answer."])
    return Answer({**document, "open_gates": gates}, text)


async def open_gates(call: Call, thread_id: str) -> list[Document]:
    """The gates of a thread that can be answered, as the API tells of them."""
    page = await Gates(call.service).of(thread_id, limit=200)
    return [gate for gate in page["gates"] if gate["status"] == "open"]


async def _with_gates(call: Call, given: GateAnswer, error: Refused) -> Refused:
    """The error, and which gates there are to answer."""
    try:
        gates = await open_gates(call, given.thread_id)
    except ApiError:
        return error
    hint = "Answer an open gate in the form that it asks for."
    lines = [f"- {gate_line(gate)}" for gate in gates] or ["- none"]
    return Refused(error.code, error.detail, hint, **{**error.more, "open_gates": lines})


def _overrides(given: dict[str, Override] | None) -> Document | None:
    return None if given is None else {name: one.model_dump(exclude_unset=True) for name, one in given.items()}
