"""Driving steps that wait for answers: when they look again, and what the thread's events tell of gates, each thing once."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from app.domain import events, jsontext, wishes
from app.domain.errors import JsonError
from app.domain.gates import mark
from app.domain.runner import Asleep
from app.domain.times import rfc3339
from app.engine.draft import PREVIEW

if TYPE_CHECKING:
    from app.domain.gates import GateRecord
    from app.engine.draft import Draft
    from app.engine.drive import Drive
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending


class GateWork:
    """Those of one thread; it draws into the draft that it is given."""

    def __init__(self, drive: Drive) -> None:
        self._drive: Drive = weakref.proxy(drive)  # no cycle: a thread's state goes with its end
        self._heard = ""

    def look(self, wish: str) -> list[OpenStep]:
        """The steps that wait for an answer, when a wish that has not been heard says that there is one.

        An attempt that is under way may have looked too early: it looks again when it has ended.
        """
        if self._drive.over or not wishes.is_look(wish) or wish == self._heard:
            return []
        self._heard = wish
        for step in self._drive.open.values():
            step.look_again = True
        return [step for step in self._drive.open.values() if step.at_gate and not step.working]

    def tell(self, step: OpenStep, ending: Ending, draft: Draft) -> None:
        """An attempt has ended: tell of the gates that it looked at, as far as that has not been told."""
        step.at_gate = isinstance(ending, Asleep) and ending.gate is not None
        if not step.asked:
            return
        asked, step.asked = step.asked, []
        progress = self._drive.progress
        for gate in {gate.key: gate for gate in asked}.values():
            if gate.answered and gate.sound and not gate.told_answered:
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
    try:
        return jsontext.loads(text if len(text) <= PREVIEW else events.preview(text))
    except JsonError:  # nested deeper than what we would read
        return jsontext.loads(events.preview(text))
