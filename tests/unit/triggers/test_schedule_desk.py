"""What people ask of schedules: made once, changed without losing a time, paused, run now, made up for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Conflict, InvalidRequest, InvalidSchedule, NotFound
from app.domain.schedules import Kind, Outcome, Overlap
from tests.unit.engine.house import Gate, step
from tests.unit.triggers.workshop import NOON

if TYPE_CHECKING:
    from tests.unit.triggers.workshop import Workshop

MINUTE = timedelta(minutes=1)


async def test_a_schedule_is_made_once(shop: Workshop) -> None:
    value = {"every": 60.0, "workflow": "w"}
    made, new = await shop.desk.create("s", value)
    assert (new, made.next_fire_at) == (True, NOON + MINUTE)
    again, new = await shop.desk.create("s", value)
    assert (new, again.id) == (False, made.id)
    with pytest.raises(Conflict) as raised:
        await shop.desk.create("s", {**value, "every": 61.0})
    assert raised.value.code == "schedule_exists"


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"workflow": "nobody"}, "/workflow"),
        ({"workflow": "w@7"}, "/workflow"),
        ({"workflow": "strict"}, "/input"),
        ({"workflow": "strict", "input": {"n": "{schedule.name}"}}, "/input/n"),
        ({"input": "{schedule.name[0].x}"}, "/input"),
        ({"end_at": "2026-02-05T12:00:30+00:00"}, ""),
    ],
)
async def test_one_that_could_not_fire_is_refused(shop: Workshop, value: dict[str, str], pointer: str) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    await shop.register(name="strict", input=schema)
    with pytest.raises(InvalidSchedule) as raised:
        await shop.desk.create("s", {"every": 60.0, "workflow": "w", **value})
    assert [one.pointer for one in raised.value.problems] == [pointer]


async def test_a_change_leaves_the_rest_and_tells_its_revision(shop: Workshop) -> None:
    await shop.make(input={"a": 1})
    changed = await shop.desk.change("s", {"description": "news", "overlap": "allow"}, 1)
    assert (changed.revision, changed.plan.input, changed.plan.overlap) == (2, {"a": 1}, Overlap.ALLOW)
    assert changed.next_fire_at == NOON + MINUTE
    with pytest.raises(Conflict) as raised:
        await shop.desk.change("s", {"description": None}, 1)
    assert raised.value.code == "version_conflict"
    assert (await shop.desk.change("s", {"overlap": None}, 2)).plan.overlap is Overlap.SKIP


async def test_cron_and_interval_take_each_others_place(shop: Workshop) -> None:
    await shop.make()
    changed = await shop.desk.change("s", {"cron": "0 9 * * *", "timezone": "Europe/Vienna"})
    assert (changed.plan.timing.every, changed.next_fire_at) == (None, NOON + timedelta(hours=20))
    back = await shop.desk.change("s", {"every": 3600.0})
    assert (back.plan.timing.cron, back.next_fire_at) == (None, NOON + timedelta(hours=1))


async def test_a_time_that_was_due_before_a_change_is_still_made(shop: Workshop) -> None:
    await shop.make(overlap="allow")
    shop.go_on(61)
    await shop.desk.change("s", {"every": 10.0})
    async with shop.scheduler():
        await shop.settled(1)
        shop.go_on(10)
        found = await shop.settled(2)
    assert [one.fire_time for one in found] == [NOON + MINUTE, NOON + timedelta(seconds=70)]


async def test_times_of_a_pause_are_left_out(shop: Workshop) -> None:
    await shop.make(overlap="allow")
    paused = await shop.desk.pause("s", "away")
    assert (paused.paused, paused.next_fire_at, paused.pause_reason) == (True, None, "away")
    async with shop.scheduler():
        shop.go_on(300)
        resumed = await shop.desk.resume("s")
        assert resumed.next_fire_at == NOON + 6 * MINUTE
        shop.go_on(60)
        found = await shop.settled(1)
    assert [one.fire_time for one in found] == [NOON + 6 * MINUTE]


async def test_one_may_fire_now_whatever_else_it_does(shop: Workshop) -> None:
    gate = Gate()
    shop.house.on("gate", gate)
    await shop.register(step("a", python="gate"), name="slow")
    await shop.make(workflow="slow")
    await shop.desk.pause("s")
    first = await shop.desk.run("s")
    shop.at += timedelta(milliseconds=1)
    second = await shop.desk.run("s")
    assert (first.kind, first.outcome, second.outcome) == (Kind.MANUAL, Outcome.STARTED, Outcome.STARTED)
    async with shop.scheduler():
        await shop.desk.resume("s")
        shop.go_on(60)
        await shop.until(lambda found: len(found) == 3)
        gate.open()
    assert await shop.outcomes() == ["started", "started", "skipped"]


async def test_a_backfill_makes_what_was_not_made_one_after_the_other(shop: Workshop) -> None:
    await shop.make(overlap="skip")
    async with shop.scheduler():
        shop.go_on(150)
        await shop.settled(2)
        first, last = NOON - 2 * MINUTE, NOON + 2 * MINUTE
        dry = await shop.desk.backfill("s", first, last, overlap=Overlap.BUFFER_ALL, dry_run=True)
        assert len(await shop.firings()) == 2
        told = await shop.desk.backfill("s", first, last, overlap=Overlap.BUFFER_ALL)
        found = await shop.settled(5)
        again = await shop.desk.backfill("s", first, last, overlap=Overlap.ALLOW)
    assert [len(one.asked) for one in (dry, told, again)] == [4, 4, 0]
    assert [one.outcome.value for one in found] == ["started"] * 5
    assert [one.kind.value for one in found] == ["backfill"] * 3 + ["schedule", "backfill"]
    assert len(set(shop.threads())) == len(shop.threads()) == 5
    assert (await shop.desk.find("s")).fired == 1


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [(0, -1, "before `from`"), (0, 60, "future"), (-2000, 0, "more than 1,000 times")],
)
async def test_a_backfill_has_bounds(shop: Workshop, first: int, last: int, told: str) -> None:
    await shop.make()
    with pytest.raises(InvalidRequest, match=told):
        await shop.desk.backfill("s", NOON + first * MINUTE, NOON + last * MINUTE, overlap=Overlap.ALLOW)


async def test_one_that_is_spent_goes_on_when_it_may_start_more(shop: Workshop) -> None:
    await shop.make(overlap="allow", max_firings=1)
    async with shop.scheduler():
        shop.go_on(180)
        await shop.settled(1)
        spent = await shop.desk.find("s")
        more = await shop.desk.change("s", {"max_firings": 2})
        shop.go_on(60)
        await shop.settled(2)
    assert (spent.next_fire_at, more.next_fire_at) == (None, NOON + 4 * MINUTE)
    assert (await shop.desk.find("s")).next_fire_at is None


async def test_what_is_not_there_is_not_found(shop: Workshop) -> None:
    for wanted in (shop.desk.find("s"), shop.desk.pause("s"), shop.desk.run("s"), shop.desk.delete("a\0b")):
        with pytest.raises(NotFound):
            await wanted
