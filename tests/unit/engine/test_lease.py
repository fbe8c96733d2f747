"""The lease: one heartbeat a process, and whom it takes for dead."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now
from app.engine.lease import Lease, host, process
from app.store.memory import MemoryJournal
from app.store.memory_registry import MemoryRegistry
from app.store.memory_tables import MemoryTables
from tests.builders import Driver, new_start
from tests.unit.engine.house import Clock


def other(**fields: str) -> IncarnationRecord:
    now = utc_now()
    record = IncarnationRecord(id=uuid7(), host="elsewhere", process="1@1.00", started_at=now, heartbeat_at=now)
    return replace(record, **fields)


class Time:
    """This process's own clock, which stands still between what a test says."""

    now = 100.0


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    own = Time()
    monkeypatch.setattr("app.engine.lease.monotonic", lambda: own.now)
    return own


class Office:
    """A store with a clock, and the lease of this process in it."""

    def __init__(self, *, alone: bool = False) -> None:
        self.clock = Clock()
        self.journal = MemoryJournal(MemoryTables(clock=self.clock))
        self.freed = 0
        self.lease = Lease(self.journal, seconds=10, alone=lambda: alone, freed=self._free)

    def pass_by(self, time: Time, seconds: float) -> None:
        """So much later, by both clocks."""
        self.clock.advance(seconds)
        time.now += seconds

    async def beat_for(self, time: Time, seconds: int) -> None:
        """A heartbeat each second."""
        for _ in range(seconds):
            self.pass_by(time, 1)
            await self.lease._beat()
            await self.lease._judge()

    async def drive(self, incarnation_id: str) -> str:
        """A thread that runs in a process."""
        workflow = await MemoryRegistry(self.journal._tables).register(name="sewing", document="{}", hash="1")
        driver = Driver(start := new_start(workflow, incarnation_id=incarnation_id))
        await self.journal.start(start)
        await driver.commit(self.journal, driver.move())
        return driver.thread.thread_id

    def _free(self) -> None:
        self.freed += 1

    async def known(self) -> set[str]:
        return {record.id for record, _ in await self.journal.incarnations()}


@pytest.mark.parametrize(
    ("fields", "dead"),
    [
        ({}, False),
        ({"host": host(), "process": process(os.getpid())}, False),
        ({"host": host(), "process": f"{os.getpid()}@1.00"}, True),
        ({"host": host(), "process": "99999999@5.00"}, True),
        ({"process": "99999999@5.00"}, False),
    ],
)
async def test_only_the_provably_dead_are_taken_over_at_once(fields: dict[str, str], dead: bool) -> None:
    office, somebody = Office(), other(**fields)
    await office.journal.open_incarnation(somebody)
    await office.lease.open()
    assert (somebody.id not in await office.known()) is dead
    assert office.freed == dead


async def test_who_is_alone_on_the_store_takes_over_everybody() -> None:
    office, somebody = Office(alone=True), other()
    await office.journal.open_incarnation(somebody)
    await office.lease.open()
    assert await office.known() == {office.lease.own.id}


async def test_who_is_silent_for_longer_than_the_lease_is_taken_over(time: Time) -> None:
    office, somebody = Office(), other()
    await office.lease.open()
    await office.beat_for(time, 12)
    await office.journal.open_incarnation(somebody)
    await office.beat_for(time, 9)
    assert somebody.id in await office.known()
    await office.beat_for(time, 3)
    assert await office.known() == {office.lease.own.id}


async def test_who_enters_gives_the_silent_the_time_of_a_lease(time: Time) -> None:
    office, somebody = Office(), other()
    await office.journal.open_incarnation(somebody)
    office.clock.advance(60)
    await office.lease.open()
    await office.beat_for(time, 9)
    assert somebody.id in await office.known()
    await office.beat_for(time, 2)
    assert somebody.id not in await office.known()


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_step_of_the_databases_clock_makes_nobody_dead_or_alive(time: Time, step: float) -> None:
    office, dead, living = Office(), other(), other()
    await office.lease.open()
    await office.beat_for(time, 12)
    for each in (dead, living):
        await office.journal.open_incarnation(each)
    await office.beat_for(time, 5)
    office.clock.advance(step)
    for _ in range(7):
        await office.journal.heartbeat(living.id)
        await office.beat_for(time, 1)
    assert await office.known() == {office.lease.own.id, living.id}


async def test_the_lease_counts_from_before_the_renewal_was_sent(time: Time) -> None:
    office = Office()
    assert not office.lease.holds
    await office.lease.open()
    time.now += 9
    assert office.lease.holds
    slow = office.journal.heartbeat

    async def heartbeat(incarnation_id: str) -> bool:
        time.now += 5
        return await slow(incarnation_id)

    office.journal.heartbeat = heartbeat
    await office.lease._beat()
    time.now += 4
    assert office.lease.holds
    time.now += 1
    assert not office.lease.holds


async def test_a_renewal_that_fails_renews_nothing(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    office, renewed = Office(), list[float]()
    office.lease._renewed = lambda: renewed.append(time.now)
    await office.lease.open()

    async def away(_: str) -> bool:
        raise Unavailable("away")

    monkeypatch.setattr(office.journal, "heartbeat", away)
    time.now += 11
    with pytest.raises(Unavailable):
        await office.lease._beat()
    assert (office.lease.holds, renewed) == (False, [])
    monkeypatch.undo()


async def test_the_dead_are_known_by_their_silence_their_end_or_their_missing_row() -> None:
    office, silent, ended = Office(), other(), other(host=host(), process="99999999@5.00")
    await office.lease.open()
    assert not await office.lease.is_dead(office.lease.own.id)
    assert await office.lease.is_dead(silent.id)
    for each in (silent, ended):
        await office.journal.open_incarnation(each)
    assert not await office.lease.is_dead(silent.id)
    assert await office.lease.is_dead(ended.id)
    office.clock.advance(11)
    assert await office.lease.is_dead(silent.id)


async def test_it_is_told_whether_others_are_there() -> None:
    office, told = Office(), list[bool]()
    office.lease._company = told.append
    await office.lease.open()
    await office.journal.open_incarnation(other())
    await office.lease._judge()
    assert told == [False, True]


async def test_who_was_taken_for_dead_enters_again() -> None:
    office = Office()
    await office.lease.open()
    await office.journal.close_incarnation(office.lease.own.id)
    await office.lease._beat()
    assert await office.known() == {office.lease.own.id}


async def test_who_leaves_leaves_no_row() -> None:
    office = Office()
    await office.lease.open()
    await office.lease.close()
    assert await office.known() == set()


async def test_after_an_outage_the_others_get_the_time_of_a_lease_to_be_heard(time: Time) -> None:
    office, somebody = Office(), other()
    await office.lease.open()
    await office.beat_for(time, 12)
    await office.journal.open_incarnation(somebody)
    await office.lease._judge()
    office.pass_by(time, 30)
    await office.lease._judge()
    await office.lease._beat()
    await office.lease._judge()
    assert somebody.id in await office.known()
    await office.beat_for(time, 12)
    assert somebody.id not in await office.known()


def test_a_process_is_told_by_what_no_clock_can_move() -> None:
    assert process(os.getpid()) == process(os.getpid())
    assert process(99999999) == "99999999@"


async def test_who_is_heard_in_the_last_moment_keeps_its_threads(time: Time) -> None:
    office, somebody = Office(), other()
    await office.lease.open()
    await office.beat_for(time, 11)
    await office.journal.open_incarnation(somebody)
    await office.beat_for(time, 11)
    look = office.journal.incarnations

    async def heard_just_after_the_look() -> list[tuple[IncarnationRecord, float]]:
        found = await look()
        await office.journal.heartbeat(somebody.id)
        return found

    office.journal.incarnations = heard_just_after_the_look
    await office.beat_for(time, 1)
    assert somebody.id in {record.id for record, _ in await look()}


async def test_a_process_that_cannot_be_looked_at_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    office, hidden = Office(), other(host=host(), process="7@1")
    await office.journal.open_incarnation(hidden)
    monkeypatch.setattr("app.engine.lease.process", lambda pid: None)
    await office.lease.open()
    assert hidden.id in await office.known()


async def test_threads_of_processes_that_nobody_knows_are_swept(time: Time) -> None:
    office = Office()
    await office.lease.open()
    driver = await office.drive(uuid7())
    await office.beat_for(time, 6)
    assert office.journal._tables.threads[driver].incarnation_id is None
    assert office.freed == 1


async def test_a_takeover_counts_as_a_crash(time: Time) -> None:
    office, gone = Office(), other(host=host(), process="99999999@5.00")
    await office.journal.open_incarnation(gone)
    thread_id = await office.drive(gone.id)
    await office.lease.open()
    assert office.journal._tables.threads[thread_id].recoveries == 1


async def test_after_a_heartbeat_that_failed_the_others_get_the_time_of_a_lease(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was away for almost as long as the lease: the others had no way to be heard either."""
    office, somebody = Office(), other()
    await office.lease.open()
    await office.journal.open_incarnation(somebody)
    await office.beat_for(time, 2)
    with monkeypatch.context() as away:
        away.setattr(office.journal, "heartbeat", refuse)
        office.pass_by(time, 1)
        with pytest.raises(Unavailable):
            await office.lease._beat()
    office.pass_by(time, 8.5)
    await office.lease._beat()
    await office.lease._judge()
    assert somebody.id in await office.known()
    await office.beat_for(time, 9)
    assert somebody.id in await office.known()
    await office.beat_for(time, 2)
    assert somebody.id not in await office.known()


async def refuse(*_: object) -> bool:
    raise Unavailable("away")


def test_a_process_that_is_hidden_is_not_taken_for_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", hidden)
    assert process(os.getpid()) is None
    assert process(1) is None
    assert process(99999999) == "99999999@"
