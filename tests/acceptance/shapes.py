"""The JSON documents of the contract, key by key: nothing missing, nothing of another type, nulls where they may be."""

from __future__ import annotations

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STATUSES = re.compile("pending|running|waiting|paused|completed|failed|cancelled|interrupted")
STEP_STATUSES = re.compile("pending|running|retrying|waiting|completed|failed|skipped|cancelled")
ANY = object()


class Maybe:
    """The shape, or null."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


class Open(dict[str, Any]):
    """An object with these keys, and perhaps others."""


def check(value: Any, shape: Any, path: str = "") -> None:
    """Raise AssertionError where `value` is not of the shape."""
    if shape is ANY or (isinstance(shape, Maybe) and value is None):
        return
    if isinstance(shape, Maybe):
        check(value, shape.shape, path)
    elif isinstance(shape, dict):
        _check_object(value, shape, path)
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path}: {value!r} is no list"
        for index, item in enumerate(value):
            check(item, shape[0], f"{path}/{index}")
    else:
        _check_scalar(value, shape, path)


def _check_object(value: Any, shape: dict[str, Any], path: str) -> None:
    assert isinstance(value, dict), f"{path}: {value!r} is no object"
    missing, more = shape.keys() - value.keys(), value.keys() - shape.keys()
    assert not missing, f"{path}: lacks {sorted(missing)}"
    assert not more or isinstance(shape, Open), f"{path}: has {sorted(more)} too"
    for key, inner in shape.items():
        check(value[key], inner, f"{path}/{key}")


def _check_scalar(value: Any, shape: Any, path: str) -> None:
    if isinstance(shape, re.Pattern):
        assert isinstance(value, str), f"{path}: {value!r} is no text"
        assert shape.fullmatch(value), f"{path}: {value!r}"
    elif isinstance(shape, type):
        kinds = {float: (int, float)}.get(shape, shape)
        assert isinstance(value, kinds), f"{path}: {value!r} is no {shape.__name__}"
        assert shape is bool or not isinstance(value, bool), f"{path}: {value!r} is no {shape.__name__}"
    else:
        assert type(value) is type(shape), f"{path}: {value!r} is not {shape!r}"
        assert value == shape, f"{path}: {value!r} is not {shape!r}"


LINKS = {
    "status": re.compile("/api/invoke/status/.+"),
    "stream": re.compile("/api/invoke/stream/.+"),
    "history": re.compile("/api/invoke/history/.+"),
}
ERROR = {"kind": str, "message": str, "step_id": Maybe(str), "retryable": bool}
ACCEPTED = {
    "thread_id": str,
    "execution_id": UUID,
    "status": STATUSES,
    "version": int,
    "durable": bool,
    "estimated_duration_ms": Maybe(int),
    "links": LINKS,
}
RESUMED = {
    "thread_id": str,
    "execution_id": UUID,
    "status": STATUSES,
    "resumed_from_version": int,
    "durable": bool,
    "links": LINKS,
}
ROLLED_BACK = {
    "thread_id": str,
    "execution_id": UUID,
    "status": STATUSES,
    "rolled_back_to_version": int,
    "rolled_back_from_version": int,
    "durable": bool,
    "links": LINKS,
}
USAGE = {"input_tokens": int, "output_tokens": int, "cost_usd": float}
STEP = {
    "id": str,
    "index": int,
    "status": STEP_STATUSES,
    "agent": Maybe(str),
    "attempt": int,
    "retry_count": int,
    "session_id": Maybe(str),
    "started_at": Maybe(TIME),
    "completed_at": Maybe(TIME),
    "duration_ms": Maybe(int),
    "error": Maybe(ERROR),
    "reused": bool,
    "agent_version": Maybe(int),
    "variant": Maybe(str),
    "usage": Maybe(USAGE),
}
STATUS = {
    "thread_id": str,
    "execution_id": UUID,
    "workflow": str,
    "workflow_version": Maybe(int),
    "kind": re.compile("invoke|resume|rollback"),
    "status": STATUSES,
    "version": int,
    "last_seq": int,
    "current_step": Maybe(str),
    "completed_steps": [str],
    "progress": float,
    "steps": [STEP],
    "output": ANY,
    "error": Maybe(ERROR),
    "last_update": TIME,
    "started_at": Maybe(TIME),
    "completed_at": Maybe(TIME),
    "usage": USAGE,
}
EVENT = {
    "seq": int,
    "thread_id": str,
    "execution_id": UUID,
    "type": re.compile("progress|message|status|error|complete"),
    "event": str,
    "step_id": Maybe(str),
    "attempt": Maybe(int),
    "version": int,
    "at": TIME,
    "data": Open(),
}
HISTORY_ENTRY = {
    "version": int,
    "parent_version": Maybe(int),
    "created_at": TIME,
    "current_step": str,
    "completed_steps": [str],
    "state_summary": {"num_agent_results": int, "context_keys": [str]},
    "execution_id": UUID,
    "trigger": str,
    "progress": float,
    "size_bytes": int,
    "on_timeline": bool,
}
HISTORY = {"thread_id": str, "head_version": int, "history": [HISTORY_ENTRY], "next_cursor": Maybe(str)}
STATE = Open(
    version=int,
    state={"input": ANY, "context": Open(), "steps": Open(), "metadata": Open(current_step=str, completed_steps=[str])},
)
EXECUTION_ENTRY = Open(
    id=UUID,
    workflow_id=Maybe(str),
    thread_id=str,
    kind=re.compile("invoke|resume|rollback"),
    status=STATUSES,
    started_at=Maybe(TIME),
    completed_at=Maybe(TIME),
    error=Maybe(ERROR),
    triggered_by=Maybe(str),
    external_run_id=Maybe(str),
)
EXECUTIONS = {"executions": [EXECUTION_ENTRY], "total": int, "next_cursor": Maybe(str)}
STEP_RUN = Open(
    id=UUID,
    name=str,
    index=int,
    status=STEP_STATUSES,
    input=ANY,
    output=ANY,
    started_at=Maybe(TIME),
    completed_at=Maybe(TIME),
    duration_ms=Maybe(int),
    error=Maybe(ERROR),
    retry_count=int,
    reused=bool,
)
EXECUTION = {
    "execution": Open({**EXECUTION_ENTRY, "input": ANY, "output": ANY, "context": Maybe(Open())}),
    "steps": [STEP_RUN],
    "metadata": {"total_steps": int, "completed_steps": int, "failed_steps": int, "skipped_steps": int},
}
PROBLEM = Open(type=str, title=str, status=int, code=re.compile("[a-z][a-z_]+"), detail=str)
WORKFLOW = Open(name=str, version=int, hash=str, created_at=TIME)
