"""Threads as tasks of the extension io.modelcontextprotocol/tasks (SEP-2663, revision 2026-07-28): the task is the thread.

tasks/get tells how it stands with its result, tasks/update answers gates, tasks/cancel cancels.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from app.client import ApiError
from app.client.gates import Gates
from app.domain.times import rfc3339
from app.mcp_server.bounds import fitting_status
from app.mcp_server.calling import Call, Document, Refused
from app.mcp_server.hints import told
from app.mcp_server.reading import sound
from app.mcp_server.steering import open_gates
from app.mcp_server.wording import compact, percent
from app.mcp_server.workflows import outcome

if TYPE_CHECKING:
    from app.mcp_server.calling import Answer

EXTENSION: Final = "io.modelcontextprotocol/tasks"
_POLL_MS: Final = 1_000
_ASKING_POLL_MS: Final = 5_000
_PLAIN: Final = frozenset({"string", "number", "integer", "boolean"})
_VERSION_7: Final = 7
_OVER: Final = frozenset({"completed", "failed", "interrupted"})


async def task_of(call: Call, thread_id: str, *, may_ask: bool) -> Document:
    """The task as tasks/get tells of it; `may_ask`: the client can ask its user.  Raises ClientError."""
    status = await fitting_status(await call.service.status(thread_id))
    task = seed(status)
    if task["status"] == "completed":
        return {**task, "result": _result(status)}
    if status["status"] != "waiting":
        return task
    gates = await open_gates(call, thread_id)
    if gates and may_ask:
        requests = {key_of(gate): _request(gate) for gate in gates}
        return {**task, "status": "input_required", "pollIntervalMs": _ASKING_POLL_MS, "inputRequests": requests}
    if gates:
        task["statusMessage"] += f"; step {gates[0]['step_id']} waits for an answer: call the tool gate_answer"
    return task


def seed(status: Document) -> Document:
    """What every task tells of itself, from the status document of its thread.

    A workflow that failed is a tool call that completed with an error: `failed` is for faults of the protocol alone.
    """
    state = status["status"]
    known = "completed" if state in _OVER else "cancelled" if state == "cancelled" else "working"
    return {
        "taskId": status["thread_id"],
        "status": known,
        "statusMessage": f"{status['workflow']} is {state}, {percent(status['progress'])} done",
        "createdAt": _created(status),
        "lastUpdatedAt": status["last_update"],
        "ttlMs": None,
        "pollIntervalMs": _POLL_MS,
    }


async def update(call: Call, thread_id: str, responses: Document) -> None:
    """Answer the gates whose requests the client has put to its user.  Raises ClientError.

    A key that is not open any more is passed over, and so is a user who declined: the question stays open.
    """
    given = await sound(responses) or {}
    for gate in await open_gates(call, thread_id):
        content = _content(given.get(key_of(gate)))
        if content is None:
            continue
        answer = _answer(gate, content)
        which = {"item": gate.get("item"), "round": gate.get("round")}
        try:
            await Gates(call.service).answer(thread_id, gate["step_id"], answer, via="mcp", **which)
        except ApiError as error:
            if error.code not in {"gate_answered", "gate_closed", "gate_not_found"}:
                raise


def _content(response: Any) -> Document | None:
    """What a user filled in; None for one who declined.  Raises Refused."""
    given = cast("Document", response) if isinstance(response, dict) else {}
    if given.get("action") != "accept":
        return None
    content: Any = given.get("content")
    if content is None or isinstance(content, dict):
        return cast("Document", content or {})
    raise Refused("invalid_arguments", "the content of an answer should be an object: what the form asks for by name")


def key_of(gate: Document) -> str:
    """What names a question for good: one that is asked anew, after a rollback say, was opened at another time."""
    return f"{gate['step_id']}/{gate.get('item')}/{gate.get('round')}/{gate['opened_at']}"


def content_of(answer: Answer) -> Document:
    """A tool's answer as the result of a call."""
    return {
        "content": [{"type": "text", "text": answer.text}],
        "structuredContent": answer.document,
        "isError": False,
    }


def _result(status: Document) -> Document:
    try:
        return content_of(outcome(status, status["last_seq"]))
    except Refused as error:
        return {"content": [{"type": "text", "text": told(error)}], "isError": True}


def _created(status: Document) -> str:
    """When the thread was made: its id says so if the service has chosen it."""
    try:
        found = UUID(status["thread_id"])
        if found.version == _VERSION_7:
            return rfc3339(datetime.fromtimestamp((found.int >> 80) / 1000, UTC))
    except ValueError:  # no UUID, or one of a year that there is not
        pass
    return status["started_at"] or status["last_update"]


def _request(gate: Document) -> Document:
    """The question as one that clients put to their users: a form with fields of plain types (elicitation)."""
    shown = "" if gate.get("show") is None else f"\n{compact(gate['show'])}"
    title = gate.get("title") or f"Step {gate['step_id']} asks for an answer"
    params = {"mode": "form", "message": f"{title}{shown}", "requestedSchema": _form(gate.get("form"))}
    return {"method": "elicitation/create", "params": params}


def _form(form: Document | None) -> Document:
    """A gate's form as far as clients can show it; else one field for the answer."""
    if form is not None and _is_flat(form):
        kept = {name: form[name] for name in ("properties", "required") if name in form}
        return {"type": "object", **kept}
    field: Document = {"type": "string", "title": "Answer", "description": "The answer: JSON, or text"}
    if form is not None and _is_plain(form):
        field = {"title": "Answer", **form}
    elif form is not None:
        field["description"] = f"The answer, as JSON that fits {compact(form, 1_000)}"
    return {"type": "object", "properties": {"answer": field}, "required": ["answer"]}


def _is_flat(form: Document) -> bool:
    """Whether all it asks for are fields of plain types."""
    fields: Any = form.get("properties")
    if form.get("type") != "object" or not isinstance(fields, dict) or not fields:
        return False
    return all(_is_plain(one) for one in cast("Document", fields).values())


def _is_plain(field: Any) -> bool:
    kind: Any = cast("Document", field).get("type") if isinstance(field, dict) else None
    return isinstance(kind, str) and kind in _PLAIN  # it may be a list of types


def _answer(gate: Document, content: Document) -> Any:
    """What the user filled in, as the gate wants it."""
    form: Document | None = gate.get("form")
    if form is not None and _is_flat(form):
        return content
    value = content.get("answer")
    if not isinstance(value, str) or (form is not None and form.get("type") == "string"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
