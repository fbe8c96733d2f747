"""ScheduleStore: who claims a schedule, what a claim that is lost may still write, and what is kept of firings."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.ids import uuid7
from app.domain.schedule_store import FiringFilter, Move, ScheduleFilter, ScheduleStore
from app.domain.schedules import Firing, Kind, Outcome, Overlap, Plan, Schedule
from app.domain.status import Status
from app.domain.timing import Timing
from app.store.db import open_pool
from app.store.journal import open_journal
from app.store.memory import MemoryJournal
from app.store.memory_registry import MemoryRegistry
from app.store.memory_schedules import MemorySchedules
from app.store.memory_tables import MemoryTables
from app.store.registry import PostgresRegistry
from app.store.schedules import PostgresSchedules
from tests.builders import Driver, incarnation, new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.domain.ports import Journal
    from app.domain.registry import Registry
    from app.domain.schedule_store import Claimed

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LEASE = 60.0


@dataclass
class Bench:
    """A store of schedules, and two processes that are entered."""

    schedules: ScheduleStore
    journal: Journal
    registry: Registry
    one: str
    other: str

    async def make(self, name: str = "tick", **parts: Any) -> Schedule:
        """A schedule of each minute that was due a second ago, claimed by nobody."""
        now = await self.schedules.now()
        plan = Plan(
            timing=Timing(every=60), workflow=parts.pop("workflow", "sewing"), input={"a": "\0"}, has_input=True
        )
        at = now - SECOND
        made = Schedule(
            id=uuid7(), name=name, plan=plan, since=now, next_fire_at=at, next_due_at=at, created_at=now, updated_at=now
        )
        assert await self.schedules.create(replace(made, **parts))
        return replace(made, **parts)

    async def claim(self, owner: str | None = None, limit: int = 10) -> Claimed:
        return await self.schedules.claim(owner or self.one, LEASE, limit)

    async def fire(self, claimed: Schedule, *ages: int, outcome: str = "starting", **parts: Any) -> list[Firing]:
        """Firings of so many seconds ago, under a claim that goes on."""
        now = await self.schedules.now()
        told: dict[str, Any] = {"decided_at": now, "watched": True, **parts}
        made = [firing(claimed, now - age * SECOND, outcome, **told) for age in ages]
        assert await self.schedules.settle([Move(schedule=claimed, made=made, stays_claimed=True)])
        return made

    async def kept(self, schedule: Schedule, **where: Any) -> list[Firing]:
        return await self.schedules.firings(schedule.id, FiringFilter(**where))


def firing(schedule: Schedule, at: datetime, outcome: str = "starting", **parts: Any) -> Firing:
    told: dict[str, Any] = {"decided_at": at, **parts}
    return Firing(schedule_id=schedule.id, fire_time=at, due_at=at, outcome=Outcome(outcome), **told)


@pytest.fixture
async def bench(store_dsn: str | None) -> AsyncGenerator[Bench]:
    async with open_bench(store_dsn) as opened:
        yield opened


@asynccontextmanager
async def open_bench(dsn: str | None) -> AsyncIterator[Bench]:
    if dsn is None:
        tables = MemoryTables()
        yield await entered(MemorySchedules(tables), MemoryJournal(tables), MemoryRegistry(tables))
        return
    async with open_pool(dsn) as pool, open_journal(dsn, pool) as journal:
        yield await entered(PostgresSchedules(pool), journal, PostgresRegistry(pool))


async def entered(schedules: ScheduleStore, journal: Journal, registry: Registry) -> Bench:
    processes = [incarnation(), incarnation()]
    for process in processes:
        await journal.open_incarnation(process)
    return Bench(schedules, journal, registry, processes[0].id, processes[1].id)


async def test_a_schedule_is_kept_as_it_was_written(bench: Bench) -> None:
    made = await bench.make(pause_reason="why\n", paused=True)
    assert await bench.schedules.schedule("tick") == made
    assert await bench.schedules.schedule("tock") is None


async def test_a_name_is_given_once(bench: Bench) -> None:
    made = await bench.make()
    assert not await bench.schedules.create(replace(made, id=uuid7()))


async def test_claims_at_once_share_the_schedules(bench: Bench) -> None:
    names = {(await bench.make(f"s-{number}")).name for number in range(12)}
    shares = await asyncio.gather(*(bench.claim(owner, 6) for owner in (bench.one, bench.other)))
    more = await bench.claim(limit=12)
    claimed = [one.name for share in (*shares, more) for one in share.schedules]
    assert sorted(claimed) == sorted(names)


async def test_what_is_claimed_or_not_due_is_left_alone(bench: Bench) -> None:
    await bench.make()
    [first] = (await bench.claim()).schedules
    assert first.rev == 1
    again = await bench.claim(bench.other)
    assert again.schedules == []
    assert again.next_in == pytest.approx(LEASE, abs=5)


async def test_one_that_was_let_go_is_due_when_it_was_said(bench: Bench) -> None:
    await bench.make()
    claimed = await bench.claim()
    [found] = claimed.schedules
    await bench.schedules.let_go([(found, claimed.now + MINUTE)])
    later = await bench.claim()
    assert later.schedules == []
    assert later.next_in == pytest.approx(60, abs=5)
    await bench.schedules.touch([found.id])
    assert len((await bench.claim()).schedules) == 1


async def test_what_is_to_be_done_under_a_claim_that_was_lost_is_not_written(bench: Bench) -> None:
    await bench.make()
    [mine] = (await bench.claim()).schedules
    await bench.schedules.release(bench.one)
    [theirs] = (await bench.claim(bench.other)).schedules
    move = Move(schedule=mine, made=[firing(mine, mine.created_at)], look_at=None)
    assert await bench.schedules.settle([move]) == {}
    await bench.schedules.let_go([(mine, None)])
    assert await bench.kept(mine) == []
    assert await bench.schedules.settle([replace(move, schedule=theirs)]) == {mine.id: frozenset([mine.created_at])}


async def test_a_time_is_fired_once(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    [first] = await bench.fire(claimed, 5)
    second = replace(first, outcome=Outcome.SKIPPED)
    made = await bench.schedules.settle([Move(schedule=claimed, made=[second], stays_claimed=True)])
    assert made == {claimed.id: frozenset()}
    assert [one.outcome for one in await bench.kept(claimed)] == [Outcome.STARTING]


async def test_a_change_takes_a_schedule_from_who_has_claimed_it(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    changed = await bench.schedules.change(replace(claimed, paused=True, next_fire_at=None, next_due_at=None))
    assert changed is not None
    assert (changed.revision, changed.rev, changed.paused) == (2, claimed.rev + 1, True)
    assert await bench.schedules.change(claimed) is None
    assert await bench.schedules.settle([Move(schedule=claimed)]) == {}
    assert len((await bench.claim(bench.other)).schedules) == 1


async def test_what_is_settled_moves_the_schedule_on(bench: Bench) -> None:
    await bench.make()
    claimed = await bench.claim()
    [found] = claimed.schedules
    at = claimed.now + MINUTE
    moved = replace(found, next_fire_at=at, next_due_at=at, last_fire_at=claimed.now, fired=7)
    await bench.schedules.settle([Move(schedule=moved, look_at=at)])
    assert await bench.schedules.schedule("tick") == moved
    assert (await bench.claim()).next_in == pytest.approx(60, abs=5)


async def test_what_came_of_a_firing_is_noted_once(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    [made] = await bench.fire(claimed, 5)
    await bench.schedules.note([replace(made, attempts=1, error={"code": "queue_full", "message": "\0"})])
    [tried] = await bench.kept(claimed)
    assert (tried.outcome, tried.attempts, tried.error) == (
        Outcome.STARTING,
        1,
        {"code": "queue_full", "message": "\0"},
    )
    await bench.schedules.note([replace(made, outcome=Outcome.STARTED)])
    await bench.schedules.note([replace(made, outcome=Outcome.FAILED)])
    [noted] = await bench.kept(claimed)
    assert noted.outcome is Outcome.STARTED
    assert noted.started_at is not None


async def test_open_firings_are_those_to_be_started_and_those_that_others_wait_for(bench: Bench) -> None:
    workflow = await bench.registry.register(name="sewing", document='{"name":"sewing"}', hash="1")
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    [runs] = await bench.fire(claimed, 50)
    await bench.fire(claimed, 40, watched=False)
    await bench.schedules.note([replace(one, outcome=Outcome.STARTED) for one in await bench.kept(claimed)])
    await bench.fire(claimed, 30, outcome="buffered")
    await bench.fire(claimed, 20)
    await bench.fire(claimed, 10, outcome="skipped", watched=False)
    start = new_start(workflow, thread_id=runs.thread_id)
    await bench.journal.start(start)
    found = await bench.schedules.open_firings([claimed.id])
    assert [one.outcome for one in found] == [Outcome.STARTED, Outcome.BUFFERED, Outcome.STARTING]
    assert (found[0].thread_status, found[0].runs) == (Status.PENDING, True)
    await bench.schedules.settle([Move(schedule=claimed, closed=[runs.fire_time], stays_claimed=True)])
    assert len(await bench.schedules.open_firings([claimed.id])) == 2


async def test_a_buffered_firing_changes_under_the_claim(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    [waits] = await bench.fire(claimed, 30, outcome="buffered", reason="somebody runs")
    changed = replace(waits, outcome=Outcome.STARTING, reason=None)
    await bench.schedules.settle([Move(schedule=replace(claimed, rev=0), changed=[changed])])
    assert (await bench.kept(claimed))[0].outcome is Outcome.BUFFERED
    await bench.schedules.settle([Move(schedule=claimed, changed=[changed], stays_claimed=True)])
    [found] = await bench.kept(claimed)
    assert (found.outcome, found.reason) == (Outcome.STARTING, None)


async def test_a_request_is_for_what_was_not_made(bench: Bench) -> None:
    schedule = await bench.make()
    [claimed] = (await bench.claim()).schedules
    [made] = await bench.fire(claimed, 30)
    [skipped] = await bench.fire(claimed, 20, outcome="skipped", reason="busy", watched=False)
    asked = {"kind": Kind.BACKFILL, "overlap": Overlap.BUFFER_ALL}
    wanted = [firing(schedule, one.fire_time, "buffered", **asked) for one in (made, skipped)]
    wanted.append(firing(schedule, made.fire_time - MINUTE, "buffered", **asked))
    found = await bench.schedules.request(schedule, wanted)
    assert {one.fire_time for one in found} == {skipped.fire_time, made.fire_time - MINUTE}
    known = await bench.schedules.known(schedule.id, [skipped.fire_time])
    assert [(one.outcome, one.kind, one.reason) for one in known] == [(Outcome.BUFFERED, Kind.BACKFILL, None)]
    assert len((await bench.claim(bench.other)).schedules) == 1  # it was taken from whoever had claimed it


async def test_firings_are_listed_the_latest_first(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    made = await bench.fire(claimed, 5, 30, 20, outcome="skipped", watched=False)
    times = sorted((one.fire_time for one in made), reverse=True)
    assert [one.fire_time for one in await bench.kept(claimed, limit=2)] == times[:2]
    assert [one.fire_time for one in await bench.kept(claimed, before=times[1])] == times[2:]
    assert [one.fire_time for one in await bench.kept(claimed, since=times[1], until=times[0])] == [times[1]]
    assert await bench.kept(claimed, outcome=Outcome.STARTED) == []
    assert len(await bench.kept(claimed, kind=Kind.SCHEDULE)) == 3


async def test_schedules_are_listed_by_name_with_their_last_firing(bench: Bench) -> None:
    await bench.make("b", workflow="other")
    await bench.make("a", paused=True)
    claimed = await bench.claim()
    for one in claimed.schedules:
        await bench.fire(one, 9, 3)
    found = await bench.schedules.schedules(ScheduleFilter())
    assert [(one.name, last and last.outcome) for one, last in found] == [
        ("a", Outcome.STARTING),
        ("b", Outcome.STARTING),
    ]
    assert [one.name for one, _ in await bench.schedules.schedules(ScheduleFilter(after="a"))] == ["b"]
    assert [one.name for one, _ in await bench.schedules.schedules(ScheduleFilter(limit=1))] == ["a"]
    assert [one.name for one, _ in await bench.schedules.schedules(ScheduleFilter(paused=True))] == ["a"]
    assert [one.name for one, _ in await bench.schedules.schedules(ScheduleFilter(workflow="other"))] == ["b"]


async def test_a_deleted_schedule_goes_with_its_firings_and_nothing_more_is_written(bench: Bench) -> None:
    made = await bench.make()
    [claimed] = (await bench.claim()).schedules
    await bench.fire(claimed, 5)
    assert await bench.schedules.delete("tick")
    assert not await bench.schedules.delete("tick")
    assert await bench.kept(made) == []
    assert await bench.schedules.settle([Move(schedule=claimed, made=[firing(made, made.created_at)])]) == {}
    assert await bench.schedules.request(made, [firing(made, made.created_at)]) == []
    assert await bench.kept(made) == []


async def test_old_firings_that_are_over_are_deleted(bench: Bench) -> None:
    workflow = await bench.registry.register(name="sewing", document='{"name":"sewing"}', hash="1")
    await bench.make()
    claimed = await bench.claim()
    [found] = claimed.schedules
    old = claimed.now - timedelta(days=40)
    [runs] = await bench.fire(found, 60, decided_at=old)
    [ended] = await bench.fire(found, 50, decided_at=old)
    await bench.schedules.note([replace(one, outcome=Outcome.STARTED) for one in (runs, ended)])
    await bench.journal.start(new_start(workflow, thread_id=runs.thread_id))
    start = new_start(workflow, thread_id=ended.thread_id)
    await bench.journal.start(start)
    driver = Driver(start)
    await driver.commit(bench.journal, driver.complete({}))
    await bench.fire(found, 40, decided_at=old, outcome="buffered")
    await bench.fire(found, 30, 20, decided_at=old, outcome="skipped", watched=False)
    await bench.fire(found, 10, outcome="skipped", watched=False)
    assert await bench.schedules.tidy(30, 2) == 2
    assert await bench.schedules.tidy(30, 10) == 1
    left = [one.outcome for one in await bench.kept(found)]
    assert left == [Outcome.SKIPPED, Outcome.BUFFERED, Outcome.STARTED]


async def test_of_a_schedule_the_newest_firings_stay(bench: Bench) -> None:
    await bench.make()
    [claimed] = (await bench.claim()).schedules
    await bench.fire(claimed, 90, outcome="buffered")
    await bench.fire(claimed, *range(10, 70, 10), outcome="skipped", watched=False)
    assert await bench.schedules.trim(claimed.id, 2, 3) == 3
    assert await bench.schedules.trim(claimed.id, 2, 3) == 1
    assert len(await bench.kept(claimed)) == 3
