"""The scheduler: each time is fired once, whatever dies in between, and no firing keeps a schedule from going on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import QueueFull
from app.domain.schedule_plan import decide
from app.domain.schedules import Outcome
from tests.unit.engine.house import Gate, step
from tests.unit.triggers.workshop import NOON, Cut

if TYPE_CHECKING:
    from tests.unit.triggers.workshop import Workshop

MINUTE = timedelta(minutes=1)


async def test_each_time_starts_a_thread_with_what_its_templates_give(shop: Workshop) -> None:
    given = {"input": {"at": "{schedule.fire_time}"}, "context": {"of": "{schedule.name}"}}
    await shop.make(queue="mail", priority=3, overlap="allow", **given)
    async with shop.scheduler() as scheduler:
        shop.go_on(60)
        [one] = await shop.settled(1)
        shop.go_on(60)
        await shop.settled(2)
        await shop.house.until(lambda: scheduler.tally.outcomes == {Outcome.STARTED: 2})
    assert one.fire_time == NOON + MINUTE
    thread = await shop.house.thread(one.thread_id)
    execution = await shop.house.execution(one.thread_id)
    assert (thread.queue, thread.priority, execution.triggered_by) == ("mail", 3, "schedule:s")
    assert execution.input == '{"at":"2026-02-05T12:01:00Z"}'


POINTS = [
    ("claim", False),
    ("open_firings", False),
    ("settle", True),
    ("settle", False),
    ("start_once", True),
    ("start_once", False),
    ("note", True),
    ("note", False),
    ("let_go", True),
    ("let_go", False),
]


@pytest.mark.parametrize(("point", "before"), POINTS)
@pytest.mark.parametrize("overlap", ["allow", "skip", "buffer_all"])
async def test_who_dies_anywhere_leaves_a_time_to_be_fired_once(
    shop: Workshop, point: str, before: bool, overlap: str
) -> None:
    await shop.make(overlap=overlap)
    store = Cut(shop.store, point, before=before)
    control = Cut(shop.house.control, point, before=before)
    store.others, control.others = [control], [store]
    async with shop.scheduler(store, control):
        shop.go_on(60)
        await (control if point == "start_once" else store).reached.wait()
    shop.go_on(61)  # its claim is over
    async with shop.scheduler():
        found = await shop.settled(2)
    assert found[0].outcome is Outcome.STARTED
    assert overlap == "skip" or found[1].outcome is Outcome.STARTED
    assert [one.fire_time for one in found] == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert sorted(shop.threads()) == sorted(one.thread_id for one in found if one.outcome is Outcome.STARTED)


async def test_who_comes_back_late_with_an_old_claim_writes_nothing(shop: Workshop) -> None:
    await shop.make(overlap="allow")
    shop.go_on(60)
    old = await shop.store.claim("old", 60.0, 10)
    shop.go_on(61)
    async with shop.scheduler():
        await shop.settled(2)
    late = decide(old.schedules[0], [], old.now)
    assert await shop.store.settle([late.move]) == {}
    await shop.store.let_go([(late.move.schedule, None)])
    assert len(shop.threads()) == 2
    assert (await shop.desk.find("s")).next_fire_at == NOON + 3 * MINUTE


class Overtaken:
    """A store where people change the schedule just before what was decided of it is written."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.overtaken = 0

    async def settle(self, moves: Any) -> Any:
        if self.overtaken == 0:
            self.overtaken += 1
            known = await self._inner.schedule("s")
            await self._inner.change(replace(known, paused=True, next_fire_at=None, next_due_at=None))
        return await self._inner.settle(moves)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_what_was_taken_from_it_meanwhile_is_not_started(shop: Workshop) -> None:
    await shop.make()
    store = Overtaken(shop.store)
    async with shop.scheduler(store) as scheduler:
        shop.go_on(60)
        await shop.house.until(lambda: store.overtaken)
        await shop.desk.run("s")
        await shop.settled(1)
        beats = scheduler.pulse.turned_at
        await shop.house.until(lambda: shop.hint() or scheduler.pulse.turned_at > beats)
    assert len(shop.threads()) == 1


async def test_two_processes_fire_each_time_once(shop: Workshop) -> None:
    for number in range(20):
        await shop.make(name=f"s-{number}", overlap="allow")
    async with shop.scheduler(), shop.scheduler():
        for count in (1, 2, 3):
            shop.go_on(60)
            for number in range(20):
                await shop.settled(count, f"s-{number}")
    assert len(shop.threads()) == len(set(shop.threads())) == 60


async def test_a_schedule_that_nothing_can_be_decided_about_holds_up_no_other(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.make(name="odd", every=None, cron="* * * * *", timezone="Europe/Vienna")
    await shop.make()
    odd = await shop.desk.find("odd")
    timing = replace(odd.plan.timing, timezone="Mars/Phobos")  # a zone that this machine does not know
    await shop.store.change(replace(odd, plan=replace(odd.plan, timing=timing)))
    async with shop.scheduler():
        shop.go_on(60)
        await shop.settled(1)
    assert "nothing can be decided about the schedule odd" in caplog.text
    assert shop.threads() == [(await shop.settled(1))[0].thread_id]


async def test_what_is_due_while_nobody_serves_is_caught_up_within_the_window(shop: Workshop) -> None:
    await shop.make(overlap="allow", catchup_window=180.0)
    shop.go_on(600)
    async with shop.scheduler():
        found = await shop.settled(4)
    assert [one.outcome.value for one in found] == ["missed", "started", "started", "started"]
    assert (found[0].missed, found[0].until) == (7, NOON + 7 * MINUTE)


async def test_a_buffered_firing_starts_when_the_thread_before_it_ends(shop: Workshop) -> None:
    gate = Gate()
    shop.house.on("gate", gate)
    await shop.register(step("a", python="gate"), name="slow")
    await shop.make(workflow="slow", overlap="buffer_one")
    async with shop.scheduler():
        shop.go_on(60)
        await shop.house.until(lambda: gate.entered == 1)
        shop.go_on(120)
        await shop.until(lambda found: len(found) == 3)
        assert await shop.outcomes() == ["started", "buffered", "skipped"]
        gate.open()
        await shop.settled(3)
        await shop.house.until(lambda: gate.left == 2)
    assert await shop.outcomes() == ["started", "started", "skipped"]


async def test_cancel_other_ends_the_thread_before_it(shop: Workshop) -> None:
    gate = Gate()
    shop.house.on("gate", gate)
    await shop.register(step("a", python="gate"), name="slow")
    await shop.make(workflow="slow", overlap="cancel_other")
    async with shop.scheduler():
        shop.go_on(60)
        await shop.house.until(lambda: gate.entered == 1)
        shop.go_on(60)
        first, second = await shop.settled(2)
        gate.open()
        await shop.house.end(second.thread_id)
    assert (await shop.house.thread(first.thread_id)).status == "cancelled"
    assert (await shop.house.thread(second.thread_id)).status == "completed"


class Refusing:
    """A control that starts nothing for a while."""

    def __init__(self, control: Any, error: Exception) -> None:
        self._control = control
        self.error: Exception | None = error
        self.asked = 0

    async def start_once(self, command: Any) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return await self._control.start_once(command)


async def test_a_start_that_a_full_queue_refuses_is_tried_again(shop: Workshop) -> None:
    control = Refusing(shop.house.control, QueueFull("the queue is full"))
    await shop.make()
    async with shop.scheduler(control=control):
        shop.go_on(60)
        [one] = await shop.until(lambda found: found and found[0].attempts >= 1)
        assert one.error == {"code": "queue_full", "message": "the queue is full"}
        control.error = None
        shop.go_on(30)
        [one] = await shop.settled(1)
    assert (one.outcome, one.error) == (Outcome.STARTED, None)


async def test_a_start_that_is_refused_for_too_long_is_given_up_and_the_next_is_made(shop: Workshop) -> None:
    control = Refusing(shop.house.control, QueueFull("the queue is full"))
    await shop.make(catchup_window=90.0)
    async with shop.scheduler(control=control):
        shop.go_on(60)
        await shop.until(lambda found: found and found[0].attempts >= 1)
        shop.go_on(100)
        [first, second] = await shop.until(lambda found: len(found) == 2 and found[0].outcome is Outcome.FAILED)
        assert (second.outcome, first.error and first.error["code"]) == (Outcome.SKIPPED, "queue_full")
        control.error = None
        shop.go_on(30)
        found = await shop.settled(3)
    assert found[2].outcome is Outcome.STARTED


async def test_a_workflow_that_is_gone_fails_the_firing_and_not_the_schedule(shop: Workshop) -> None:
    await shop.make(overlap="allow")
    shop.house.tables.workflows.clear()
    shop.house.catalog._named.clear()
    async with shop.scheduler():
        shop.go_on(60)
        await shop.until(lambda found: found and found[0].attempts >= 1)
        shop.go_on(61)
        [first, _] = await shop.until(lambda found: len(found) == 2 and found[0].outcome is Outcome.FAILED)
        await shop.register()
        shop.go_on(60)
        found = await shop.settled(3)
    assert first.error
    assert first.error["code"] == "workflow_not_found"
    assert [one.outcome.value for one in found] == ["failed", "started", "started"]


async def test_an_input_that_cannot_be_made_fails_the_firing_at_once(shop: Workshop) -> None:
    await shop.make(input={"n": "{int(schedule.name)}"}, name="7")
    schedule = await shop.desk.find("7")
    await shop.store.change(replace(schedule, plan=replace(schedule.plan, input={"n": "{int('x')}"})))
    async with shop.scheduler():
        shop.go_on(60)
        [one] = await shop.settled(1, "7")
    assert (one.outcome, one.error and one.error["code"]) == (Outcome.FAILED, "expression_error")


async def test_the_store_may_be_away_for_a_while(shop: Workshop) -> None:
    await shop.make(overlap="allow")
    store = Cut(shop.store, "open_firings")
    async with shop.scheduler(store):
        shop.go_on(60)
        await store.reached.wait()
        store._at = None
        store.reached.clear()
        await shop.settled(1)
    assert len(shop.threads()) == 1


async def test_a_thread_that_was_deleted_does_not_hold_up_its_schedule(shop: Workshop) -> None:
    await shop.make()
    async with shop.scheduler():
        shop.go_on(60)
        [one] = await shop.settled(1)
        await shop.house.end(one.thread_id)
        shop.house.tables.forget([one.thread_id])
        shop.go_on(60)
        await shop.settled(2)
    assert await shop.outcomes() == ["started", "started"]
