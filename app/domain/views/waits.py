"""Waits for messages and signals, and signals, as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.views.common import Document, raw, when
from app.domain.waiting import NO_ITEM

if TYPE_CHECKING:
    from app.domain.waiting import WaitKey
    from app.domain.waits import MessageWait, SignalRecord


def wait_document(wait: MessageWait) -> Document:
    """`status` is `open` while it can be given something, else `taken`, `timed_out`, `failed` or `closed`."""
    return {
        "thread_id": wait.key.thread_id,
        **_place(wait.key),
        "status": _status(wait),
        "topic": wait.topic,
        "signal": wait.signal,
        "match": wait.match,
        "opened_at": when(wait.opened_at),
        "timeout_at": when(wait.timeout_at),
        "message": raw(wait.answer_json),
        "by": wait.answered_by,
        "taken_at": when(wait.answered_at),
        "via": wait.via,
        "error": raw(wait.error_json),
    }


def awaited(wait: MessageWait) -> Document:
    """What a step waits for, for the status document."""
    return {
        "topic": wait.topic,
        "signal": wait.signal,
        "match": wait.match,
        "opened_at": when(wait.opened_at),
        "timeout_at": when(wait.timeout_at),
    }


def signal_document(signal: SignalRecord) -> Document:
    """`taken_by` is the step that has it, null while none has."""
    return {
        "thread_id": signal.thread_id,
        "number": signal.place,
        "name": signal.name,
        "value": raw(signal.value_json),
        "by": signal.sent_by,
        "sent_at": when(signal.sent_at),
        "status": "pending" if signal.taken_by is None else "taken",
        "taken_at": when(signal.taken_at),
        "taken_by": None if signal.taken_by is None else _place(signal.taken_by),
    }


def _place(key: WaitKey) -> dict[str, Any]:
    return {"step_id": key.step_id, "item": None if key.item == NO_ITEM else key.item, "round": key.round}


def _status(wait: MessageWait) -> str:
    if wait.answered:
        return "taken"
    if wait.error_json is not None:
        return "failed"
    if wait.expired:
        return "timed_out"
    return "open" if wait.waits else "closed"
