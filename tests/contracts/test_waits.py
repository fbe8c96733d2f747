"""WaitBook: a wait is opened once, a thread takes each message and each signal once, and looks at what it was given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext, topics, wishes
from app.domain.errors import Conflict, InvalidRequest, NotFound
from app.domain.ids import uuid7
from app.domain.records import ExecutionUpdate
from app.domain.status import Status
from app.domain.times import utc_now
from app.domain.waiting import WaitKey, mark
from app.domain.waits import Awaited, Got, MessageWait, Signal, SignalFilter, Taken, WaitFilter, head_of
from tests.contracts.at_step import AtStep

if TYPE_CHECKING:
    from tests.contracts.conftest import Store

HELLO = Taken(digest=b"m1", answer_json='{"id":"m1","data":"\\u0000"}', by="shop")


class Waiting(AtStep):
    """A thread whose step `wait` waits."""

    async def end(self) -> None:
        update = ExecutionUpdate(id=self.key.key_execution_id, status=Status.CANCELLED, completed_at=utc_now())
        await self.commit(status=Status.CANCELLED, incarnation_id=None, execution_updates=[update])

    async def open(self, key: WaitKey | None = None, **wanted: Any) -> MessageWait:
        return await self.store.waits.open(key or self.key, self.run_id, Awaited(**wanted))

    async def found(self) -> MessageWait:
        found = await self.store.waits.find(self.key)
        assert found is not None
        return found

    async def send(self, name: str = "go", value: Any = 1, **more: Any) -> Any:
        signal = Signal(name=name, value_json=jsontext.dumps(value), **more)
        return await self.store.waits.send(self.thread_id, signal)


async def a_wait(store: Store, **wanted: Any) -> Waiting:
    found = await Waiting.there(store)
    if wanted:
        await found.open(**wanted)
    return found


async def test_what_is_waited_for_is_kept_as_it_was_said(store: Store) -> None:
    given = '{"input": {"a": "\\u0000 x"}}'
    wait = await a_wait(store, topic="t.*", match="message.data.a", given_json=given, since=7, timeout=60)
    record = await wait.found()
    assert (record.topic, record.match, record.given_json, record.since) == ("t.*", "message.data.a", given, 7)
    assert (record.closed, record.waits, record.looked, record.signal) == (False, True, None, None)
    assert record.timeout_at == record.opened_at + timedelta(seconds=60)
    assert record.left is not None
    assert 0 < record.left <= 60


async def test_since_the_thread_is_since_the_event_with_which_it_began(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    feed = await store.reads.feed(replace(await store.reads.feed_end(), xact=0))
    [began] = [item.position.xact for item in feed if item.event.thread_id == wait.thread_id and item.event.seq == 1]
    assert (await wait.found()).since == began
    assert await store.waits.births(wait.thread_id) == {wait.key.key_execution_id: 1}


async def test_opening_again_changes_nothing(store: Store) -> None:
    wait = await a_wait(store, topic="t", timeout=60)
    first = await wait.found()
    again = await wait.open(topic="other")
    assert replace(again, left=None) == replace(first, left=None)


async def test_another_run_of_the_step_waits_anew_from_the_same_beginning(store: Store) -> None:
    wait = await a_wait(store, topic="t", since=5)
    await store.waits.looked(await wait.found(), 9)
    await wait.close_step()
    wait.run_id = uuid7()
    await wait.begin()
    again = await wait.open(topic="u", since=8, timeout=60)
    assert (again.run_id, again.topic, again.since, again.looked) == (wait.run_id, "u", 5, None)
    assert again.timeout_at is not None


async def test_a_run_that_has_ended_does_not_wait_anew(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    old, wait.run_id = wait.run_id, uuid7()
    await wait.begin()
    await wait.close_step()
    assert (await wait.open(topic="t")).run_id == old


async def test_a_message_is_kept_with_its_digest_and_wakes_a_parked_thread(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    await wait.park()
    assert await wait.claimed() == []
    got, thread = await store.waits.take(wait.key, HELLO)
    record = await wait.found()
    assert (got, thread is not None and thread.wake_at is not None) == (Got.TAKEN, True)
    assert (record.answer, record.answered_by, record.via) == ({"id": "m1", "data": "\0"}, "shop", "message")
    assert (record.answer_sha256, record.message_sha256) == (jsontext.sha256(HELLO.answer_json or ""), b"m1")
    assert await wait.claimed() == [wait.thread_id]


async def test_the_driver_of_a_thread_is_told_by_a_wish(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    _, thread = await store.waits.take(wait.key, HELLO)
    assert thread is not None
    assert wishes.is_look(thread.signal)
    assert await wait.park() == thread.signal
    assert await wait.claimed() == [wait.thread_id]


async def test_a_paused_thread_stays_paused_and_keeps_the_message(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    await wait.park(status=Status.PAUSED)
    got, thread = await store.waits.take(wait.key, HELLO)
    assert thread is not None
    assert (got, thread.status, thread.wake_at, thread.signal) == (Got.TAKEN, Status.PAUSED, None, None)


async def test_a_thread_takes_each_message_once(store: Store) -> None:
    wait, other = await a_wait(store, topic="t"), await a_wait(store, topic="t")
    second = replace(wait.key, item=3)
    await wait.open(second, topic="t")
    assert (await store.waits.take(wait.key, HELLO))[0] is Got.TAKEN
    assert (await store.waits.take(second, HELLO))[0] is Got.HAD
    assert set(await store.waits.had(wait.thread_id, [b"m1", b"m2"])) == {b"m1"}
    assert (await store.waits.take(wait.key, HELLO))[0] is Got.HAD
    assert (await store.waits.take(other.key, HELLO))[0] is Got.TAKEN
    assert (await store.waits.take(wait.key, replace(HELLO, digest=b"m2")))[0] is Got.CLOSED
    assert (await store.waits.take(second, replace(HELLO, digest=b"m2")))[0] is Got.TAKEN


async def test_of_many_who_give_it_a_message_at_once_one_does(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    keys = [replace(wait.key, item=item) for item in range(4)]
    for key in keys:
        await wait.open(key, topic="t")
    outcomes = await asyncio.gather(*(store.waits.take(key, HELLO) for key in keys for _ in range(2)))
    assert sorted(got.value for got, _ in outcomes) == ["had"] * 7 + ["taken"]


async def test_many_threads_are_given_something_at_once(store: Store) -> None:
    waits = [await a_wait(store, topic="t") for _ in range(5)]
    parked, driven, spoilt, had, ended = waits
    await parked.park()
    await store.waits.take(had.key, HELLO)
    await had.open(replace(had.key, item=1), topic="t")
    await ended.close_step()
    error = Taken(digest=b"m2", error_json='{"kind":"expression"}')
    keys = [parked.key, driven.key, spoilt.key, replace(had.key, item=1), ended.key]
    given = await store.waits.give([(key, error if key == spoilt.key else HELLO) for key in keys])
    assert [got for got, _ in given] == [Got.TAKEN, Got.TAKEN, Got.TAKEN, Got.HAD, Got.CLOSED]
    assert [thread and thread.thread_id for _, thread in given[:3]] == [wait.thread_id for wait in waits[:3]]
    assert wishes.is_look(given[1][1].signal if given[1][1] else None)
    found = await parked.found()
    assert (found.answer, found.answered_by, found.via, found.message_sha256) == (
        {"id": "m1", "data": "\0"}, "shop", "message", b"m1",
    )  # fmt: skip
    assert (await spoilt.found()).error_json == error.error_json
    assert await parked.claimed() == [parked.thread_id]
    assert await store.waits.give([]) == []


async def test_of_a_message_and_the_timeout_whichever_was_first_holds(store: Store) -> None:
    for number in range(5):
        wait = await a_wait(store, topic="t", timeout=0)
        taken, timed_out = await asyncio.gather(
            store.waits.take(wait.key, replace(HELLO, digest=bytes([number]))), store.waits.time_out(wait.key, "7")
        )
        found = await wait.found()
        assert timed_out.answer_json == found.answer_json
        assert found.via == ("message" if taken[0] is Got.TAKEN else "timeout")


async def test_a_condition_that_cannot_be_decided_closes_the_wait(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    got, thread = await store.waits.take(wait.key, Taken(digest=b"m1", by="shop", error_json='{"kind":"expression"}'))
    record = await wait.found()
    assert (got, thread is not None, record.expired, record.via) == (Got.TAKEN, True, True, "error")
    assert record.error_json == '{"kind":"expression"}'


async def test_what_has_ended_takes_nothing(store: Store) -> None:
    step_ended, thread_ended = await a_wait(store, topic="t"), await a_wait(store, topic="t")
    await step_ended.close_step()
    await thread_ended.end()
    for wait in (step_ended, thread_ended):
        assert (await store.waits.take(wait.key, HELLO))[0] is Got.CLOSED
        assert (await wait.found()).closed is False
    nobody = replace(step_ended.key, thread_id="nobody")
    assert (await store.waits.take(nobody, HELLO))[0] is Got.CLOSED


async def test_the_log_is_searched_anew_where_something_was_missed(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    record = await wait.found()
    assert await store.waits.missed(record)
    assert not await store.waits.looked(record, 7)
    assert (await wait.found()).looked is None
    assert await store.waits.looked(record, 8)
    assert (await wait.found()).looked == 8
    assert not await store.waits.missed(record)
    assert await store.waits.looked(record, None)
    assert (await wait.found()).looked is None


async def test_what_was_searched_for_another_run_does_not_count(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    old = replace(await wait.found(), run_id=uuid7())
    assert await store.waits.looked(old, 7)
    assert not await store.waits.missed(old)
    assert (await wait.found()).looked is None


async def test_those_that_are_behind_are_found(store: Store) -> None:
    behind, searched = await a_wait(store, topic="t"), await a_wait(store, topic="t")
    signalled, ended = await a_wait(store, signal="go"), await a_wait(store, topic="t")
    await store.waits.looked(await searched.found(), 7)
    await ended.close_step()
    keys = [record.key for record in await store.waits.behind(-1, 10) if record.waits]
    assert keys == [behind.key]
    assert signalled.key not in keys
    assert await store.waits.behind(3_600, 10) == []


@pytest.mark.parametrize(
    "topic", ["t", "a.b", "a.b.c", "*", ">", "*.b", "a.>", "workflow.>", "workflow.*.y",
              "workflow.step_start.y", "workflow.step_start.>", "workflow.step_start.*.z", "workflows.a.b"],
)  # fmt: skip
async def test_each_topic_has_its_head(store: Store, topic: str) -> None:
    await a_wait(store, topic=topic)
    topics.check_pattern(topic)
    assert await store.waits.heads(10) == [head_of(topic)]


async def test_heads_and_wanted_topics_are_told_once_each(store: Store) -> None:
    for topic in ("a.b", "a.c", "a.c", "b.*", "workflow.step_start.x"):
        await a_wait(store, topic=topic)
    await a_wait(store, signal="a.b")
    gone = await a_wait(store, topic="gone")
    await gone.close_step()
    await store.waits.open_for("gone", None, 10)  # which finds that nobody waits there
    assert await store.waits.heads(10) == ["a.>", "b.>", "workflow.step_start.>"]
    assert await store.waits.heads(1) == ["a.>"]
    assert await store.waits.heads(10, first="b.>") == ["b.>", "workflow.step_start.>"]
    assert sorted(await store.waits.wanted(["a.c", "b.x", "c", "gone"])) == ["a.c", "b.*"]


@pytest.mark.parametrize("topic", ["a", "a.b", "a.b.c"])
async def test_each_pattern_that_means_a_topic_is_found(store: Store, topic: str) -> None:
    patterns = [">", "*", "a.>", "a.*", "*.b", "*.*", "a.b.>", "a.*.c", "a.b.*", "*.b.>", "a.b.c.>", "b.>", "*.*.*.*"]
    for pattern in patterns:
        await a_wait(store, topic=pattern)
    assert sorted(await store.waits.wanted([topic, "z"])) == sorted(
        pattern for pattern in patterns if topics.matches(pattern, topic) or topics.matches(pattern, "z")
    )


async def test_one_that_rests_is_awake_again_once_somebody_waits_anew(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    await wait.close_step()
    await store.waits.open_for("t", None, 10)
    assert await store.waits.heads(10) == []
    wait.run_id = uuid7()
    await wait.begin()
    await wait.open(topic="t")
    assert await store.waits.heads(10) == ["t"]
    assert (await store.waits.take(wait.key, HELLO))[0] is Got.TAKEN


async def test_open_waits_of_a_topic_come_in_pages_by_thread(store: Store) -> None:
    waits = [await a_wait(store, topic="t") for _ in range(3)]
    for wait in waits:
        await wait.open(replace(wait.key, item=1), topic="t")
    expected = [
        key for wait in sorted(waits, key=lambda one: one.thread_id) for key in (wait.key, replace(wait.key, item=1))
    ]
    found: list[WaitKey] = []
    after = None
    while page := await store.waits.open_for("t", after, 2):
        found += [record.key for record in page]
        after = page[-1]
    assert found == expected


async def test_waits_are_listed_newest_first_with_filters(store: Store) -> None:
    first, second = await a_wait(store, topic="t"), await a_wait(store, signal="go")
    ended = await a_wait(store, topic="u")
    await ended.close_step()
    await store.waits.take(first.key, replace(HELLO, answer_json=jsontext.dumps("x" * 100_000)))

    async def listed(**where: Any) -> list[WaitKey]:
        return [record.key for record in await store.waits.listed(WaitFilter(**where))]

    assert await listed() == [ended.key, second.key, first.key]
    assert await listed(is_open=True) == [second.key]
    assert await listed(is_open=False) == [ended.key, first.key]
    assert await listed(thread_id=first.thread_id) == await listed(topic="t") == [first.key]
    assert await listed(signal="go", step_id="wait") == [second.key]
    [newest] = await store.waits.listed(WaitFilter(limit=1))
    assert await listed(before=(newest.opened_at, newest.key)) == [second.key, first.key]
    [long] = await store.waits.listed(WaitFilter(topic="t"))
    assert long.answer["truncated"]


# ---- signals


async def test_a_signal_is_taken_by_the_wait_that_is_there(store: Store) -> None:
    wait = await a_wait(store, signal="go")
    await wait.park()
    sent = await wait.send(value={"n": "\0"}, by="ana")
    record = await wait.found()
    assert (record.answer, record.answered_by, record.via) == ({"n": "\0"}, "ana", "signal")
    assert record.answer_sha256 == sent.signal.value_sha256
    assert (sent.signal.taken_by, sent.signal.place, sent.thread.wake_at is not None) == (wait.key, 1, True)
    assert await wait.claimed() == [wait.thread_id]


async def test_a_signal_waits_for_its_wait_and_the_first_goes_first(store: Store) -> None:
    wait = await a_wait(store)
    for number in (1, 2):
        assert (await wait.send(value=number)).signal.taken_by is None
    await wait.send("other", 9)
    assert [(await wait.open(replace(wait.key, item=item), signal="go")).answer for item in range(3)] == [1, 2, None]
    pending = await store.waits.signals(SignalFilter(thread_id=wait.thread_id, pending=True))
    taken = await store.waits.signals(SignalFilter(thread_id=wait.thread_id, pending=False))
    assert [one.name for one in pending] == ["other"]
    assert [one.taken_by for one in taken] == [replace(wait.key, item=item) for item in range(2)]


async def test_of_several_waits_the_longest_open_takes_it(store: Store) -> None:
    wait = await a_wait(store)
    keys = [replace(wait.key, item=item) for item in (5, 1)]
    for key in keys:
        await wait.open(key, signal="go")
    assert (await wait.send()).signal.taken_by == keys[0]
    assert (await wait.send()).signal.taken_by == keys[1]


async def test_signals_and_waits_at_one_moment_come_together(store: Store) -> None:
    wait = await a_wait(store)
    keys = [replace(wait.key, item=item) for item in range(5)]
    await asyncio.gather(
        *(wait.open(key, signal="go") for key in keys), *(wait.send(value=number) for number in range(5))
    )
    answers = [found.answer for key in keys if (found := await store.waits.find(key)) is not None]
    assert sorted(answers) == [0, 1, 2, 3, 4]
    assert await store.waits.signals(SignalFilter(thread_id=wait.thread_id, pending=True)) == []


async def test_a_wait_of_a_run_that_is_over_takes_no_signal(store: Store) -> None:
    wait = await a_wait(store)
    await wait.send()
    await wait.close_step()
    assert not (await wait.open(signal="go")).closed
    [pending] = await store.waits.signals(SignalFilter(thread_id=wait.thread_id))
    assert pending.taken_by is None


async def test_a_signal_from_before_the_input_does_not_count(store: Store) -> None:
    wait = await a_wait(store)
    sent = await wait.send()
    assert not (await wait.open(signal="go", begin=sent.signal.at_seq + 1)).closed


async def test_who_has_ended_or_is_not_there_takes_no_signal(store: Store) -> None:
    wait = await a_wait(store, signal="go")
    await wait.end()
    with pytest.raises(Conflict) as ended:
        await wait.send()
    with pytest.raises(NotFound) as unknown:
        await store.waits.send("nobody", Signal(name="go", value_json="1"))
    assert (ended.value.code, unknown.value.code) == ("thread_ended", "thread_not_found")


async def test_one_key_sends_one_signal_also_after_the_end(store: Store) -> None:
    wait = await a_wait(store)
    first, again = await asyncio.gather(*(wait.send(key="k", request_sha256=b"1") for _ in range(2)))
    assert sorted([first.replayed, again.replayed]) == [False, True]
    assert len(await store.waits.signals(SignalFilter(thread_id=wait.thread_id))) == 1
    with pytest.raises(InvalidRequest) as refused:
        await wait.send(key="k", request_sha256=b"2")
    assert refused.value.code == "idempotency_key_reused"
    await wait.end()
    assert (await wait.send(key="k", request_sha256=b"1")).replayed


async def test_a_thread_keeps_only_so_many_signals(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app.store.waits", "app.store.memory_waits"):
        monkeypatch.setattr(f"{module}.MOST_PENDING", 2)
    wait = await a_wait(store)
    await wait.send()
    await wait.send()
    with pytest.raises(Conflict) as refused:
        await wait.send()
    assert refused.value.code == "signals_full"
    await wait.open(signal="go")
    assert (await wait.send()).signal.place == 3


async def test_signals_are_listed_in_pages(store: Store) -> None:
    wait = await a_wait(store)
    for number in range(3):
        await wait.send(value=number)
    page = await store.waits.signals(SignalFilter(thread_id=wait.thread_id, after=1, limit=1, name="go"))
    assert [(one.place, one.value_json) for one in page] == [(2, "1")]


async def test_what_has_been_told_is_known_by_the_events(store: Store) -> None:
    wait = await a_wait(store, topic="t")
    begins, told = jsontext.dumps({**mark(wait.key), "topic": "t"}), {"step_id": "wait", "run_id": wait.run_id}
    await wait.driver.commit(store.journal, wait.driver.event("message_waiting", data=begins, **told))
    found = await wait.found()
    assert (found.told_waiting, found.told_answered) == (True, False)
    await wait.driver.commit(store.journal, wait.driver.event("message_received", data=begins, **told))
    assert (await wait.found()).told_answered
