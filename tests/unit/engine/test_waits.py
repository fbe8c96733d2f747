"""Waits on the engine: a message or a signal is taken once, told once, and never lost, whatever comes between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.commands import ForkCommand, StartCommand, Variant
from app.domain.errors import Conflict, InvalidRequest, NotFound
from app.domain.waits import MOST_GIVEN, Got, Signal, SignalFilter, Taken, WaitFilter
from app.engine.waits import digest_of
from app.store.memory import MemoryJournal
from app.store.memory_events import MemoryEvents
from app.store.memory_followers import MemoryPlaces
from app.store.memory_waits import MemoryWaits
from app.triggers.events import ThreadEvents
from app.triggers.follow import Follower
from app.triggers.waits import BEHIND, MOST_HEADS, CatchUp, MessageGiver
from tests.post import Post, followed
from tests.unit.engine.house import Failing, Gate, House, open_house, step
from tests.unit.engine.test_flow import begin

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


def take_instead(house: House, take: Any) -> None:
    """Whether one is given something or many are."""

    async def give(offers: Any) -> Any:
        return [await take(*offer) for offer in offers]

    house.wait_book.instead |= {"take": take, "give": give}


async def data(house: House, thread_id: str, name: str) -> list[dict[str, Any]]:
    return [jsontext.loads(event.data) for event in await house.events(thread_id, name)]


async def run_again(house: House, thread_id: str, value: Any) -> None:
    """A new input for the same thread."""
    document = house.tables.workflows[(await house.thread(thread_id)).definition_id].document
    given = {"workflow": jsontext.loads(document), "input": value, "has_input": True, "thread_id": thread_id}
    await house.control.start(StartCommand(**given))


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
    await run_again(house, thread_id, {"order": 7})
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


@pytest.mark.parametrize("first", ["messages", "waits"])
async def test_many_waits_of_one_thread_for_one_topic_cost_little_more_than_their_messages(
    house: House, first: str
) -> None:
    log, hold, number = Post(house.tables), Gate("done"), 12
    follower, book = await follower_of(house, log), MemoryWaits(house.tables)

    async def take(key: WaitKey, taken: Taken) -> Any:
        await asyncio.sleep(0)  # others come by in between
        return await book.take(key, taken)

    take_instead(house, take)
    house.on("hold", hold)
    each = waits_for("each", topic="t", for_each=list(range(number)), concurrency=number)
    thread_id = (await house.start(step("first", python="hold"), each)).thread.thread_id
    if first == "waits":
        hold.open()
        await parked(house, thread_id)
    for text in range(number):
        log.publish("t", text)
    hold.open()
    await follower._step()
    taken = await output(house, thread_id, "each")
    assert sorted(one["data"] for one in taken) == list(range(number))
    assert house.waits.offers["had"] == 0


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


async def test_what_the_store_cannot_hold_fails_the_step_and_holds_nobody_up(house: House, post: Post) -> None:
    held, free = [await waiting(house, waits_for(topic="t")) for _ in range(2)]
    book = MemoryWaits(house.tables)

    async def take(key: WaitKey, taken: Taken) -> Any:
        if key.thread_id == held and taken.answer_json is not None:
            raise InvalidRequest("the database does not take it: too much")
        return await book.take(key, taken)

    take_instead(house, take)
    message = post.publish("t")
    assert (await output(house, free))["id"] == message.id
    assert (await error(house, held))["kind"] == "invalid_output"


async def test_what_is_no_topic_fails_the_step(house: House, post: Post) -> None:
    thread_id = await house.run(paid(), input={"order": "a b"})
    assert (await error(house, thread_id))["kind"] == "validation"
    assert (await error(house, await house.run(waits_for(topic="{input}"))))["message"] == "topic is null"
    named = await house.run(waits_for(signal="{input}"), input="no name")
    assert "no name" in (await error(house, named))["message"]


async def test_what_a_condition_looks_at_is_bounded(house: House, post: Post) -> None:
    thread_id = await house.run(paid(match="message.data == input.text"), input={"order": 1, "text": "x" * MOST_GIVEN})
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


async def test_since_step_is_since_the_step_first_began_also_after_a_timeout(house: House, post: Post) -> None:
    thread_id = await waiting(house, paid(timeout="1h", since="step"), input={"order": 7})
    house.later(3_700)
    await house.end(thread_id)
    message = post.publish("orders.7.paid", "in between")
    await house.resume(thread_id)
    assert (await output(house, thread_id))["id"] == message.id


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
    thread_id = await waiting(house, step("first"), paid(), input={"order": 7})
    forked = await house.control.fork(ForkCommand(thread_id=thread_id, version=2, variants=(Variant(name="a"),)))
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
    thread_id = await waiting(house, paid(), input={"order": 7})
    await house.control.pause(thread_id)
    await house.end(thread_id)
    post.publish("orders.7.paid")
    await house.until(lambda: any(wait.closed for wait in house.tables.waits.values()))
    [key] = house.tables.waits
    house.tables.waits[key] = replace(house.tables.waits[key], answer_json='{"changed":1}')
    await house.resume(thread_id)
    assert (await error(house, thread_id))["kind"] == "corrupt"


# ---- nothing falls between: whoever opens a wait looks for what is there, whoever follows gives it what comes


MOMENTS = ("before it is open", "before the end is asked for", "before it is read", "before that is noted", "after it")


async def follower_of(house: House, log: Post) -> Follower:
    """One that takes a turn when it is told to; it follows from now on."""
    house.waits.logs.append(log)
    giver, places = MessageGiver(house.waits, own=False), MemoryPlaces(house.tables)
    follower = Follower("post", log, giver, places, owner="me", lease=10.0)
    await follower._step()
    return follower


@pytest.mark.parametrize("turn", MOMENTS)
@pytest.mark.parametrize("published", MOMENTS)
async def test_nothing_falls_between_opening_and_following(house: House, published: str, turn: str) -> None:
    """Somebody publishes, and the follower takes a turn, at any moment of the opening."""
    log, book = Post(house.tables), MemoryWaits(house.tables)
    follower, seen = await follower_of(house, log), set[str]()

    async def at(moment: str) -> None:
        if moment in seen:
            return
        seen.add(moment)
        if moment == published:
            log.publish("t")
        if moment == turn:
            await follower._step()

    async def open_it(*arguments: Any) -> Any:
        await at(MOMENTS[0])
        wait = await book.open(*arguments)
        await at(MOMENTS[1])
        log.at_read = lambda: at(MOMENTS[2])
        return wait

    async def looked(*arguments: Any) -> Any:
        await at(MOMENTS[3])
        found = await book.looked(*arguments)
        await at(MOMENTS[4])
        return found

    house.wait_book.instead |= {"open": open_it, "looked": looked}
    thread_id = (await house.start(waits_for(topic="t"))).thread.thread_id
    await house.until(lambda: house.tables.threads[thread_id].status in {"waiting", "completed"})
    await house.until(lambda: house.worker.running == 0)
    await follower._step()
    assert (await output(house, thread_id))["topic"] == "t"


@pytest.mark.parametrize("first", ["publish", "open"])
@pytest.mark.parametrize("moment", ["end", "wants", "read", "take"])
async def test_nothing_falls_between_the_moments_of_following(house: House, moment: str, first: str) -> None:
    """A wait is opened, and a message is published, while the follower takes a turn; another topic is wanted already."""
    log, done = Post(house.tables), []
    follower = await follower_of(house, log)
    thread_id = "late"
    await waiting(house, waits_for(topic="u.other"))
    log.publish("u.nobody")

    async def at(now: str) -> None:
        if now != moment or done:
            return
        done.append(now)
        for act in (first, "open" if first == "publish" else "publish"):
            if act == "publish":
                log.publish("t.wanted")
            else:
                await waiting(house, waits_for(topic="t.wanted"), thread_id=thread_id)

    real = {"end": log.end, "read": log.read, "wants": follower._consumer.wants, "take": follower._consumer.take}

    def hooked(name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            answer = await real[name](*arguments)
            await at(name)
            return answer

        return call

    log.end, log.read = hooked("end"), hooked("read")  # type: ignore[method-assign]
    follower._consumer.wants, follower._consumer.take = hooked("wants"), hooked("take")  # type: ignore[method-assign]
    await follower._step()
    await follower._step()
    if first == "publish":  # it was there before its thread
        log.publish("t.wanted")
        await follower._step()
    assert (await output(house, thread_id))["topic"] == "t.wanted"


async def test_a_newer_message_is_not_given_before_an_older_one(house: House) -> None:
    """The follower comes by a newer one while the log is still being searched, and older ones are in it."""
    log, book = Post(house.tables), MemoryWaits(house.tables)
    follower = await follower_of(house, log)
    thread_id = (await house.start(step("first", sleep=60), waits_for(topic="t"))).thread.thread_id
    await parked(house, thread_id)
    older = log.publish("t", "older")
    await follower._step()

    async def open_it(*arguments: Any) -> Any:
        wait = await book.open(*arguments)
        log.publish("t", "newer")
        await follower._step()
        return wait

    house.wait_book.instead["open"] = open_it
    house.later(61)
    assert (await output(house, thread_id))["id"] == older.id


async def test_what_was_missed_while_the_log_was_searched_is_searched_for(house: House) -> None:
    log, book = Post(house.tables), MemoryWaits(house.tables)
    follower, passed = await follower_of(house, log), []

    async def looked(*arguments: Any) -> Any:
        if not passed:
            passed.append(log.publish("t"))
            await follower._step()
            assert not any(wait.closed for wait in house.tables.waits.values())
        return await book.looked(*arguments)

    house.wait_book.instead["looked"] = looked
    thread_id = (await house.start(waits_for(topic="t"))).thread.thread_id
    assert (await output(house, thread_id))["id"] == passed[0].id


async def test_who_died_before_he_had_searched_is_stood_in_for() -> None:
    async with open_house() as first:
        log, hung = Post(first.tables), asyncio.Event()

        async def hang(*arguments: Any) -> Any:
            hung.set()
            await asyncio.Event().wait()

        first.waits.logs.append(log)
        first.wait_book.instead["looked"] = hang
        thread_id = (await first.start(waits_for(topic="t"))).thread.thread_id
        await hung.wait()
        message = log.publish("t")
        for wire in first.wires:
            wire.cut = True
        async with open_house(first) as second:
            second.waits.logs.append(log)
            await CatchUp(second.waits).turn()
            assert not any(wait.closed for wait in second.tables.waits.values())
            second.later(BEHIND + 1)
            await CatchUp(second.waits).turn()
            assert [wait.answer["id"] for wait in second.tables.waits.values()] == [message.id]
            first.worker._grace = 0.0
            await MemoryJournal(first.tables).close_incarnation(first.worker.incarnation_id, crashed=True)
            assert (await output(second, thread_id))["id"] == message.id


async def test_a_row_that_somebody_holds_holds_nobody_else_up(house: House) -> None:
    log, book = Post(house.tables), MemoryWaits(house.tables)
    follower = await follower_of(house, log)
    held, free = [await waiting(house, waits_for(topic="t")) for _ in range(2)]

    async def take(key: WaitKey, taken: Taken) -> Any:
        return (Got.BUSY, None) if key.thread_id == held else await book.take(key, taken)

    take_instead(house, take)
    message = log.publish("t")
    await follower._step()
    assert (await output(house, free))["id"] == message.id
    house.wait_book.instead.clear()
    house.later(BEHIND + 1)
    await CatchUp(house.waits).turn()
    assert (await output(house, held))["id"] == message.id


async def test_where_many_topics_are_waited_for_the_whole_log_is_read(house: House) -> None:
    giver = MessageGiver(house.waits, own=False)
    assert await giver.wants() == []
    await waiting(
        house, waits_for(topic="a.{item}", for_each=["x", "y"]), waits_for("own", topic="workflow.step_start.>")
    )
    await waiting(house, waits_for(topic="workflow.step_start.>"))
    assert await giver.wants() == ["a.>"]
    assert await MessageGiver(house.waits, own=True).wants() == ["workflow.step_start.>"]
    topics = [f"t{number}.x" for number in range(MOST_HEADS)]
    await waiting(house, waits_for(topic="{item}", for_each=topics, concurrency=100))
    assert await giver.wants() == [">"]
    assert await MessageGiver(house.waits, own=True).wants() == ["workflow.step_start.>"]
    await waiting(house, waits_for(topic=">"))
    assert await MessageGiver(house.waits, own=True).wants() == [">", "workflow.step_start.>"]


async def test_the_events_of_threads_are_messages_too(house: House) -> None:
    events = ThreadEvents(MemoryEvents(house.tables), house.reads)
    house.waits.logs.append(events)
    giver = MessageGiver(house.waits, own=True)
    follower = Follower("waits_events", events, giver, MemoryPlaces(house.tables), owner="me", lease=10.0)
    thread_id = await waiting(
        house, waits_for(topic="workflow.workflow_complete.other", match="message.data.data.result.x.n > 1")
    )
    for number in (1, 2):
        other = await house.run(step("x"), input={"n": number}, doc_name="other")
        await follower._step()
    assert (await output(house, thread_id))["subject"] == other


# ---- crashes


async def test_a_message_for_a_dead_process_is_found_by_the_next() -> None:
    async with open_house() as first:
        busy, log = Gate("done"), Post(first.tables)
        first.on("busy", busy)
        follower = await follower_of(first, log)
        steps = [step("long", python="busy", needs=[]), waits_for(topic="t", needs=[])]
        thread_id = (await first.start(*steps)).thread.thread_id
        await first.until(lambda: "message_waiting" in [event.name for event in first.tables.events[thread_id]])
        message = log.publish("t")
        await follower._step()
        await first.die()
        async with open_house(first) as second:
            busy.open()
            assert (await output(second, thread_id))["id"] == message.id
            names = await second.names(thread_id)
    assert (names.count("message_waiting"), names.count("message_received")) == (1, 1)


async def test_whoever_stands_in_for_many_is_not_taken_for_one_who_stands_still(house: House) -> None:
    log = Post(house.tables)
    await follower_of(house, log)
    await waiting(house, waits_for(topic="t"))
    [key] = house.tables.waits
    house.tables.waits[key] = replace(house.tables.waits[key], looked=None)
    house.later(BEHIND + 1)
    catch_up = CatchUp(house.waits)
    catch_up.pulse.turned_at -= 1_000
    await catch_up.turn()
    assert not catch_up.pulse.stands_still


@pytest.mark.parametrize("lost", ["message_waiting", "message_received"])
async def test_a_crash_between_the_wait_and_the_commit_tells_nothing_twice(lost: str) -> None:
    async with open_house() as first:
        hung, log = asyncio.Event(), Post(first.tables)
        follower = await follower_of(first, log)

        async def die(transition: Any) -> None:
            if any(event.name == lost for event in transition.events):
                hung.set()
                await asyncio.Event().wait()

        first.journal.before_commit = die
        thread_id = (await first.start(waits_for(topic="t"))).thread.thread_id
        if lost == "message_received":
            await parked(first, thread_id)
            log.publish("t", id="m1")
            await follower._step()
        await hung.wait()
        await first.die()
        async with open_house(first) as second:
            follower = await follower_of(second, log)
            if lost == "message_waiting":
                await parked(second, thread_id)
                await follower._step()
                log.publish("t", id="m1")
                await follower._step()
            assert (await output(second, thread_id))["id"] == "m1"
            names = await second.names(thread_id)
    assert (names.count("message_waiting"), names.count("message_received")) == (1, 1)
    assert names.count("step_complete") == 1


async def test_a_stale_driver_takes_no_signal_out_of_the_buffer() -> None:
    """It opens its wait after the thread was rolled back and taken by somebody else."""
    async with open_house() as first:
        arrived, go_on = asyncio.Event(), asyncio.Event()
        book = MemoryWaits(first.tables)

        async def open_late(*arguments: Any) -> Any:
            arrived.set()
            await go_on.wait()
            return await book.open(*arguments)

        first.wait_book.instead["open"] = open_late
        thread_id = (await first.start(waits_for(signal="go"))).thread.thread_id
        await arrived.wait()
        async with open_house(first) as second:
            await second.rollback(thread_id, 1, resume=False)
            await send(second, thread_id, value=1)
            go_on.set()
            await first.until(lambda: len(first.tables.waits) == 1)
            assert [one.taken_by for one in first.tables.signals[thread_id]] == [None]
            await second.resume(thread_id)
            assert await output(second, thread_id) == 1


# ---- signals


async def test_the_output_is_the_value_of_the_signal(house: House) -> None:
    thread_id = await waiting(house, waits_for(signal="go"))
    sent = await send(house, thread_id, value={"n": 1}, by="ana")
    assert await output(house, thread_id) == {"n": 1}
    assert sent.signal.taken_by is not None
    [received] = await data(house, thread_id, "message_received")
    assert (received["signal"], received["by"], received["via"]) == ("go", "ana", "signal")


async def test_signals_are_kept_until_a_step_waits_and_taken_in_their_order(house: House) -> None:
    work = Gate("done")
    house.on("work", work)
    laps = waits_for("laps", signal="go", repeat={"until": "laps.output == 3", "max_iterations": 5})
    thread_id = (await house.start(step("first", python="work"), laps)).thread.thread_id
    for number in (1, 2):
        await send(house, thread_id, value=number)
    await send(house, thread_id, "other", value=9)
    work.open()
    await house.until(lambda: sum(wait.closed for wait in house.tables.waits.values()) == 2)
    await send(house, thread_id, value=3)
    assert await output(house, thread_id, "laps") == 3
    kept = await house.waits.signals(SignalFilter(thread_id=thread_id))
    assert [(one.name, one.taken_by is not None) for one in kept] == [
        ("go", True), ("go", True), ("other", False), ("go", True),
    ]  # fmt: skip
    taken = [wait.answer for wait in sorted(house.tables.waits.values(), key=lambda wait: wait.key.item)]
    assert taken == [1, 2, 3]


async def test_each_signal_is_for_one_wait(house: House) -> None:
    thread_id = await waiting(house, waits_for("a", signal="go", needs=[]), waits_for("b", signal="go", needs=[]))
    await send(house, thread_id, value=1)
    await house.until(lambda: sum(wait.closed for wait in house.tables.waits.values()) == 1)
    await send(house, thread_id, value=2)
    assert {await output(house, thread_id, name) for name in "ab"} == {1, 2}


async def test_an_ended_or_unknown_thread_takes_no_signal(house: House) -> None:
    thread_id = await house.run(step("a"))
    with pytest.raises(Conflict) as ended:
        await send(house, thread_id)
    with pytest.raises(NotFound) as unknown:
        await send(house, "nobody")
    assert (ended.value.code, unknown.value.code) == ("thread_ended", "thread_not_found")


async def test_the_same_key_sends_once(house: House) -> None:
    thread_id = await waiting(house, waits_for(signal="later"))
    first = await send(house, thread_id, value=1, key="k", request_sha256=b"1")
    again = await send(house, thread_id, value=1, key="k", request_sha256=b"1")
    assert (first.replayed, again.replayed, again.signal) == (False, True, first.signal)
    with pytest.raises(InvalidRequest) as refused:
        await send(house, thread_id, value=2, key="k", request_sha256=b"2")
    assert refused.value.code == "idempotency_key_reused"


async def test_a_signal_of_the_input_before_is_not_for_the_next(house: House) -> None:
    steps = [step("first", sleep=60), waits_for(signal="go")]
    thread_id = await waiting(house, *steps)
    await send(house, thread_id, value="old")
    await house.control.cancel(thread_id)
    await house.end(thread_id)
    await run_again(house, thread_id, None)
    await parked(house, thread_id)
    house.later(61)
    await house.until(lambda: bool(house.tables.waits))
    await parked(house, thread_id)
    await send(house, thread_id, value="new")
    assert await output(house, thread_id) == "new"


async def test_a_signal_while_the_wait_is_being_opened_is_not_lost(house: House) -> None:
    book = MemoryWaits(house.tables)

    async def open_it(key: WaitKey, *rest: Any) -> Any:
        wait = await book.open(key, *rest)
        await send(house, key.thread_id, value=7)
        return wait

    house.wait_book.instead["open"] = open_it
    assert await output(house, await house.run(waits_for(signal="go"))) == 7


# ---- workflows in Python


async def sewn(ctx: Any, given: Any) -> Any:
    go = await ctx.signal("go")
    match = "message.data.n > input.least"
    paid = await ctx.wait_for("paid", topic=f"orders.{given['order']}", match=match, since="step")
    try:
        await ctx.wait_for("never", signal="x.{y}")
    except ValueError as error:
        return [go, paid["data"], str(error)]


async def test_a_function_waits_for_messages_and_signals(house: House, post: Post) -> None:
    thread_id = await begin(house, sewn, {"order": 7, "least": 1})
    await parked(house, thread_id)
    await send(house, thread_id, value="now")
    await house.until(lambda: any(wait.topic for wait in house.tables.waits.values()))
    await parked(house, thread_id)
    post.publish("orders.7", {"n": 1})
    post.publish("orders.7", {"n": 2})
    await house.end(thread_id)
    found = jsontext.loads((await house.execution(thread_id)).output or "null")
    assert found[:2] == ["now", {"n": 2}]
    assert "not a name" in found[2]
