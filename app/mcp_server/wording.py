"""Documents of the API in few words, for readers of a tool's text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.mcp_server.calling import Document

_LONGEST: Final = 2_000
_LINE: Final = 300
_TOLD: Final = ("title", "show", "topic", "signal", "message", "reason", "answer", "result")


def compact(value: Any, most: int = _LONGEST) -> str:
    """A value as JSON on one line, cut where it is longer than `most` characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def percent(share: Any) -> str:
    """A progress from 0 to 1."""
    return f"{round(float(share) * 100)} %"


def status_text(status: Document) -> str:
    """Where a thread stands, its steps, and what came of it."""
    lines = [
        f"Thread {status['thread_id']} ({status['workflow']}) is {status['status']}, {percent(status['progress'])} done:",
        f"version {status['version']}, {status['last_seq']} events.",
    ]
    lines += [f"- {_step(step)}" for step in status["steps"]]
    if status.get("error"):
        lines.append(f"Error: {error_text(status['error'])}")
    if status["status"] == "completed":
        lines.append(f"Output: {compact(status.get('output'))}")
    return "\n".join(lines)


def error_text(error: Document) -> str:
    """Kind, message and step of an error."""
    where = f" (step {error['step_id']})" if error.get("step_id") else ""
    return f"{error.get('kind')}: {error.get('message')}{where}"


def next_text(status: str, thread_id: str) -> str:
    """What to call next."""
    following = {
        "completed": "It has completed: nothing more to do.",
        "failed": "Call invoke_resume to try again what failed (or skip it), invoke_rollback to go back to a version.",
        "interrupted": "Call invoke_resume to try again.",
        "cancelled": "Call invoke_resume to take it up again.",
        "paused": "Call invoke_resume to let it run on.",
    }
    return following.get(status, f"Follow it with invoke_stream(thread_id={thread_id!r}).")


def event_line(event: Document) -> str:
    """One event: its number and name, its step, and the gist of its data."""
    data: dict[str, Any] = event.get("data") or {}
    parts = [f"{event.get('seq') or '-'} {event['event']}"]
    if event.get("step_id"):
        parts.append(str(event["step_id"]))
    if data.get("error"):
        parts.append(error_text(data["error"]))
    parts += [f"{name}={compact(data[name], _LINE)}" for name in _TOLD if data.get(name) is not None]
    return " ".join(parts)


def gate_line(gate: Document) -> str:
    """An open gate: who asks what, and in which form the answer is wanted."""
    place = f" item {gate['item']}" if gate.get("item") is not None else ""
    parts = [
        f"step {gate['step_id']}{place} asks{_of(gate.get('assignees') or ())}: {gate.get('title') or '(no title)'}"
    ]
    if gate.get("show") is not None:
        parts.append(f"shows {compact(gate['show'], _LINE)}")
    parts.append(f"answer form: {compact(gate['form'], _LINE)}" if gate.get("form") else "any JSON value answers it")
    return "; ".join(parts)


def _of(assignees: Iterable[str]) -> str:
    names = ", ".join(assignees)
    return f" {names}" if names else ""


def _step(step: Document) -> str:
    text = f"{step['id']}: {step['status']}"
    if step.get("retry_count"):
        text += f", attempt {step['attempt']}"
    if step.get("error"):
        text += f", {error_text(step['error'])}"
    if step.get("gate"):
        text += f"; {gate_line({**step['gate'], 'step_id': step['id']})}"
    return text
