"""Waits on the engine: a message or a signal is taken once, told once, and never lost, whatever comes between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.errors import Conflict, InvalidRequest, NotFound
from app.domain.waits import Got, Signal, SignalFilter, Taken, WaitFilter
from app.engine.waits import digest_of
from app.store.memory import MemoryJournal
from app.store.memory_waits import MemoryWaits
from app.triggers.waits import BEHIND, CatchUp, MessageGiver
from tests.post import Post, followed
from tests.unit.engine.house import Failing, Gate, House, open_house, step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.waiting import WaitKey
    from app.domain.waits import MessageWait, Sent


def waits_for(step_id: str = "wait", **parts: Any) -> dict[str, Any]:
    """A step that waits; what does not belong to the wait is the step's."""
    own = {name: parts.pop(name) for name in ("needs", "for_each", "repeat", "assign", "concurrency") if name in parts}
    return {"id": step_id, "wait_for": parts, **own}


def paid(**parts: Any) -> dict[str, Any]:
    return waits_for(**{"topic": "orders.{input.order}.paid", **parts})


@pytest.fixture
async def post(house: House) -> AsyncGenerator[Post]:
    """A log that is followed."""
    log = Post(house.tables)
    async with followed(house.waits, log, house.tables):
        yield log


async def parked(house: House, thread_id: str) -> None:
    await house.until(lambda: house.tables.threads[thread_id].incarnation_id is None)
    await house.until_status(thread_id, "waiting")
    await house.until(lambda: house.worker.running == 0)


async def waiting(house: House, *steps: dict[str, Any], **options: Any) -> str:
    """A thread that is parked at its wait."""
    thread_id = (await house.start(*steps, **options)).thread.thread_id
    await parked(house, thread_id)
    return thread_id


async def send(house: House, thread_id: str, name: str = "go", value: Any = None, **more: Any) -> Sent:
    return await house.waits.send(thread_id, Signal(name=name, value_json=jsontext.dumps(value), **more))


async def output(house: House, thread_id: str, step_id: str = "wait") -> Any:
    await house.end(thread_id)
    text = (await house.steps(thread_id))[step_id].output
    return None if text is None else jsontext.loads(text)


async def data(house: House, thread_id: str, name: str) -> list[dict[str, Any]]:
    return [jsontext.loads(event.data) for event in await house.events(thread_id, name)]


async def of(house: House, thread_id: str) -> list[MessageWait]:
    return await house.waits.listed(WaitFilter(thread_id=thread_id))


async def error(house: House, thread_id: str) -> dict[str, Any]:
    await house.end(thread_id)
    return jsontext.loads((await house.execution(thread_id)).error or "null")


async def test_the_output_is_the_message(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), input={"order": 7})
    row = await house.thread(thread_id)
    assert (row.wake_at, row.incarnation_id, row.status) == (None, None, "waiting")
    post.publish("orders.8.paid")
    message = post.publish("orders.7.paid", {"amount": 3})
    assert await output(house, thread_id) == message.scope()


async def test_the_waiting_and_the_message_are_told_once_each(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(match="message.data.amount > 1"), input={"order": 7})
    told = {"round": 0, "item": None, "status": "waiting", "progress": 0.0, "topic": "orders.7.paid"}
    match = {"match": "message.data.amount > 1", "timeout_at": None}
    assert await data(house, thread_id, "message_waiting") == [{**told, **match}]
    message = post.publish("orders.7.paid", {"amount": 3})
    await house.end(thread_id)
    [received] = await data(house, thread_id, "message_received")
    assert (received["by"], received["via"], received["message"]) == ("test", "message", message.scope())
    names = await house.names(thread_id)
    assert names == [
        "workflow_start", "step_start", "message_waiting", "message_received", "step_complete", "workflow_complete",
    ]  # fmt: skip


async def test_a_condition_passes_over_what_it_does_not_want(house: House, post: Post) -> None:
    steps = [step("price", input=10), paid(match="message.data.amount >= price.output && has(input.order)")]
    thread_id = await waiting(house, *steps, input={"order": 7})
    post.publish("orders.7.paid", {"amount": 9})
    wanted = post.publish("orders.7.paid", {"amount": 10})
    assert (await output(house, thread_id))["id"] == wanted.id
    [record] = await of(house, thread_id)
    assert record.match is not None


async def test_a_pattern_takes_any_of_its_topics(house: House, post: Post) -> None:
    thread_id = await waiting(house, waits_for(topic="orders.*.paid"))
    post.publish("orders.paid")
    message = post.publish("orders.x.paid")
    assert (await output(house, thread_id))["id"] == message.id


async def test_a_message_from_before_the_step_began_counts(house: House, post: Post) -> None:
    work = Gate("done")
    house.on("work", work)
    thread_id = (await house.start(step("first", python="work"), paid(), input={"order": 7})).thread.thread_id
    await house.until(lambda: work.entered)
    early, _ = post.publish("orders.7.paid", 1), post.publish("orders.7.paid", 2)
    work.open()
    assert (await output(house, thread_id))["id"] == early.id


async def test_since_step_counts_only_what_comes_after_it_began(house: House, post: Post) -> None:
    work = Gate("done")
    house.on("work", work)
    steps = [step("first", python="work"), paid(since="step")]
    thread_id = (await house.start(*steps, input={"order": 7})).thread.thread_id
    await house.until(lambda: work.entered)
    post.publish("orders.7.paid", "early")
    work.open()
    await parked(house, thread_id)
    post.publish("orders.7.paid", "late")
    assert (await output(house, thread_id))["data"] == "late"


async def test_what_was_said_before_the_thread_began_does_not_count(house: House, post: Post) -> None:
    post.publish("orders.7.paid", "old")
    thread_id = await waiting(house, paid(), input={"order": 7})
    post.publish("orders.7.paid", "new")
    assert (await output(house, thread_id))["data"] == "new"


async def test_a_new_input_for_the_thread_begins_anew(house: House, post: Post) -> None:
    thread_id = (await house.start(step("first"), paid(), input={"order": 7})).thread.thread_id
    await parked(house, thread_id)
    for text in ("one", "two"):
        post.publish("orders.7.paid", text)
    assert (await output(house, thread_id))["data"] == "one"
    document = house.tables.workflows[(await house.thread(thread_id)).definition_id].document
    from app.domain.commands import StartCommand

    again = StartCommand(
        workflow=jsontext.loads(document), input={"order": 7}, has_input=True, thread_id=thread_id
    )
    await house.control.start(again)
    await parked(house, thread_id)
    post.publish("orders.7.paid", "three")
    assert (await output(house, thread_id))["data"] == "three"


async def test_each_message_is_for_one_wait_of_a_thread(house: House, post: Post) -> None:
    steps = [waits_for("a", topic="t", needs=[]), waits_for("b", topic="t", needs=[]), waits_for("c", topic="t")]
    thread_id = await waiting(house, *steps)
    messages = [post.publish("t", n, id=f"m{n}") for n in range(3)]
    taken = {(await output(house, thread_id, name))["id"] for name in "abc"}
    assert taken == {message.id for message in messages}


async def test_threads_do_not_take_each_others_messages(house: House, post: Post) -> None:
    threads = [await waiting(house, waits_for(topic="t")) for _ in range(3)]
    message = post.publish("t")
    assert [(await output(house, one))["id"] for one in threads] == [message.id] * 3


async def test_items_and_iterations_take_one_each(house: House, post: Post) -> None:
    steps = [
        waits_for("each", topic="t.{item}", for_each=["a", "b"]),
        waits_for("laps", topic="lap", repeat={"until": "laps.output.data == 'stop'", "max_iterations": 5}),
    ]
    thread_id = (await house.start(*steps)).thread.thread_id
    await house.until(lambda: len(house.tables.waits) == 2)
    post.publish("t.b", "b")
    post.publish("t.a", "a")
    for text in ("go", "go", "stop"):
        post.publish("lap", text)
    assert [one["data"] for one in await output(house, thread_id, "each")] == ["a", "b"]
    assert (await output(house, thread_id, "laps"))["data"] == "stop"
    assert len(await data(house, thread_id, "message_received")) == 5


async def test_a_bad_condition_fails_its_own_step_alone(house: House, post: Post) -> None:
    bad = await waiting(house, waits_for(topic="t", match="message.data.amount > 1"))
    good = await waiting(house, waits_for(topic="t"))
    post.publish("t", {"cost": 1}, id="m1")
    assert (await output(house, good))["id"] == "m1"
    told = await error(house, bad)
    assert (told["kind"], "m1 on t" in told["message"]) == ("expression", True)
    await house.resume(bad)
    await parked(house, bad)
    post.publish("t", {"amount": 2})
    assert (await output(house, bad))["data"] == {"amount": 2}


async def test_what_is_no_topic_fails_the_step(house: House, post: Post) -> None:
    thread_id = await house.run(paid(), input={"order": "a b"})
    assert (await error(house, thread_id))["kind"] == "validation"
    named = await house.run(waits_for(signal="{input}"), input="no name")
    assert "no name" in (await error(house, named))["message"]


async def test_what_a_condition_looks_at_is_bounded(house: House, post: Post) -> None:
    from app.domain import waits

    before = waits.MOST_GIVEN
    thread_id = await house.run(paid(match="message.data == input.text"), input={"order": 1, "text": "x" * before})
    assert (await error(house, thread_id))["kind"] == "output_too_large"


async def test_without_a_message_in_time_the_step_fails_or_takes_the_value(house: House, post: Post) -> None:
    failing = await waiting(house, paid(timeout="1h"), input={"order": 7})
    valued = await waiting(house, paid(timeout="1h", on_timeout={"paid": "{input.order}"}), input={"order": 7})
    house.later(3_700)
    told = await error(house, failing)
    assert (told["kind"], told["message"]) == ("timeout", "no message on orders.7.paid has come within 3600 s")
    assert await output(house, valued) == {"paid": 7}
    [received] = await data(house, valued, "message_received")
    assert (received["via"], received["message"]) == ("timeout", {"paid": 7})


async def test_what_came_in_time_and_was_not_noticed_goes_before_the_timeout(house: House) -> None:
    log = Post(house.tables)
    house.waits.logs.append(log)  # and nobody follows it
    thread_id = await waiting(house, paid(timeout="1h", on_timeout=0), input={"order": 7})
    message = log.publish("orders.7.paid")
    house.later(3_700)
    assert (await output(house, thread_id))["id"] == message.id


async def test_a_wait_that_timed_out_waits_anew_when_resumed(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(timeout="1h"), input={"order": 7})
    house.later(3_700)
    await house.end(thread_id)
    await house.resume(thread_id)
    await parked(house, thread_id)
    message = post.publish("orders.7.paid")
    assert (await output(house, thread_id))["id"] == message.id
    assert [record.key.round for record in await of(house, thread_id)] == [1, 0]


async def test_a_message_while_the_thread_had_failed_is_taken_after_the_resume(house: House, post: Post) -> None:
    house.on("failing", Failing(ValueError("no"), times=1))
    broken = step("broken", python="failing", needs=["first"], retry={"max_attempts": 1})
    gate = Gate("done")
    house.on("work", gate)
    steps = [step("first", python="work", needs=[]), broken, paid(needs=[])]
    thread_id = (await house.start(*steps, input={"order": 7})).thread.thread_id
    await house.until(lambda: bool(house.tables.waits))
    gate.open()
    await house.end(thread_id)
    message = post.publish("orders.7.paid")
    await house.resume(thread_id)
    assert (await output(house, thread_id))["id"] == message.id


async def test_a_rollback_waits_anew(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), step("after"), input={"order": 7})
    post.publish("orders.7.paid", "first")
    assert (await output(house, thread_id))["data"] == "first"
    await house.rollback(thread_id, 1)
    await parked(house, thread_id)
    post.publish("orders.7.paid", "second")
    assert (await output(house, thread_id))["data"] == "second"


async def test_a_rollback_to_after_the_wait_keeps_what_it_took(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), step("after"), input={"order": 7})
    post.publish("orders.7.paid", "first")
    await house.end(thread_id)
    await house.rollback(thread_id, 2)
    assert (await output(house, thread_id))["data"] == "first"


async def test_a_paused_thread_takes_its_message_and_goes_on_when_resumed(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), input={"order": 7})
    await house.control.pause(thread_id)
    await house.end(thread_id)
    message = post.publish("orders.7.paid")
    await house.until(lambda: any(wait.closed for wait in house.tables.waits.values()))
    assert (await house.thread(thread_id)).status == "paused"
    await house.resume(thread_id)
    assert (await output(house, thread_id))["id"] == message.id


async def test_a_cancelled_thread_takes_nothing(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), input={"order": 7})
    await house.control.cancel(thread_id)
    message = post.publish("orders.7.paid")
    [record] = await of(house, thread_id)
    taken = Taken(digest=digest_of(message), answer_json="1")
    assert await house.waits.book.take(record.key, taken) == (Got.CLOSED, None)


async def test_a_fork_has_waits_of_its_own(house: House, post: Post) -> None:
    from app.domain.commands import ForkCommand

    thread_id = await waiting(house, step("first"), paid(), input={"order": 7})
    forked = await house.control.fork(ForkCommand(thread_id=thread_id, version=2))
    assert forked.forks[0].accepted is not None
    other = forked.forks[0].accepted.thread.thread_id
    await parked(house, other)
    message = post.publish("orders.7.paid")
    assert [(await output(house, one))["id"] for one in (thread_id, other)] == [message.id] * 2


async def test_a_skip_gives_the_output_without_a_message(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(), input={"order": 7})
    await house.control.pause(thread_id)
    await house.end(thread_id)
    await house.resume(thread_id, skip={"wait": {"by hand": True}})
    assert await output(house, thread_id) == {"by hand": True}


async def test_a_damaged_message_fails_the_step(house: House, post: Post) -> None:
    from dataclasses import replace

    thread_id = await waiting(house, paid(), input={"order": 7})
    await house.control.pause(thread_id)
    await house.end(thread_id)
    post.publish("orders.7.paid")
    await house.until(lambda: any(wait.closed for wait in house.tables.waits.values()))
    [key] = house.tables.waits
    house.tables.waits[key] = replace(house.tables.waits[key], answer_json='{"changed":1}')
    await house.resume(thread_id)
    assert (await error(house, thread_id))["kind"] == "corrupt"


# ---- nothing falls between


async def test_nothing_falls_between_the_opening_and_the_following(house: House) -> None:
    """Published at any moment of the opening, a message is taken: whoever opens looks, or whoever follows gives."""
    for moment in ("before open", "before end", "before read", "before looked", "after looked"):
        log = Post(house.tables)
        async with followed(house.waits, log, house.tables):
            book, done = house.waits.book, []

            async def at(now: str, thread_id: str, log: Post = log, done: list[Any] = done, moment: str = moment) -> None:
                if now == moment and not done:
                    done.append(log.publish(f"t.{thread_id}"))
                    for _ in range(200):  # the follower passes it, if it does not know of the wait
                        await asyncio.sleep(0)

            async def open_late(key: WaitKey, *rest: Any) -> Any:
                await at("before open", key.thread_id)
                wait = await MemoryWaits(house.tables).open(key, *rest)
                await at("before end", key.thread_id)
                return wait

            async def looked_late(wait: MessageWait, up_to: int) -> Any:
                await at("before looked", wait.key.thread_id)
                found = await MemoryWaits(house.tables).looked(wait, up_to)
                await at("after looked", wait.key.thread_id)
                return found

            async def read_late(*arguments: Any, log: Post = log) -> Any:
                open_now = [key.thread_id for key, wait in house.tables.waits.items() if not wait.closed]
                if open_now:
                    await at("before read", open_now[-1])
                return await Post.read(log, *arguments)

            house.wait_book.instead |= {"open": open_late, "looked": looked_late}
            log.read = read_late  # type: ignore[method-assign]
            thread_id = (await house.start(waits_for(topic="t.{input}"), input="x", thread_id=moment.replace(" ", "-"))).thread.thread_id
            assert book is house.waits.book
            del thread_id
        house.waits.logs.clear()
