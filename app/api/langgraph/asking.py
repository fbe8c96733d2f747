"""The questions of a thread as LangGraph's interrupts, and the answers to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from app.api.langgraph.replies import wrong
from app.api.langgraph.views import TRIGGERED_BY, interrupt_document, interrupt_id
from app.domain import jsontext
from app.domain.errors import Conflict, InvalidInput
from app.domain.gates import NO_ITEM, Answer, GateFilter
from app.engine.asked import misfits

if TYPE_CHECKING:
    from app.api.services import Services
    from app.domain.events import Event
    from app.domain.gates import GateRecord
    from app.domain.records import ThreadRecord

_MANY: Final = 1_000
_VIA: Final = "langgraph"
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
"""An interrupt's id, which no answer has for all of its names by chance."""


async def open_gates(services: Services, thread_id: str) -> list[GateRecord]:
    """Those that can be answered, the oldest first, whole."""
    listed = await services.gates.listed(GateFilter(thread_id=thread_id, only_open=True, limit=_MANY))
    return [await _whole(services, gate) for gate in reversed(listed)]


async def gate_of(services: Services, event: Event) -> GateRecord | None:
    """The gate that an event tells of."""
    data: dict[str, Any] = jsontext.loads(event.data)
    item = NO_ITEM if data.get("item") is None else data["item"]
    where = GateFilter(thread_id=event.thread_id, step_id=event.step_id, limit=_MANY)
    for gate in await services.gates.listed(where):
        if (gate.run_id, gate.key.item, gate.key.round) == (event.run_id, item, data.get("round")):
            return await _whole(services, gate)
    return None


async def interrupts_by_step(services: Services, thread_id: str) -> dict[str, list[dict[str, Any]]]:
    """The open questions of a thread by their steps."""
    found: dict[str, list[dict[str, Any]]] = {}
    for gate in await open_gates(services, thread_id):
        found.setdefault(gate.key.step_id, []).append(interrupt_document(gate))
    return found


async def answer(services: Services, thread_id: str, given: Any) -> ThreadRecord:
    """Answer the open question of a thread, or several by {interrupt id: answer}; the thread's row afterwards.

    None of several is answered if one of them cannot be.  Raises Conflict (not_interrupted), InvalidRequest (several wait and
    none is named), InvalidInput.
    """
    gates = await open_gates(services, thread_id)
    if not gates:
        raise Conflict(
            f"thread {thread_id} is not interrupted: there is nothing to resume with", code="not_interrupted"
        )
    by_id = {interrupt_id(gate.key): gate for gate in gates}
    named: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if named and all(_ID.match(name) for name in named) and (closed := named.keys() - by_id.keys()):
        raise Conflict(f"interrupt {min(closed)} of thread {thread_id} is not open (any more)", code="not_interrupted")
    if not named or not named.keys() <= by_id.keys():
        if len(gates) > 1:
            message = (
                "several questions are open: give {interrupt id: answer}; the ids are in the interrupts of the state"
            )
            raise wrong("command/resume", message, code="gate_ambiguous")
        named = {next(iter(by_id)): given}
    for one, value in named.items():
        await _check(by_id[one], value)
    threads = [await _answer(services, by_id[one], value) for one, value in named.items()]
    return threads[-1]


async def _check(gate: GateRecord, value: Any) -> None:
    """Raises InvalidInput."""
    problems = await misfits(jsontext.loads(gate.form_json), value) if gate.form_json is not None else []
    if problems:
        raise InvalidInput(problems, f"the answer does not fit the form: {problems[0].message}")


async def _answer(services: Services, gate: GateRecord, value: Any) -> ThreadRecord:
    key = gate.key
    answer = Answer(answer_json=jsontext.dumps(value), by=TRIGGERED_BY, via=_VIA)
    item = None if key.item == NO_ITEM else key.item
    return await services.gates.answer(key.thread_id, key.step_id, answer, item=item, round=key.round)


async def _whole(services: Services, gate: GateRecord) -> GateRecord:
    """With all of what it shows: lists shorten it."""
    key = gate.key
    if gate.show_json is None:
        return gate
    item = None if key.item == NO_ITEM else key.item
    return await services.gates.find(key.thread_id, key.step_id, item=item, round=key.round)
