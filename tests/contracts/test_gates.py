"""GateBook: a question is asked once, the first answer holds, and its thread looks at it wherever it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext, wishes
from app.domain.errors import Conflict, NotFound
from app.domain.gates import Answer, GateFilter, GateRecord, Question, mark
from app.domain.ids import uuid7
from app.domain.records import ExecutionUpdate
from app.domain.status import Status
from app.domain.times import utc_now
from tests.contracts.at_step import AtStep

if TYPE_CHECKING:
    from tests.contracts.conftest import Store

YES = Answer(answer_json='{"approved":true}', by="ana")
NO = Answer(answer_json='{"approved":false}', by="bob", via="cli")


class AtGate(AtStep):
    """A thread whose step `approve` waits at a gate."""

    STEP = "approve"

    async def open(self, **question: Any) -> None:
        await self.store.gates.open(self.key, self.run_id, Question(**question))


@pytest.fixture
async def gate(store: Store) -> AtGate:
    """One whose gate is open, and which somebody drives."""
    return await at_gate(store)


async def at_gate(store: Store, **question: Any) -> AtGate:
    found = await AtGate.there(store)
    await found.open(**question)
    return found


async def test_a_question_is_kept_as_it_was_asked(store: Store) -> None:
    asked = Question(
        show='{"draft": "\\u0000 x"}', form='{"type": "object"}', title="Publish?", assignees=("ana", "bob"), timeout=60
    )
    gate = await at_gate(store)
    key = replace(gate.key, round=1)
    opened = await store.gates.open(key, gate.run_id, asked)
    assert opened == replace(await store.gates.find(key) or opened, left=opened.left)
    assert (opened.show_json, opened.form_json, opened.title) == (asked.show, asked.form, "Publish?")
    assert (opened.assignees, opened.closed, opened.answer) == (("ana", "bob"), False, None)
    assert opened.timeout_at == opened.opened_at + timedelta(seconds=60)
    assert opened.left is not None
    assert 0 < opened.left <= 60


async def test_asking_again_changes_nothing(store: Store) -> None:
    gate = await at_gate(store, title="first", timeout=60)
    first = await store.gates.find(gate.key)
    again = await store.gates.open(gate.key, gate.run_id, Question(title="second"))
    assert first is not None
    assert again == replace(first, left=again.left)


async def test_another_run_of_the_step_asks_anew_and_its_time_begins_again(gate: AtGate) -> None:
    await gate.close_step()
    gate.run_id, before = uuid7(), await gate.store.gates.find(gate.key)
    await gate.begin()
    again = await gate.store.gates.open(gate.key, gate.run_id, Question(timeout=60))
    assert before is not None
    assert (again.run_id, again.opened_at > before.opened_at) == (gate.run_id, True)
    assert again.timeout_at is not None


async def test_a_run_that_has_ended_does_not_ask_anew(gate: AtGate) -> None:
    old, gate.run_id = gate.run_id, uuid7()
    await gate.begin()
    await gate.close_step()
    assert (await gate.store.gates.open(gate.key, gate.run_id, Question())).run_id == old


async def test_an_answer_is_kept_with_its_digest_and_who_gave_it(gate: AtGate) -> None:
    record, _ = await gate.store.gates.answer(gate.key, YES)
    found = await gate.store.gates.find(gate.key)
    assert found is not None
    assert (found.answer, found.answered_by, found.via) == ({"approved": True}, "ana", "api")
    assert found.answer_sha256 == jsontext.sha256(YES.answer_json)
    assert (found.answered, found.sound, record.answered_at) == (True, True, found.answered_at)


async def test_an_answer_of_null_is_an_answer(gate: AtGate) -> None:
    await gate.store.gates.answer(gate.key, Answer(answer_json="null"))
    found = await gate.store.gates.find(gate.key)
    assert found is not None
    assert (found.answered, found.expired, found.answer) == (True, False, None)


async def test_the_second_answer_is_told_of_the_first(gate: AtGate) -> None:
    await gate.store.gates.answer(gate.key, YES)
    with pytest.raises(Conflict) as refused:
        await gate.store.gates.answer(gate.key, NO)
    assert refused.value.code == "gate_answered"
    assert refused.value.details["answer"] == {"approved": True}
    assert refused.value.details["answered_by"] == "ana"


async def test_of_many_answers_at_once_exactly_one_wins(gate: AtGate) -> None:
    answers = [Answer(answer_json=str(n), by=str(n)) for n in range(8)]
    outcomes = await asyncio.gather(
        *(gate.store.gates.answer(gate.key, each) for each in answers), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    [won] = [outcome[0] for outcome in outcomes if isinstance(outcome, tuple)]
    found = await gate.store.gates.find(gate.key)
    assert found is not None
    assert (found.answer_json, found.answered_by) == (won.answer_json, won.answered_by)


async def test_of_an_answer_and_the_timeout_whichever_was_first_holds(store: Store) -> None:
    for _ in range(5):
        gate = await at_gate(store, timeout=0)
        answered, timed_out = await asyncio.gather(
            store.gates.answer(gate.key, YES), store.gates.time_out(gate.key, "7"), return_exceptions=True
        )
        found = await store.gates.find(gate.key)
        assert found is not None
        assert not isinstance(timed_out, BaseException)
        assert timed_out.answer_json == found.answer_json
        assert found.via == ("timeout" if isinstance(answered, Conflict) else "api")
        assert (await store.gates.time_out(gate.key, "8")).answer_json == found.answer_json


async def test_a_gate_is_not_timed_out_before_its_time(store: Store) -> None:
    for question in ({"timeout": 60}, {}):
        gate = await at_gate(store, **question)
        assert not (await store.gates.time_out(gate.key, "7")).closed


async def test_without_a_value_a_timed_out_gate_is_closed_and_has_no_answer(store: Store) -> None:
    gate = await at_gate(store, timeout=0)
    record = await store.gates.time_out(gate.key, None)
    assert (record.closed, record.answered, record.expired, record.via) == (True, False, True, "timeout")
    with pytest.raises(Conflict) as refused:
        await store.gates.answer(gate.key, YES)
    assert refused.value.code == "gate_closed"


async def test_a_value_of_null_stands_in_for_an_answer(store: Store) -> None:
    gate = await at_gate(store, timeout=0)
    record = await store.gates.time_out(gate.key, "null")
    assert (record.answered, record.expired, record.sound) == (True, False, True)


async def test_what_is_not_there_cannot_be_answered(gate: AtGate) -> None:
    for key, code in [
        (replace(gate.key, thread_id="nobody"), "thread_not_found"),
        (replace(gate.key, step_id="other"), "gate_not_found"),
        (replace(gate.key, round=3), "gate_not_found"),
    ]:
        with pytest.raises(NotFound) as refused:
            await gate.store.gates.answer(key, YES)
        assert refused.value.code == code
    assert await gate.store.gates.find(replace(gate.key, round=3)) is None


async def test_a_gate_is_closed_once_its_step_run_or_its_thread_has_ended(store: Store) -> None:
    step_ended, thread_ended = await at_gate(store), await at_gate(store)
    await step_ended.close_step()
    await thread_ended.commit(
        status=Status.CANCELLED,
        incarnation_id=None,
        execution_updates=[
            ExecutionUpdate(id=thread_ended.key.key_execution_id, status=Status.CANCELLED, completed_at=utc_now())
        ],
    )
    for gate in (step_ended, thread_ended):
        with pytest.raises(Conflict) as refused:
            await store.gates.answer(gate.key, YES)
        assert refused.value.code == "gate_closed"
        found = await store.gates.find(gate.key)
        assert found is not None
        assert found.closed is False


async def test_an_answer_makes_a_parked_thread_due(gate: AtGate) -> None:
    await gate.park()
    assert (await gate.claimed(), await gate.store.journal.next_due()) == ([], None)
    _, thread = await gate.store.gates.answer(gate.key, YES)
    assert (thread.wake_at is not None, thread.signal) == (True, None)
    assert await gate.store.journal.next_due() == 0
    assert await gate.claimed() == [gate.thread_id]


async def test_an_answer_makes_a_thread_due_that_also_waits_for_a_time(gate: AtGate) -> None:
    await gate.park(wake_at=utc_now() + timedelta(hours=1))
    await gate.store.gates.answer(gate.key, YES)
    assert await gate.claimed() == [gate.thread_id]


async def test_a_paused_thread_stays_paused_and_keeps_the_answer(gate: AtGate) -> None:
    await gate.park(status=Status.PAUSED)
    _, thread = await gate.store.gates.answer(gate.key, YES)
    assert (thread.status, thread.wake_at, thread.signal) == (Status.PAUSED, None, None)


async def test_the_driver_of_a_thread_is_told_by_a_wish_of_its_own(gate: AtGate) -> None:
    _, first = await gate.store.gates.answer(gate.key, YES)
    second = replace(gate.key, round=1)
    await gate.store.gates.open(second, gate.run_id, Question())
    _, thread = await gate.store.gates.answer(second, YES)
    assert wishes.is_look(first.signal)
    assert wishes.is_look(thread.signal)
    assert first.signal != thread.signal
    assert thread.wake_at is None
    assert await gate.commit() == thread.signal
    assert await gate.claimed() == []


@pytest.mark.parametrize("wish", ["pause", "cancel:enough"])
async def test_an_answer_does_not_displace_a_wish_to_pause_or_cancel(gate: AtGate, wish: str) -> None:
    await gate.store.journal.signal(gate.thread_id, wish)
    _, thread = await gate.store.gates.answer(gate.key, YES)
    assert thread.signal == wish


async def test_an_answer_that_comes_while_the_thread_is_being_parked_makes_it_due(gate: AtGate) -> None:
    await gate.store.gates.answer(gate.key, YES)
    assert wishes.is_look(await gate.park())
    assert await gate.store.journal.next_due() == 0
    assert await gate.claimed() == [gate.thread_id]


async def test_whoever_takes_the_thread_up_has_met_the_wish(gate: AtGate) -> None:
    await gate.store.gates.answer(gate.key, YES)
    await gate.park()
    await gate.claimed()
    thread = await gate.store.reads.thread(gate.thread_id)
    assert thread is not None
    assert thread.signal is None


async def test_a_wish_to_pause_outlives_the_taking_up(gate: AtGate) -> None:
    await gate.store.journal.signal(gate.thread_id, wishes.PAUSE)
    await gate.park()
    await gate.claimed()
    thread = await gate.store.reads.thread(gate.thread_id)
    assert thread is not None
    assert thread.signal == wishes.PAUSE


async def test_a_thread_that_waits_to_be_woken_can_be_woken(gate: AtGate) -> None:
    await gate.park()
    await gate.store.journal.wake(gate.thread_id)
    assert await gate.claimed() == [gate.thread_id]


async def test_waking_does_not_touch_a_paused_or_driven_thread(store: Store) -> None:
    paused, driven = await at_gate(store), await at_gate(store)
    await paused.park(status=Status.PAUSED)
    for gate in (paused, driven):
        await store.journal.wake(gate.thread_id)
    assert await store.journal.next_due() is None


async def test_an_answer_reaches_a_thread_whose_driver_has_died(gate: AtGate) -> None:
    process = gate.driver.thread.incarnation_id
    assert process is not None
    await gate.store.gates.answer(gate.key, YES)
    await gate.store.journal.close_incarnation(process, crashed=True)
    assert await gate.claimed() == [gate.thread_id]


async def found_of(gate: AtGate) -> GateRecord:
    found = await gate.store.gates.find(gate.key)
    assert found is not None
    return found


async def test_what_has_been_told_is_known_by_the_events(gate: AtGate) -> None:
    begins = jsontext.dumps({**mark(gate.key), "show": "\u0000"})
    told = {"step_id": "approve", "run_id": gate.run_id}
    other = jsontext.dumps({**mark(replace(gate.key, round=10)), "show": None})
    await gate.driver.commit(gate.store.journal, gate.driver.event("gate_waiting", data=other, **told))
    assert not (await found_of(gate)).told_waiting
    await gate.driver.commit(gate.store.journal, gate.driver.event("gate_waiting", data=begins, **told))
    found = await found_of(gate)
    assert (found.told_waiting, found.told_answered) == (True, False)
    await gate.driver.commit(gate.store.journal, gate.driver.event("gate_answered", data=begins, **told))
    assert (await found_of(gate)).told_answered


async def test_the_question_of_another_run_has_not_been_told(gate: AtGate) -> None:
    begins, told = jsontext.dumps({**mark(gate.key), "x": 1}), {"step_id": "approve", "run_id": gate.run_id}
    for name in ("gate_waiting", "gate_answered"):
        await gate.driver.commit(gate.store.journal, gate.driver.event(name, data=begins, **told))
    gate.run_id = uuid7()
    await gate.begin()
    again = await gate.store.gates.open(gate.key, gate.run_id, Question())
    assert (again.told_waiting, again.told_answered) == (False, True)


async def test_gates_are_listed_newest_first_in_pages(store: Store) -> None:
    gates = [await at_gate(store, assignees=("ana",) if n % 2 else ()) for n in range(5)]
    newest = [gate.key for gate in reversed(gates)]
    first = await store.gates.listed(GateFilter(only_open=True, limit=3))
    rest = await store.gates.listed(GateFilter(only_open=True, before=(first[-1].opened_at, first[-1].key)))
    assert [record.key for record in first + rest] == newest
    mine = await store.gates.listed(GateFilter(assignee="ana", only_open=True))
    assert [record.key for record in mine] == [newest[1], newest[3]]


async def test_the_gates_of_a_thread_are_listed_with_their_answers(gate: AtGate) -> None:
    await at_gate(gate.store)
    await gate.store.gates.answer(gate.key, YES)
    await gate.store.gates.open(replace(gate.key, round=1), gate.run_id, Question())
    found = await gate.store.gates.listed(GateFilter(thread_id=gate.thread_id))
    assert [(record.key.round, record.answer) for record in found] == [(1, None), (0, {"approved": True})]
    assert await gate.store.gates.listed(GateFilter(thread_id=gate.thread_id, step_id="other")) == []


async def test_what_cannot_be_answered_is_not_among_the_open_ones(store: Store) -> None:
    answered, closed, ended = await at_gate(store), await at_gate(store), await at_gate(store)
    await store.gates.answer(answered.key, YES)
    await closed.close_step()
    await ended.commit(status=Status.FAILED, incarnation_id=None)
    assert await store.gates.listed(GateFilter(only_open=True)) == []
    assert len(await store.gates.listed(GateFilter())) == 3


async def test_a_list_tells_a_long_value_by_a_preview(store: Store) -> None:
    text = jsontext.dumps("\u0000 x" * 40_000)
    gate = await at_gate(store, show=text)
    await store.gates.answer(gate.key, Answer(answer_json=text))
    [record] = await store.gates.listed(GateFilter())
    for short in (record.show_json, record.answer_json):
        value = jsontext.loads(short or "")
        assert (value["truncated"], value["size_bytes"], value["preview"]) == (True, len(text), text[:1024])
    whole = await store.gates.find(gate.key)
    assert whole is not None
    assert (whole.show_json, whole.answer_json) == (text, text)
