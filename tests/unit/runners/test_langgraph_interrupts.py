"""What a graph asks: interrupts and breakpoints are gates, and each answer goes to its own question, once."""

from __future__ import annotations

import json

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from app.domain.gates import GateRecord
from app.domain.runner import Asleep, StepFailure
from tests.unit.runners.graph_steps import Bench, Calls, State, line, output, single


async def asks(state: State) -> State:
    first = interrupt({"question": "first?"})
    second = interrupt("second?")
    return {"done": [f"{first}, {second}"]}


async def test_an_interrupt_is_a_gate_and_its_answer_the_interrupts_value() -> None:
    bench = Bench(single(asks))
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert isinstance(outcome.gate, GateRecord)
    assert outcome.gate.show_json == '{"question":"first?"}'
    await bench.answer("yes")
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert isinstance(outcome.gate, GateRecord)
    assert (outcome.gate.key.round, outcome.gate.show_json) == (1, '"second?"')
    await bench.answer(None, 1)
    assert await output(bench) == {"done": ["yes, None"]}


async def test_a_look_before_there_is_an_answer_asks_the_same_again() -> None:
    bench = Bench(single(asks))
    asked = [await bench.perform({}) for _ in range(3)]
    assert {each.gate.key.round for each in asked if isinstance(each, Asleep) and each.gate} == {0}


async def test_an_answer_that_was_taken_up_before_a_crash_is_not_the_answer_to_the_next_question() -> None:
    made: list[str] = []

    async def node(state: State) -> State:
        made.append(interrupt("first?"))
        if len(made) == 1:
            raise RuntimeError("after the answer")
        return {"done": [made[-1], interrupt("second?")]}

    bench = Bench(single(node))
    await bench.perform({})
    await bench.answer("one")
    with pytest.raises(RuntimeError):
        await bench.perform({})
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    await bench.answer("two", 1)
    assert await output(bench) == {"done": ["one", "two"]}


async def test_an_answer_that_was_handed_over_but_never_taken_up_is_handed_over_again() -> None:
    bench = Bench(single(asks))
    await bench.perform({})
    await bench.answer("yes")
    bench.memory["handed:0"] = 0  # and then the process died
    await bench.perform({})
    await bench.answer("no", 1)
    assert await output(bench) == {"done": ["yes, no"]}


async def test_of_answers_at_once_the_one_that_was_not_taken_up_is_handed_over_again() -> None:
    tried: list[str] = []

    async def left(state: State) -> State:
        if tried.append("left") or len(tried) == 2:  # before it has looked at its answer
            raise RuntimeError("left fails")
        return {"done": [interrupt("left?"), interrupt("more?")]}

    async def right(state: State) -> State:
        return {"done": [interrupt("right?")]}

    builder = StateGraph(State).add_node(left).add_node(right).add_edge(START, "left").add_edge(START, "right")
    bench = Bench(builder)
    await bench.perform({})
    gate = bench.attempts[-1].asked[0]
    assert isinstance(gate, GateRecord)
    shown = {text: key for key, text in json.loads(gate.show_json or "").items()}
    await bench.answer({shown["left?"]: "L", shown["right?"]: "R"})
    with pytest.raises(RuntimeError):
        await bench.perform({})
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    assert isinstance(outcome.gate, GateRecord)
    assert outcome.gate.show_json == '"more?"'
    await bench.answer("M", 1)
    assert await output(bench) == {"done": ["L", "M", "R"]}


async def test_an_interrupt_in_a_subgraph_is_answered_once_too() -> None:
    made: list[str] = []

    async def inner(state: State) -> State:
        made.append(interrupt("first?"))
        if len(made) == 1:
            raise RuntimeError("after the answer")
        return {"done": [made[-1], interrupt("second?")]}

    bench = Bench(single(single(inner).compile()))
    await bench.perform({"done": []})
    await bench.answer("one")
    with pytest.raises(RuntimeError):
        await bench.perform({"done": []})
    assert isinstance(await bench.perform({"done": []}), Asleep)
    await bench.answer("two", 1)
    assert (await output(bench, {"done": []}))["done"][-2:] == ["one", "two"]


async def test_interrupts_at_once_are_one_gate_whose_answer_has_a_value_for_each() -> None:
    async def left(state: State) -> State:
        return {"done": [f"left {interrupt('left?')}"]}

    async def right(state: State) -> State:
        return {"done": [f"right {interrupt('right?', response_schema={'type': 'integer'})}"]}

    builder = StateGraph(State).add_node(left).add_node(right).add_edge(START, "left").add_edge(START, "right")
    bench = Bench(builder)
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    gate = bench.attempts[-1].asked[0]
    assert isinstance(gate, GateRecord)
    assert gate.show_json is not None
    shown = {text: key for key, text in json.loads(gate.show_json).items()}
    assert gate.form_json is not None
    assert '{"type":"integer"}' in gate.form_json
    await bench.answer({shown["left?"]: "L", shown["right?"]: 7})
    assert await output(bench) == {"done": ["left L", "right 7"]}


async def test_each_answer_is_looked_at_again_by_later_attempts_so_that_events_tell_of_it() -> None:
    bench = Bench(single(asks))
    await bench.perform({})
    await bench.answer("yes")
    await bench.perform({})
    await bench.perform({})
    assert [gate.key.round for gate in bench.attempts[-1].asked if gate.answered] == [0]


@pytest.mark.parametrize("stop", ["interrupt_before", "interrupt_after"])
async def test_a_breakpoint_is_a_gate_that_any_answer_opens(stop: str) -> None:
    calls = Calls()
    bench = Bench(line(calls, "one", "two", "three", **{stop: ["two"]}))
    outcome = await bench.perform({})
    assert isinstance(outcome, Asleep)
    reached = list(calls.made)
    assert isinstance(await bench.perform({}), Asleep)
    assert calls.made == reached == (["one"] if stop == "interrupt_before" else ["one", "two"])
    await bench.answer({"go": "on"})
    assert await output(bench) == {"done": ["one", "two", "three"]}
    assert calls.made == ["one", "two", "three"]


async def test_a_breakpoint_inside_of_a_subgraph_is_a_clear_failure() -> None:
    bench = Bench(single(line(Calls(), "one", "two", interrupt_before=["two"])))
    with pytest.raises(StepFailure, match=r"stopped inside node: .* interrupt\(\)"):
        await bench.perform({})
