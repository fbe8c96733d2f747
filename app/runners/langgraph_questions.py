"""What a graph waits for (its interrupts, and the breakpoints that it was compiled with), asked as rounds of the step's gate.

A round asks for all interrupts that wait at once.  Each answer goes to its own interrupt by its id, and only as long as that
waits: what the node has taken up is stored with its checkpoint, but after a crash the graph still names the old question, and
LangGraph would take the same answer for the node's next one.  So a round that was handed to the graph before is not handed to
it again until the graph, called without an answer, has asked the same once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langgraph.types import Command

from app.domain import gates, jsontext
from app.domain.retry import VALIDATION
from app.domain.runner import StepFailure
from app.runners.langgraph_values import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from langgraph.types import Interrupt, StateSnapshot

    from app.domain.gates import GateBook, GateRecord
    from app.domain.runner import Attempt

_ROUND: Final = "question:"
_HANDED: Final = "handed:"


@dataclass(frozen=True, slots=True)
class GoOn:
    """The graph may go on, called with `given`."""

    given: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    number: int
    ids: Sequence[str]


class Questions:
    """The rounds of one step run; which question has which number is remembered with the run."""

    def __init__(self, book: GateBook, attempt: Attempt) -> None:
        self._book = book
        self._attempt = attempt
        self._rounds: dict[str, _Round] = {}
        self._handed: set[int] = set()

    async def recall(self) -> None:
        """Read what earlier attempts have asked, and look at the answers again, so that the thread's events tell of each."""
        for name, value in (await self._attempt.context.remembered()).items():
            if name.startswith(_ROUND):
                self._rounds[name] = _Round(number=value["round"], ids=value["ids"])
            elif name.startswith(_HANDED):
                self._handed.add(value)
        for each in self._rounds.values():
            gate = await self._find(each)
            if gate is not None and gate.answered:
                self._attempt.asked.append(gate)

    async def settle(self, graph: Any, state: StateSnapshot, *, fresh: bool) -> GateRecord | GoOn | None:
        """What is to become of a graph that stands at `state`: a gate that is still open, how it may go on, or None for a graph
        that asks for nothing.  `fresh`: this attempt has brought it there.
        """
        if state.interrupts:
            return await self._interrupted({each.id: each for each in state.interrupts}, fresh=fresh)
        stopped = await _stopped_at(graph, state)
        if not stopped:
            return None
        name = f"{_ROUND}{state.config.get('configurable', {}).get('checkpoint_id')}"
        gate = await self._ask(name, (), {"breakpoint": sorted(stopped), "next": sorted(set(state.next))}, None)
        return GoOn(None) if gate.answered else gate

    async def _interrupted(self, waiting: Mapping[str, Interrupt[Any]], *, fresh: bool) -> GateRecord | GoOn:
        known = [each for each in self._rounds.values() if not waiting.keys().isdisjoint(each.ids)]
        if not fresh and any(each.number in self._handed for each in known):
            return GoOn(None)
        answers: dict[str, Any] = {}
        for each in known:
            answers |= await self._answers(each, waiting.keys())
        if not answers:
            ids = sorted(waiting)
            name = f"{_ROUND}{jsontext.sha256(' '.join(ids)).hex()[:32]}"
            gate = await self._ask(name, ids, *_shown([waiting[each] for each in ids]))
            if not gate.answered:
                return gate
            answers = await self._answers(self._rounds[name], ids)
        return GoOn(Command(resume=answers))

    async def _answers(self, asked: _Round, waiting: Collection[str]) -> dict[str, Any]:
        """The answers of a round to those that still wait; that they are handed over is remembered before they are."""
        gate = await self._find(asked)
        if gate is None or not gate.answered:
            return {}
        if asked.number not in self._handed:
            await self._attempt.context.remember(f"{_HANDED}{asked.number}", asked.number)
            self._handed.add(asked.number)
        value = gate.answer
        if len(asked.ids) == 1:
            return {asked.ids[0]: value}
        try:
            return {each: value[each] for each in asked.ids if each in waiting}
        except (KeyError, TypeError):
            message = "several interrupts were asked for at once: the answer must have a value for the id of each"
            raise StepFailure(message, kind=VALIDATION, retryable=False) from None

    async def _ask(self, name: str, ids: Sequence[str], show: Any, form: Mapping[str, Any] | None) -> GateRecord:
        if name not in self._rounds:
            number = len(self._rounds)
            await self._attempt.context.remember(name, {"round": number, "ids": list(ids)})
            self._rounds[name] = _Round(number=number, ids=list(ids))
        return await gates.ask(self._book, self._attempt, round=self._rounds[name].number, show=show, form=form)

    async def _find(self, asked: _Round) -> GateRecord | None:
        return await self._book.find(gates.key_of(self._attempt, asked.number))


def _shown(interrupts: Sequence[Interrupt[Any]]) -> tuple[Any, Mapping[str, Any] | None]:
    """What a gate shows and its form: of one interrupt its own, of several an object with those of each by its id."""
    shown = {each.id: plain(each.value, "what an interrupt shows") for each in interrupts}
    forms = {each.id: each.response_schema for each in interrupts if isinstance(each.response_schema, dict)}
    if len(interrupts) == 1:
        [only] = interrupts
        return shown[only.id], forms.get(only.id)
    properties = {each: forms.get(each, {}) for each in shown}
    return shown, {"type": "object", "required": list(shown), "additionalProperties": False, "properties": properties}


async def _stopped_at(graph: Any, state: StateSnapshot) -> set[str]:
    """The nodes because of which a graph that was compiled with breakpoints may not go on from here by itself."""
    stopped: set[str] = set()
    if state.next:
        stopped |= _named(state.next, graph.interrupt_before_nodes)
        if graph.interrupt_after_nodes and state.parent_config is not None:
            before = await graph.aget_state(state.parent_config)
            stopped |= _named([task.name for task in before.tasks], graph.interrupt_after_nodes)
    return stopped


def _named(nodes: Collection[str], breakpoints: Collection[str] | str) -> set[str]:
    return {node for node in nodes if (breakpoints == "*" or node in breakpoints) and not node.startswith("__")}
