"""What a thread's events tell of gates: that a question waits, and who has answered it; each once, whatever comes between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import events, jsontext
from app.domain.gates import mark
from app.domain.runner import Asleep
from app.domain.times import rfc3339
from app.engine.draft import PREVIEW

if TYPE_CHECKING:
    from app.domain.gates import GateRecord
    from app.engine.draft import Draft
    from app.engine.openstep import OpenStep
    from app.engine.step import Ending


def tell(step: OpenStep, ending: Ending, draft: Draft, progress: float) -> None:
    """An attempt has ended: tell of the gates that it looked at, as far as that has not been told."""
    asked, step.asked = step.asked, []
    step.at_gate = isinstance(ending, Asleep) and ending.gate is not None
    for gate in {gate.key: gate for gate in asked}.values():
        if gate.answered and not gate.told_answered:
            data = {"status": "running", "progress": progress, **_answered(gate)}
            _draw(step, draft, events.GATE_ANSWERED, gate, data)
        elif step.at_gate and not gate.closed and not gate.told_waiting:
            data = {"status": "waiting", "progress": progress, **_waiting(gate)}
            _draw(step, draft, events.GATE_WAITING, gate, data)


def _draw(step: OpenStep, draft: Draft, name: str, gate: GateRecord, data: dict[str, Any]) -> None:
    draft.event(name, {**mark(gate.key), **data}, step_id=step.spec.id, run_id=step.run_id, attempt=step.attempt)


def _waiting(gate: GateRecord) -> dict[str, Any]:
    return {
        "title": gate.title,
        "show": _short(gate.show_json),
        "form": _short(gate.form_json),
        "assignees": list(gate.assignees),
        "timeout_at": rfc3339(gate.timeout_at) if gate.timeout_at is not None else None,
    }


def _answered(gate: GateRecord) -> dict[str, Any]:
    return {"by": gate.answered_by, "via": gate.via, "answer": _short(gate.answer_json)}


def _short(text: str | None) -> Any:
    """The value, or what stands for it: a long one is kept with the gate, and nowhere else."""
    if text is None:
        return None
    if len(text) <= PREVIEW:
        return jsontext.loads(text)
    return jsontext.loads(events.preview(text))
