"""Driving steps that wait for answers, messages and signals: when they look again, and what the thread's events tell of that,
each thing once.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from app.domain import events, jsontext, wishes
from app.domain.errors import JsonError
from app.domain.gates import GateRecord
from app.domain.runner import Asleep
from app.domain.times import rfc3339
from app.domain.waiting import mark
from app.domain.waits import MessageWait
from app.engine.draft import PREVIEW

if TYPE_CHECKING:
    from app.domain.waiting import WaitRecord
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
        for record in {record.key: record for record in asked}.values():
            if record.answered and record.sound and not record.told_answered:
                name, told = _answered(record)
                _draw(step, draft, name, record, {"status": "running", "progress": progress, **told})
            elif step.at_gate and not record.closed and not record.told_waiting:
                name, told = _waiting(record)
                _draw(step, draft, name, record, {"status": "waiting", "progress": progress, **told})


def _draw(step: OpenStep, draft: Draft, name: str, record: WaitRecord, data: dict[str, Any]) -> None:
    draft.event(name, {**mark(record.key), **data}, step_id=step.spec.id, run_id=step.run_id, attempt=step.attempt)


def _waiting(record: WaitRecord) -> tuple[str, dict[str, Any]]:
    """The name of the event that tells of the waiting, and what it says."""
    until = {"timeout_at": rfc3339(record.timeout_at) if record.timeout_at is not None else None}
    match record:
        case GateRecord():
            return events.GATE_WAITING, {
                "title": record.title,
                "show": _short(record.show_json),
                "form": _short(record.form_json),
                "assignees": list(record.assignees),
                **until,
            }
        case MessageWait():
            return events.MESSAGE_WAITING, {**_for(record), "match": record.match, **until}
        case _:
            raise TypeError(record)


def _answered(record: WaitRecord) -> tuple[str, dict[str, Any]]:
    """The same of the answer."""
    via, answer = record.via, _short(record.answer_json)
    match record:
        case GateRecord():
            return events.GATE_ANSWERED, {"by": record.answered_by, "via": via, "answer": answer}
        case MessageWait():
            return events.MESSAGE_RECEIVED, {**_for(record), "by": record.answered_by, "via": via, "message": answer}
        case _:
            raise TypeError(record)


def _for(wait: MessageWait) -> dict[str, Any]:
    return {"topic": wait.topic} if wait.signal is None else {"signal": wait.signal}


def _short(text: str | None) -> Any:
    """The value, or what stands for it: a long one is kept with the gate, and nowhere else."""
    if text is None:
        return None
    try:
        return jsontext.loads(text if len(text) <= PREVIEW else events.preview(text))
    except JsonError:  # nested deeper than what we would read
        return jsontext.loads(events.preview(text))
