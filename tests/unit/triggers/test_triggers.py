"""Triggers at work: each message once for each trigger, whatever is cut in between; nothing lost, nobody held up, no loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import InvalidTrigger, NotFound, QueueFull, Unavailable
from app.domain.messages import Message
from app.domain.queues import QueueSettings
from app.domain.times import utc_now
from app.domain.triggers import LONGEST_CHAIN, SELF, Outcome
from app.store.memory_followers import MemoryPlaces
from app.triggers.starting import judge

if TYPE_CHECKING:
    from tests.unit.triggers.rig import Rig


async def test_a_message_starts_a_thread_for_each_trigger_that_wants_it(rig: Rig) -> None:
    await rig.trigger("plain")
    await rig.trigger("some", condition="message.data.n > 1", input={"n": "{message.data.n}", "of": "{message.topic}"})
    await rig.trigger("other", topic="elsewhere")
    await rig.publish({"n": 1})
    await rig.publish({"n": 2})
    await rig.follow()
    assert rig.inputs() == ['{"n":1}', '{"n":2,"of":"orders.new"}', '{"n":2}']
    assert await rig.outcomes("some") == {"started": 1}
    assert await rig.outcomes("other") == {}


async def test_the_thread_says_which_trigger_has_started_it_and_the_firing_which_thread(rig: Rig) -> None:
    await rig.trigger()
    await rig.publish({})
    await rig.follow()
    [firing] = await rig.firings()
    assert (await rig.house.execution(firing.id)).triggered_by == "trigger:t"
    assert +rig.counts == {("t", "started"): 1}


async def test_failures_of_a_trigger_are_counted_from_nothing(rig: Rig) -> None:
    await rig.trigger()
    await rig.follow()
    assert rig.counts.get(("t", "failed")) == 0


async def test_a_message_from_before_the_trigger_is_not_meant(rig: Rig) -> None:
    await rig.publish({"n": 1})
    await rig.trigger()
    await rig.publish({"n": 2})
    await rig.follow()
    assert rig.inputs() == ['{"n":2}']


async def test_what_is_published_while_it_is_disabled_is_not_made_up_for(rig: Rig) -> None:
    await rig.trigger()
    await rig.desk.change("t", {"enabled": False})
    await rig.publish({"n": 1})
    await rig.desk.change("t", {"enabled": True})
    await rig.publish({"n": 2})
    await rig.follow()
    assert rig.inputs() == ['{"n":2}']


class Stuck(MemoryPlaces):
    """A place that is never moved: the process is cut off before."""

    def __init__(self, places: Any) -> None:
        self._inner = places

    async def take(self, name: str, owner: str, seconds: float) -> Any:
        return await self._inner.take(name, owner, seconds)

    async def begun(self) -> Any:
        return await self._inner.begun()

    async def move(self, name: str, owner: str, place: Any) -> bool:
        raise Unavailable("cut off")


async def test_a_crash_before_the_place_moves_starts_nothing_twice(rig: Rig) -> None:
    await rig.trigger("a")
    await rig.trigger("b", key="{message.data.n}", window=60)
    for number in range(20):
        await rig.publish({"n": number})
    for _ in range(3):
        await rig.follow(places=Stuck(rig.places))
    await rig.follow()
    assert len(rig.inputs()) == 40
    assert await rig.outcomes("a") == await rig.outcomes("b") == {"started": 20}


class Dying:
    """Starts some, then the process is gone: no firing of those is written."""

    def __init__(self, control: Any, number: int) -> None:
        self._control = control
        self.left = number

    async def start_once(self, command: Any) -> Any:
        if self.left == 0:
            raise asyncio.CancelledError
        self.left -= 1
        return await self._control.start_once(command)


async def test_a_crash_between_starts_and_their_record_starts_nothing_twice(rig: Rig) -> None:
    await rig.trigger("a")
    await rig.trigger("b", key="{message.data.n}", window=60)
    for number in range(10):
        await rig.publish({"n": number})
    for number in (3, 7, 11):
        await rig.follow(starter=Dying(rig.starter, number))
        assert await rig.firings("a") == []
    await rig.follow()
    assert len(rig.inputs()) == 20
    assert await rig.outcomes("a") == await rig.outcomes("b") == {"started": 10}


async def test_a_thread_that_was_deleted_is_not_started_again_by_its_message(rig: Rig) -> None:
    await rig.trigger()
    await rig.publish({})
    await rig.follow(places=Stuck(rig.places))
    [firing] = await rig.firings()
    await rig.house.end(firing.id)
    rig.house.tables.forget([firing.id])
    await rig.follow()
    assert rig.inputs() == []


async def test_a_template_that_fails_is_recorded_and_the_next_message_goes_on(rig: Rig) -> None:
    await rig.trigger(input={"total": "{message.data.total}"}, condition="message.data.n > 0")
    await rig.publish({"n": 1})
    await rig.publish({})
    await rig.publish({"n": 1, "total": 5})
    await rig.follow()
    errors = [one.error["message"] for one in await rig.firings(outcome=Outcome.FAILED) if one.error is not None]
    assert sorted("total" in error for error in errors) == [False, True]
    assert rig.inputs() == ['{"total":5}']


async def test_an_input_that_does_not_fit_the_workflow_is_recorded_with_its_problems(rig: Rig) -> None:
    schema = {"type": "object", "required": ["n"]}
    await rig.house.control.register({"name": "strict", "input": schema, "steps": [{"id": "a", "python": "echo"}]})
    await rig.trigger(workflow="strict")
    await rig.publish({"m": 1})
    await rig.follow()
    [firing] = await rig.firings()
    assert firing.error is not None
    assert (firing.error["kind"], len(firing.error["problems"])) == ("invalid_input", 1)


async def test_messages_with_one_key_start_one_thread_within_the_window(rig: Rig) -> None:
    await rig.trigger(key="{message.data.k}", window=3600)
    for k in ("a", "a", "b", "a"):
        await rig.publish({"k": k})
    await rig.follow()
    await rig.publish({"k": "a"})
    await rig.follow()
    assert await rig.outcomes() == {"started": 2, "duplicate": 3}
    rig.house.clock.advance(3601)
    await rig.publish({"k": "a"})
    await rig.follow()
    assert await rig.outcomes() == {"started": 3, "duplicate": 3}


@pytest.mark.parametrize("before", range(6))
async def test_messages_of_one_key_in_several_windows_start_each_its_thread_though_it_was_cut_off(
    rig: Rig, before: int
) -> None:
    await rig.trigger(key="{message.data.k}", window=1)
    for _ in range(3):
        await rig.publish({"k": "a"})
        await rig.publish({"k": "a"})
        rig.house.clock.advance(2)
    await rig.follow(starter=Dying(rig.starter, before))
    await rig.follow()
    assert await rig.outcomes() == {"started": 3, "duplicate": 3}
    assert len(rig.inputs()) == 3


async def test_one_that_acts_on_old_messages_beside_another_takes_no_start_away(rig: Rig) -> None:
    await rig.trigger(key="{message.data.k}", window=1)
    for _ in range(3):
        await rig.publish({"k": "a"})
        rig.house.clock.advance(2)
    await rig.follow(places=Stuck(rig.places), starter=Dying(rig.starter, 2))
    forgetful = replace_method(rig.store, "acted", set())  # it has asked before the other wrote anything
    await rig.follow(places=Stuck(rig.places))
    rig.store.acted = forgetful  # type: ignore[method-assign]
    assert await rig.outcomes() == {"started": 3}


def replace_method(on: Any, name: str, answer: Any) -> Any:
    """Have a method give that; the method that was there."""
    before = getattr(on, name)

    async def given(*_: Any) -> Any:
        return answer

    setattr(on, name, given)
    return before


async def test_a_message_that_nobody_can_judge_is_recorded_and_holds_up_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(compiled: Any, *given: Any) -> Any:
        if compiled.trigger.name == "odd":
            raise RecursionError
        return judge(compiled, *given)

    monkeypatch.setattr("app.triggers.triggers.judge", judged)
    await rig.trigger("odd")
    await rig.trigger("well")
    await rig.publish({})
    await rig.follow()
    [firing] = await rig.firings("odd")
    assert firing.error is not None
    assert firing.error["kind"] == "internal_error"
    assert await rig.outcomes("well") == {"started": 1}


async def test_what_many_triggers_want_is_acted_on_a_part_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.triggers.triggers._PAIRS", 3)
    for name in "abcd":
        await rig.trigger(name)
    for number in range(3):
        await rig.publish({"n": number})
    [follower, _] = rig.followers()
    beats: list[int] = []
    follower._consumer.beat = lambda: beats.append(1)  # type: ignore[attr-defined]
    assert await follower._turn()
    assert len(rig.inputs()) == 12
    assert len(beats) == 3


async def test_a_key_that_cannot_be_claimed_now_is_no_error_of_the_service(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: Any) -> None:
        raise Unavailable("away")

    await rig.trigger(key="{message.data.k}", window=60)
    await rig.publish({"k": "a"})
    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "claim", away)
        await rig.follow()
    assert caplog.records == []
    await rig.follow()
    assert await rig.outcomes() == {"started": 1}


async def test_a_message_of_which_nothing_came_holds_no_key(rig: Rig) -> None:
    schema = {"type": "object", "required": ["n"]}
    await rig.house.control.register({"name": "strict", "input": schema, "steps": [{"id": "a", "python": "echo"}]})
    await rig.trigger(workflow="strict", key="{message.data.k}", window=3600)
    await rig.publish({"k": "a"})
    await rig.publish({"k": "a", "n": 1})
    await rig.follow()
    assert await rig.outcomes() == {"failed": 1, "started": 1}


class Full:
    """One queue is full."""

    def __init__(self, control: Any, queue: str) -> None:
        self._control = control
        self._queue = queue
        self.asked = 0

    async def start_once(self, command: Any) -> Any:
        if command.queue == self._queue:
            self.asked += 1
            raise QueueFull(f"the queue {self._queue} is full")
        return await self._control.start_once(command)


async def test_a_full_queue_holds_up_no_other_trigger_and_loses_nothing(rig: Rig) -> None:
    await rig.trigger("slow", queue="mail")
    await rig.trigger("quick")
    await rig.house.admission.configure(QueueSettings(name="mail", max_running=5))
    full = Full(rig.starter, "mail")
    for number in range(5):
        await rig.publish({"n": number})
    await rig.follow(starter=full)
    assert await rig.outcomes("quick") == {"started": 5}
    assert await rig.outcomes("slow") == {"waiting": 5}
    assert full.asked < 5  # once it was full the others are not tried for a moment
    rig.house.clock.advance(30)
    await rig.wait(full)
    assert await rig.outcomes("slow") == {"waiting": 5}
    rig.house.clock.advance(30)
    await rig.wait()
    assert await rig.outcomes("slow") == {"started": 5}
    assert len(rig.inputs()) == 10


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


async def test_what_waits_may_be_as_deep_as_json_may_be(rig: Rig) -> None:
    await rig.trigger(queue="mail")
    await rig.publish(nested(199))
    await rig.house.admission.configure(QueueSettings(name="mail", max_running=5))
    await rig.follow(starter=Full(rig.starter, "mail"))
    rig.house.clock.advance(60)
    await rig.wait()
    assert await rig.outcomes() == {"started": 1}


async def test_one_that_waits_and_cannot_be_read_fails_and_holds_up_no_other(rig: Rig) -> None:
    await rig.trigger("odd", queue="mail")
    await rig.trigger("well", queue="mail")
    await rig.publish({"n": 1})
    await rig.house.admission.configure(QueueSettings(name="mail", max_running=5))
    await rig.follow(starter=Full(rig.starter, "mail"))
    [odd] = await rig.firings("odd")
    rig.store._firings[odd.id] = replace(rig.store._firings[odd.id], start="{}")
    rig.house.clock.advance(60)
    await rig.wait()
    assert await rig.outcomes("odd") == {"failed": 1}
    assert await rig.outcomes("well") == {"started": 1}


async def test_a_store_that_is_away_lets_the_messages_come_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.trigger()
    await rig.publish({})

    async def away(_: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "record", away)
        await rig.follow()
    assert await rig.firings() == []
    await rig.follow()
    assert await rig.outcomes() == {"started": 1}
    assert len(rig.inputs()) == 1


class Broken:
    """Raises what nobody expects."""

    async def start_once(self, command: Any) -> Any:
        raise ZeroDivisionError


async def test_what_fails_in_an_unknown_way_is_tried_again_and_given_up_in_the_end(rig: Rig) -> None:
    await rig.trigger()
    await rig.publish({})
    await rig.follow(starter=Broken())
    assert await rig.outcomes() == {"waiting": 1}
    for _ in range(4):
        rig.house.clock.advance(60)
        await rig.wait(Broken())
    [firing] = await rig.firings()
    assert firing.outcome is Outcome.FAILED
    assert firing.error is not None
    assert firing.error["kind"] == "internal_error"


async def settle(rig: Rig) -> None:
    """Follow until nothing comes of it any more."""
    for _ in range(LONGEST_CHAIN + 5):
        threads = len(rig.house.tables.threads)
        for thread_id in list(rig.house.tables.threads):
            await rig.house.end(thread_id)
        await rig.follow()
        if threads == len(rig.house.tables.threads):
            return
    raise AssertionError("it never ends")


async def test_the_end_of_one_workflow_starts_the_next(rig: Rig) -> None:
    await rig.house.control.register({"name": "first", "steps": [{"id": "a", "python": "echo", "input": "{input}"}]})
    await rig.trigger(topic="workflow.workflow_complete.first", input={"got": "{message.data.data.result}"})
    await rig.house.run({"id": "a", "python": "echo", "input": {"n": 1}}, doc_output={"n": 5}, doc_name="first")
    await settle(rig)
    assert rig.inputs() == ['{"got":{"n":5}}']


async def test_a_trigger_that_would_start_itself_for_ever_ends(rig: Rig) -> None:
    await rig.trigger(topic="workflow.workflow_complete.handle", input={})
    await rig.house.control.start(start_of("handle"))
    await settle(rig)
    assert await rig.outcomes() == {"started": SELF, "failed": 1}
    [failed] = await rig.firings(outcome=Outcome.FAILED)
    assert failed.error is not None
    assert failed.error["kind"] == "trigger_loop"


async def test_a_long_chain_of_triggers_ends_too(rig: Rig) -> None:
    for number in range(LONGEST_CHAIN + 2):
        await rig.house.control.register({"name": f"w{number}", "steps": [{"id": "a", "python": "echo"}]})
    for number in range(LONGEST_CHAIN + 1):
        await rig.trigger(
            f"t{number}", topic=f"workflow.workflow_complete.w{number}", workflow=f"w{number + 1}", input={}
        )
    await rig.house.control.start(start_of("w0"))
    await settle(rig)
    assert +rig.counts == {
        **{(f"t{n}", "started"): 1 for n in range(LONGEST_CHAIN)},
        (f"t{LONGEST_CHAIN}", "failed"): 1,
    }


async def test_a_sub_workflow_does_not_begin_a_new_chain(rig: Rig) -> None:
    await rig.house.control.register({"name": "outer", "steps": [{"id": "a", "workflow": "handle"}]})
    await rig.trigger(topic="workflow.workflow_complete.handle", workflow="outer", input={})
    await rig.house.control.start(start_of("handle"))
    await settle(rig)
    assert await rig.outcomes() == {"started": SELF, "failed": 1}


def start_of(workflow: str) -> Any:
    from app.domain.commands import StartCommand  # noqa: PLC0415

    return StartCommand(workflow=workflow, input={}, has_input=True)


async def test_a_trigger_for_a_workflow_that_is_not_there_is_refused(rig: Rig) -> None:
    with pytest.raises(InvalidTrigger) as refused:
        await rig.trigger(workflow="nobody", topic="..")
    assert [one.pointer for one in refused.value.problems] == ["/topic", "/workflow"]
    with pytest.raises(NotFound):
        await rig.desk.change("t", {"enabled": False})


async def test_a_trial_says_what_would_come_of_a_message_and_starts_nothing(rig: Rig) -> None:
    await rig.trigger(
        condition="message.data.n > 1", input={"n": "{message.data.n}"}, key="{message.data.k}", window=60
    )
    message = Message(id="1", source="/s", topic="orders.x", type="t", time=utc_now(), data_json='{"n":2,"k":7}')
    trial = await rig.desk.test("t", message)
    assert (trial.starts, trial.input, trial.key, trial.problems) == (True, {"n": 2}, "7", [])
    trial = await rig.desk.test("t", replace(message, topic="x", data_json='{"n":1}'))
    assert (trial.starts, trial.topic_matches, trial.fits) == (False, False, False)
    assert [one.pointer for one in trial.problems] == ["/deduplicate/key"]
    assert rig.inputs() == []


async def test_a_follower_tells_for_how_long_the_oldest_message_waits(rig: Rig) -> None:
    await rig.trigger()
    await rig.publish({})
    [follower, _] = rig.followers(starter=Full(rig.starter, "mail"))
    assert follower.lag == 0.0
    follower._oldest = utc_now() - timedelta(seconds=30)
    assert 30 <= follower.lag < 60
    while await follower._turn():
        pass
    assert follower.lag == 0.0


async def test_what_is_published_after_it_was_asked_what_is_wanted_is_left_for_the_next_time(rig: Rig) -> None:
    await rig.trigger("old", topic="other.topic")
    [follower, _] = rig.followers()
    await follower._turn()
    wants = follower._consumer.wants

    async def late() -> Any:
        found = await wants()
        await rig.trigger("new")  # it holds from now on, but nobody has asked again
        await rig.publish({"n": 1})
        follower._consumer.wants = wants  # type: ignore[method-assign]
        return found

    follower._consumer.wants = late  # type: ignore[method-assign]
    await follower._turn()
    await follower._turn()
    assert await rig.outcomes("new") == {"started": 1}


async def test_a_large_message_is_judged_beside_the_event_loop(rig: Rig) -> None:
    await rig.trigger(condition="has(message.data.n) && message.data.n > 1 && !has(message.attributes)", input={})
    await rig.publish({"n": 2, "text": "x" * 1_000_000})
    await rig.follow()
    assert await rig.outcomes() == {"started": 1}


class Counted(MemoryPlaces):
    """Counts what it is asked."""

    def __init__(self, places: Any) -> None:
        self._inner = places
        self.taken = self.moved = 0

    async def take(self, name: str, owner: str, seconds: float) -> Any:
        self.taken += 1
        return await self._inner.take(name, owner, seconds)

    async def begun(self) -> Any:
        return await self._inner.begun()

    async def move(self, name: str, owner: str, place: Any) -> bool:
        self.moved += 1
        return await self._inner.move(name, owner, place)


async def test_a_log_of_which_nothing_is_wanted_costs_few_writes(rig: Rig) -> None:
    places = Counted(rig.places)
    [follower, _] = rig.followers(places=places)
    for _ in range(10):
        await rig.publish({})
        await follower._turn()
    assert (places.taken, places.moved) == (1, 1)
    await rig.trigger()
    await rig.publish({})
    await follower._turn()
    assert (places.taken, places.moved, await rig.outcomes()) == (1, 2, {"started": 1})
