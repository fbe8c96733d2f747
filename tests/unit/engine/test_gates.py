"""Gates on the engine: asked once, answered once, told once, whatever comes between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext, wishes
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.gates import Answer, GateFilter, GateKey, ask
from app.domain.runner import Asleep, Completed
from app.store.memory import MemoryJournal
from app.store.memory_gates import MemoryGates
from tests.unit.engine.house import Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from app.domain.gates import GateRecord
    from app.domain.records import ThreadRecord
    from app.domain.runner import Attempt, Outcome

FORM = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
YES = {"approved": True}


def gate(step_id: str = "approve", *, needs: list[str] | None = None, **parts: Any) -> dict[str, Any]:
    """A step that asks."""
    return {"id": step_id, "gate": parts, **({} if needs is None else {"needs": needs})}


async def answer(house: House, thread_id: str, value: Any = YES, step_id: str = "approve", **more: Any) -> ThreadRecord:
    given = Answer(answer_json=jsontext.dumps(value), by=more.pop("by", "ana"), via=more.pop("via", "api"))
    return await house.gates.answer(thread_id, step_id, given, **more)


async def parked(house: House, thread_id: str) -> None:
    """Wait until it waits without a driver, and its run has let go."""
    await house.until(lambda: house.tables.threads[thread_id].incarnation_id is None)
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: house.worker.running == 0)


async def waiting(house: House, *steps: dict[str, Any], **options: Any) -> str:
    """A thread that is parked at its gate."""
    thread_id = (await house.start(*steps, **options)).thread.thread_id
    await parked(house, thread_id)
    return thread_id


async def asked(house: House, thread_id: str, step_id: str = "approve") -> list[GateRecord]:
    return await house.gates.listed(GateFilter(thread_id=thread_id, step_id=step_id))


async def data(house: House, thread_id: str, name: str) -> list[dict[str, Any]]:
    return [jsontext.loads(event.data) for event in await house.events(thread_id, name)]


async def test_the_output_of_a_gate_is_its_answer(house: House) -> None:
    thread_id = await waiting(house, step("write"), gate(show="{write.output}", form=FORM), input="a draft")
    row = await house.thread(thread_id)
    assert (row.wake_at, row.incarnation_id, row.status) == (None, None, "waiting")
    await answer(house, thread_id)
    await house.end(thread_id)
    assert (await house.execution(thread_id)).output == '{"approve":{"approved":true}}'
    assert (await house.steps(thread_id))["approve"].output == '{"approved":true}'


async def test_the_question_and_the_answer_are_told_once_each(house: House) -> None:
    question = {
        "title": "Publish {input}?",
        "show": {"draft": "{input}"},
        "form": FORM,
        "assignees": ["ana", "{input}"],
    }
    thread_id = await waiting(house, gate(**question), input="it")
    assert await data(house, thread_id, "gate_waiting") == [
        {
            "round": 0,
            "item": None,
            "status": "waiting",
            "progress": 0.0,
            "title": "Publish it?",
            "show": {"draft": "it"},
            "form": FORM,
            "assignees": ["ana", "it"],
            "timeout_at": None,
        }
    ]
    await answer(house, thread_id, by="bob", via="cli")
    await house.end(thread_id)
    [told] = await data(house, thread_id, "gate_answered")
    assert (told["by"], told["via"], told["answer"], told["round"]) == ("bob", "cli", YES, 0)
    names = await house.names(thread_id)
    assert names == [
        "workflow_start",
        "step_start",
        "gate_waiting",
        "gate_answered",
        "step_complete",
        "workflow_complete",
    ]


async def test_what_is_long_is_told_by_a_preview_and_kept_whole(house: House) -> None:
    text = "long" * 1_000
    thread_id = await waiting(house, gate(show="{input}"), input=text)
    [told] = await data(house, thread_id, "gate_waiting")
    assert told["show"]["truncated"]
    assert (await house.gates.find(thread_id, "approve")).show_json == jsontext.dumps(text)


async def test_what_is_nested_too_deep_is_told_by_a_preview(house: House) -> None:
    value: Any = 1
    for _ in range(199):
        value = [value]
    thread_id = await waiting(house, gate(show={"deep": ["{input}"]}), input=value)
    [told] = await data(house, thread_id, "gate_waiting")
    assert told["show"]["truncated"]


async def test_a_gate_costs_no_slot() -> None:
    async with open_house(slots=1) as house:
        threads = [(await house.start(gate())).thread.thread_id for _ in range(50)]
        for thread_id in threads:
            await parked(house, thread_id)
        assert house.worker.free == 1
        await house.run(step("free"))
        assert len(await house.gates.listed(GateFilter(only_open=True, limit=100))) == 50
        for thread_id in threads:
            await answer(house, thread_id)
        for thread_id in threads:
            await house.end(thread_id)


async def test_a_parked_thread_is_not_taken_up_again_and_again(house: House) -> None:
    thread_id = await waiting(house, gate())
    before = await house.thread(thread_id)
    house.later(10_000)
    assert await house.journal.claim(house.worker.incarnation_id, 10) == []
    assert await house.journal.next_due() is None
    assert await house.thread(thread_id) == before


async def test_an_answer_that_does_not_fit_the_form_is_refused(house: House) -> None:
    thread_id = await waiting(house, gate(form=FORM))
    with pytest.raises(InvalidInput) as refused:
        await answer(house, thread_id, {"approved": "yes"})
    assert [problem.pointer for problem in refused.value.problems] == ["/approved"]
    assert (await house.thread(thread_id)).status == "waiting"
    await answer(house, thread_id)
    await house.end(thread_id)


async def test_there_must_be_a_gate_to_answer(house: House) -> None:
    thread_id = await house.run(step("write"))
    for name, step_id, code in [("nobody", "write", "thread_not_found"), (thread_id, "write", "gate_not_found")]:
        with pytest.raises(NotFound) as refused:
            await answer(house, name, step_id=step_id)
        assert refused.value.code == code


async def test_the_second_answer_is_refused_also_after_the_end(house: House) -> None:
    thread_id = await waiting(house, gate())
    await answer(house, thread_id)
    with pytest.raises(Conflict, match="ana was first") as refused:
        await answer(house, thread_id, {"approved": False}, by="bob")
    await house.end(thread_id)
    with pytest.raises(Conflict) as late:
        await answer(house, thread_id)
    assert {refused.value.code, late.value.code} == {"gate_answered"}


async def test_of_two_answers_at_once_one_is_the_output(house: House) -> None:
    thread_id = await waiting(house, gate())
    outcomes = await asyncio.gather(*(answer(house, thread_id, n) for n in range(2)), return_exceptions=True)
    [winner] = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Conflict)]
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == str(winner)


async def test_two_gates_beside_each_other_are_answered_one_by_one(house: House) -> None:
    thread_id = await waiting(house, gate("a", needs=[]), gate("b", needs=[]))
    await answer(house, thread_id, 1, "a")
    await house.until(lambda: "step_complete" in [event.name for event in house.tables.events[thread_id]])
    await parked(house, thread_id)
    assert (await house.steps(thread_id))["b"].status == "waiting"
    await answer(house, thread_id, 2, "b")
    await house.end(thread_id)
    assert await house.names(thread_id) == [
        "workflow_start", "step_start", "step_start", "gate_waiting", "gate_waiting", "gate_answered", "step_complete",
        "gate_answered", "step_complete", "workflow_complete",
    ]  # fmt: skip


async def test_an_answer_reaches_a_thread_that_something_else_keeps_running(house: House) -> None:
    busy = Gate("done")
    house.on("busy", busy)
    accepted = await house.start(
        step("long", python="busy", needs=[]), gate(needs=[]), gate("after", needs=["approve"])
    )
    thread_id = accepted.thread.thread_id
    await house.until(lambda: thread_id in {key.thread_id for key in house.tables.gates})
    await answer(house, thread_id)
    await house.until(lambda: any(key.step_id == "after" for key in house.tables.gates))
    assert busy.left == 0
    busy.open()
    await answer(house, thread_id, 2, "after")
    await house.end(thread_id)


async def test_the_wish_on_the_row_alone_reaches_the_driver(house: House) -> None:
    """Without a word in process: as when another one has taken the answer, and its hint is lost."""
    busy, tell = Gate("done"), asyncio.Event()
    house.on("busy", busy)
    house.on("telling", lambda value, ctx: tell.wait())
    steps = [step("long", python="busy", needs=[]), step("short", python="telling", needs=[]), gate(needs=[])]
    thread_id = (await house.start(*steps)).thread.thread_id
    await house.until(lambda: house.tables.threads[thread_id].last_seq >= 5)
    [record] = await asked(house, thread_id)
    await MemoryGates(house.tables).answer(record.key, Answer(answer_json="7"))
    tell.set()  # the next commit brings the wish
    await house.until(lambda: "gate_answered" in [event.name for event in house.tables.events[thread_id]])
    assert busy.left == 0
    busy.open()
    await house.end(thread_id)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_answer_while_the_thread_is_being_parked_is_not_lost(house: House, moment: str) -> None:
    """Neither before the commit that parks it, where only the signal on the row tells of it, nor after it."""
    book, done = MemoryGates(house.tables), []

    async def at_parking(transition: Any) -> None:
        if transition.incarnation_id is None and transition.status == "waiting" and not done:
            done.append(transition.thread_id)
            [key] = house.tables.gates
            if moment == "before":
                await book.answer(key, Answer(answer_json="7"))
            else:
                house.worker.spawn(late(key))

    async def late(key: GateKey) -> None:
        await house.until(lambda: house.tables.threads[key.thread_id].incarnation_id is None)
        await book.answer(key, Answer(answer_json="7"))
        house.worker.hint()

    house.journal.before_commit = at_parking
    thread_id = await house.run(gate())
    assert (done, (await house.steps(thread_id))["approve"].output) == ([thread_id], "7")


async def test_an_answer_while_the_gate_is_being_looked_at_is_not_lost(house: House) -> None:
    """The attempt has found no answer; one comes before it ends."""
    done = []

    async def open_and_answer(key: GateKey, run_id: str, question: Any) -> Any:
        record = await MemoryGates(house.tables).open(key, run_id, question)
        if not done:
            done.append(key)
            await answer(house, key.thread_id, 7)
        return record

    house.gate_book.instead["open"] = open_and_answer
    busy = Gate("done")
    house.on("busy", busy)
    accepted = await house.start(step("long", python="busy", needs=[]), gate(needs=[]))
    thread_id = accepted.thread.thread_id
    await house.until(lambda: "gate_answered" in [event.name for event in house.tables.events[thread_id]])
    busy.open()
    await house.end(thread_id)


async def test_a_wish_to_look_is_heeded_once(house: House) -> None:
    """It stands on the row as long as the thread is driven: each commit brings it back."""
    busy, looks = Gate("done"), 0
    house.on("busy", busy)
    thread_id = (await house.start(step("long", python="busy", needs=[]), gate(needs=[]))).thread.thread_id
    await house.until(lambda: "gate_waiting" in [event.name for event in house.tables.events[thread_id]])

    async def find(key: GateKey) -> Any:
        nonlocal looks
        looks += 1
        return await MemoryGates(house.tables).find(key)

    house.gate_book.instead["find"] = find
    wish = wishes.look("once")
    await house.journal.signal(thread_id, wish)
    for _ in range(3):
        house.worker.heed(thread_id, wish)
        await asyncio.sleep(0.01)
    assert looks == 1
    busy.open()
    await parked(house, thread_id)
    await answer(house, thread_id)
    await house.end(thread_id)


async def test_an_answer_to_a_dead_process_is_found_by_the_next() -> None:
    async with open_house() as first:
        busy = Gate("done")
        first.on("busy", busy)
        thread_id = (await first.start(step("long", python="busy", needs=[]), gate(needs=[]))).thread.thread_id
        await first.until(lambda: "gate_waiting" in [event.name for event in first.tables.events[thread_id]])
        for wire in first.wires:
            wire.cut = True
        [key] = first.tables.gates
        await MemoryGates(first.tables).answer(key, Answer(answer_json="7"))
        first.worker._grace = 0.0
        await MemoryJournal(first.tables).close_incarnation(first.worker.incarnation_id, crashed=True)
        async with open_house(first) as second:
            busy.open()
            await second.end(thread_id)
            assert (await second.steps(thread_id))["approve"].output == "7"
            names = await second.names(thread_id)
    assert (names.count("gate_waiting"), names.count("gate_answered")) == (1, 1)


@pytest.mark.parametrize("lost", ["question", "answer"])
async def test_a_crash_between_the_gate_and_the_commit_tells_nothing_twice(lost: str) -> None:
    """The gate is open, or answered, and the process dies before its event is written."""
    async with open_house() as first:
        hung = asyncio.Event()

        async def die(transition: Any) -> None:
            if any(
                event.name == f"gate_{'waiting' if lost == 'question' else 'answered'}" for event in transition.events
            ):
                hung.set()
                await asyncio.Event().wait()

        first.journal.before_commit = die
        thread_id = (await first.start(gate())).thread.thread_id
        if lost == "answer":
            await parked(first, thread_id)
            await answer(first, thread_id)
        await hung.wait()
        await first.die()
        async with open_house(first) as second:
            if lost == "question":
                await parked(second, thread_id)
                await answer(second, thread_id)
            await second.end(thread_id)
            names = await second.names(thread_id)
    assert (names.count("gate_waiting"), names.count("gate_answered")) == (1, 1)
    assert names.count("step_complete") == 1


async def test_a_gate_that_nobody_answers_in_time_takes_its_value(house: House) -> None:
    thread_id = await waiting(house, gate(timeout="1h", on_timeout={"approved": "{input}"}), input=False)
    [told] = await data(house, thread_id, "gate_waiting")
    assert told["timeout_at"] is not None
    house.later(3_601)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == '{"approved":false}'
    [told] = await data(house, thread_id, "gate_answered")
    assert (told["by"], told["via"], told["answer"]) == (None, "timeout", {"approved": False})


async def test_a_gate_without_such_a_value_fails_for_good(house: House) -> None:
    thread_id = await waiting(house, {**gate(timeout=60), "retry": {"max_attempts": 5}})
    house.later(61)
    await house.end(thread_id)
    row = (await house.steps(thread_id))["approve"]
    assert (row.status, row.attempt) == ("failed", 1)
    assert jsontext.loads(row.error or "")["kind"] == "timeout"
    assert await data(house, thread_id, "gate_answered") == []
    with pytest.raises(Conflict) as refused:
        await answer(house, thread_id)
    assert refused.value.code == "gate_closed"


async def test_the_timeout_of_the_step_is_that_of_its_gate(house: House) -> None:
    thread_id = await waiting(house, {**gate(on_timeout=1), "timeout": 60})
    house.later(61)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == "1"


async def test_an_answer_after_the_time_but_before_its_timeout_was_noted_counts(house: House) -> None:
    thread_id = await waiting(house, gate(timeout=60, on_timeout=False))
    house.clock.advance(61)
    await answer(house, thread_id)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == '{"approved":true}'


async def test_a_value_for_the_timeout_that_does_not_fit_the_form_fails_the_step(house: House) -> None:
    thread_id = await waiting(house, gate(form=FORM, timeout=60, on_timeout={"approved": "{input}"}), input="no")
    house.later(61)
    await house.end(thread_id)
    row = (await house.steps(thread_id))["approve"]
    assert jsontext.loads(row.error or "")["kind"] == "validation"


async def test_resume_after_a_timeout_asks_anew(house: House) -> None:
    thread_id = await waiting(house, gate(timeout=60))
    house.later(61)
    await house.end(thread_id)
    await house.resume(thread_id)
    await parked(house, thread_id)
    assert [record.key.round for record in await asked(house, thread_id)] == [1, 0]
    await answer(house, thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_resume_keeps_the_answer(house: House) -> None:
    house.on("fails", Failing(ValueError("not yet"), times=1))
    thread_id = await waiting(house, gate(), step("publish", python="fails", retry={"max_attempts": 1}))
    await answer(house, thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "failed"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert len(await asked(house, thread_id)) == 1


async def test_resume_keeps_an_answer_that_nobody_had_looked_at(house: House) -> None:
    thread_id = await waiting(house, gate())
    book, [key] = MemoryGates(house.tables), house.tables.gates
    await book.answer(key, Answer(answer_json="7"))
    await house.control.cancel(thread_id)
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == "7"
    assert len(await data(house, thread_id, "gate_answered")) == 1


async def test_cancel_closes_the_gate_and_resume_asks_again(house: House) -> None:
    thread_id = await waiting(house, gate())
    await house.control.cancel(thread_id)
    assert await house.gates.listed(GateFilter(only_open=True)) == []
    with pytest.raises(Conflict) as refused:
        await answer(house, thread_id)
    assert refused.value.code == "gate_closed"
    await house.resume(thread_id)
    await parked(house, thread_id)
    assert len(await data(house, thread_id, "gate_waiting")) == 2  # once in each execution
    await answer(house, thread_id)
    await house.end(thread_id)


async def test_rollback_past_a_gate_asks_again(house: House) -> None:
    thread_id = await waiting(house, step("write"), gate())
    await answer(house, thread_id)
    await house.end(thread_id)
    await house.rollback(thread_id, 2)
    await parked(house, thread_id)
    assert [record.closed for record in await asked(house, thread_id)] == [False, True]
    await answer(house, thread_id, 2)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["approve"].output == "2"


async def test_rollback_to_after_a_gate_keeps_its_answer(house: House) -> None:
    thread_id = await waiting(house, gate(), step("publish"))
    await answer(house, thread_id)
    await house.end(thread_id)
    await house.rollback(thread_id, 2)
    await house.end(thread_id)
    assert len(await asked(house, thread_id)) == 1


async def test_a_paused_thread_takes_an_answer_and_resume_finds_it(house: House) -> None:
    thread_id = await waiting(house, gate())
    await house.control.pause(thread_id)
    await answer(house, thread_id)
    assert (await house.thread(thread_id)).status == "paused"
    await house.resume(thread_id)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_a_skipped_gate_asks_nobody(house: House) -> None:
    thread_id = await waiting(house, gate())
    await house.control.cancel(thread_id)
    await house.resume(thread_id, skip={"approve": YES})
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "completed"


async def test_what_is_shown_may_not_weigh_more_than_an_output(house: House) -> None:
    thread_id = await house.run(gate(show=["{input}", "{input}"]), input="x" * 9_000)
    row = (await house.steps(thread_id))["approve"]
    assert jsontext.loads(row.error or "")["kind"] == "output_too_large"


async def test_an_answer_that_is_not_what_was_written_fails_the_step(house: House) -> None:
    thread_id = await waiting(house, gate())
    [key] = house.tables.gates
    await house.control.pause(thread_id)
    await answer(house, thread_id)
    object.__setattr__(house.tables.gates[key], "answer_json", "666")
    await house.resume(thread_id)
    await house.end(thread_id)
    row = (await house.steps(thread_id))["approve"]
    assert jsontext.loads(row.error or "")["kind"] == "corrupt"
    assert await data(house, thread_id, "gate_answered") == []


class Twice:
    """A runner of another kind that asks twice, as a graph that is interrupted twice."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def perform(self, attempt: Attempt) -> Outcome:
        answers = []
        for n in range(2):
            book: Any = self.house.gate_book
            record = await ask(book, attempt, round=n, show={"round": n}, form={"type": "integer"})
            if not record.answered:
                return Asleep(seconds=record.left, gate=record)
            answers.append(record.answer)
        return Completed(output=answers)

    def check(self, spec: Any) -> list[str]:
        return []


async def test_a_runner_of_another_kind_may_ask_several_times(house: House) -> None:
    house.runners["agent"] = Twice(house)
    house.on("graph", Gate.opened, agent=True)
    thread_id = await waiting(house, step("graph", agent="graph", timeout=1))
    house.clock.advance(60)  # the timeout is that of an attempt: waiting does not count
    await answer(house, thread_id, 1, "graph")
    await house.until(lambda: len(house.tables.gates) == 2)
    await parked(house, thread_id)
    with pytest.raises(Conflict):
        await answer(house, thread_id, 1, "graph", round=0)
    await answer(house, thread_id, 2, "graph")
    await house.end(thread_id)
    assert (await house.steps(thread_id))["graph"].output == "[1,2]"
    told = [
        (event.name, jsontext.loads(event.data)["round"])
        for event in await house.events(thread_id)
        if "gate" in event.name
    ]
    assert told == [("gate_waiting", 0), ("gate_answered", 0), ("gate_waiting", 1), ("gate_answered", 1)]


async def test_the_deadline_of_an_execution_is_kept_while_a_gate_waits(house: House) -> None:
    thread_id = await waiting(house, gate(), doc_limits={"deadline": 60})
    house.later(61)
    await house.end(thread_id)
    assert (await house.thread(thread_id)).status == "paused"


async def test_each_item_of_a_step_may_ask(house: House) -> None:
    house.runners["agent"] = Twice(house)
    house.on("graph", Gate.opened, agent=True)
    thread_id = await waiting(house, step("graph", agent="graph", for_each=[7, 8, 9]))
    assert sorted((record.key.item, record.key.round) for record in await asked(house, thread_id, "graph")) == [
        (0, 0),
        (1, 0),
        (2, 0),
    ]
    with pytest.raises(Conflict) as refused:
        await answer(house, thread_id, 1, "graph")
    assert (refused.value.code, refused.value.details["items"]) == ("gate_ambiguous", [0, 1, 2])
    for n in range(2):
        for item in (2, 0, 1):
            await house.until(lambda n=n, item=item: (item, n) in {(key.item, key.round) for key in house.tables.gates})
            await answer(house, thread_id, 10 * item + n, "graph", item=item)
    await house.end(thread_id)
    assert (await house.steps(thread_id))["graph"].output == "[[0,1],[10,11],[20,21]]"
    names = await house.names(thread_id)
    assert (names.count("gate_waiting"), names.count("gate_answered")) == (6, 6)
