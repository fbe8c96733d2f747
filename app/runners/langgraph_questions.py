"""What a graph waits for: its interrupts, and the breakpoints that it was compiled with, as one question of a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.types import Command

from app.domain import gates, jsontext
from app.runners.langgraph_values import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from langgraph.types import Interrupt, StateSnapshot

    from app.domain.gates import GateBook, GateRecord
    from app.domain.runner import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQuestion:
    """One round: `name` is always the same for the same question; `ids` are its interrupts, none for a breakpoint."""

    name: str
    show: Any
    form: Mapping[str, Any] | None = None
    ids: tuple[str, ...] = ()

    def go_on(self, answer: Any) -> Any:
        """What the graph is to be called with: each answer goes to its own interrupt, so that one that was taken up before
        a crash is never taken for the answer to the next.
        """
        match self.ids:
            case ():
                return None
            case (only,):
                return Command(resume={only: answer})
            case _:
                return Command(resume=answer)


async def question_of(graph: Any, state: StateSnapshot) -> GraphQuestion | None:
    """What a graph that stands there waits for; None when it can go on, or has ended."""
    if state.interrupts:
        return _of_interrupts(state.interrupts)
    stopped = await _stopped_at(graph, state)
    if not stopped:
        return None
    name = f"breakpoint:{_checkpoint_id(state)}"
    return GraphQuestion(name=name, show={"breakpoint": sorted(stopped), "next": sorted(set(state.next))})


async def ask(book: GateBook, attempt: Attempt, question: GraphQuestion) -> GateRecord:
    """Put a question to people: the gate, perhaps answered already.  Its round is the same whenever it is asked again."""
    known = await _asked(attempt)
    if question.name not in known:
        await attempt.context.remember(question.name, len(known))
        known.append(question.name)
    return await gates.ask(book, attempt, round=known.index(question.name), show=question.show, form=question.form)


async def recall(book: GateBook, attempt: Attempt) -> None:
    """Look at the answers of earlier rounds, so that the thread's events tell of each, whatever came between."""
    for number, _ in enumerate(await _asked(attempt)):
        gate = await book.find(gates.key_of(attempt, number))
        if gate is not None and gate.answered:
            attempt.asked.append(gate)


async def _asked(attempt: Attempt) -> list[str]:
    return [name for name in await attempt.context.remembered() if name.startswith(("interrupt:", "breakpoint:"))]


def _of_interrupts(interrupts: tuple[Interrupt[Any], ...]) -> GraphQuestion:
    waiting = {each.id: each for each in interrupts}
    ids = tuple(sorted(waiting))
    name = f"interrupt:{jsontext.sha256(' '.join(ids)).hex()[:32]}"
    shown = {each: plain(waiting[each].value, "what an interrupt shows") for each in ids}
    forms = {each: _schema(waiting[each]) for each in ids}
    if len(ids) == 1:
        return GraphQuestion(name=name, show=shown[ids[0]], form=forms[ids[0]] or None, ids=ids)
    form = {"type": "object", "required": list(ids), "additionalProperties": False, "properties": forms}
    return GraphQuestion(name=name, show=shown, form=form, ids=ids)


def _schema(interrupt: Interrupt[Any]) -> Mapping[str, Any]:
    return interrupt.response_schema if isinstance(interrupt.response_schema, dict) else {}


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


def _checkpoint_id(state: StateSnapshot) -> str:
    return str(state.config.get("configurable", {}).get("checkpoint_id"))
