"""Gates as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.gates import NO_ITEM
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from app.domain.gates import GateRecord


def gate_document(gate: GateRecord) -> Document:
    """`status` is `open` while it can be answered, else `answered`, `timed_out` (without a value in its stead) or `closed`."""
    key = gate.key
    return {
        "thread_id": key.thread_id,
        "step_id": key.step_id,
        "item": None if key.item == NO_ITEM else key.item,
        "round": key.round,
        "status": _status(gate),
        "title": gate.title,
        "show": raw(gate.show_json),
        "form": raw(gate.form_json),
        "assignees": list(gate.assignees),
        "opened_at": when(gate.opened_at),
        "timeout_at": when(gate.timeout_at),
        "answer": raw(gate.answer_json),
        "answered_by": gate.answered_by,
        "answered_at": when(gate.answered_at),
        "via": gate.via,
    }


def waiting_gate(gate: GateRecord) -> Document:
    """What a step asks that waits, for the status document."""
    return {
        "round": gate.key.round,
        "title": gate.title,
        "show": raw(gate.show_json),
        "form": raw(gate.form_json),
        "assignees": list(gate.assignees),
        "timeout_at": when(gate.timeout_at),
    }


def _status(gate: GateRecord) -> str:
    if gate.answered:
        return "answered"
    if gate.expired:
        return "timed_out"
    return "open" if gate.waits else "closed"
