"""The lease: one heartbeat a process, and whom it takes for dead."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now
from app.engine.lease import Lease, host, process
from app.store.memory import MemoryJournal
from app.store.memory_tables import MemoryTables
from tests.unit.engine.house import Clock


def other(**fields: str) -> IncarnationRecord:
    now = utc_now()
    record = IncarnationRecord(id=uuid7(), host="elsewhere", process="1@1.00", started_at=now, heartbeat_at=now)
    return replace(record, **fields)


class Office:
    """A store with a clock, and the lease of this process in it."""

    def __init__(self, *, alone: bool = False) -> None:
        self.clock = Clock()
        self.journal = MemoryJournal(MemoryTables(clock=self.clock))
        self.freed = 0
        self.lease = Lease(self.journal, seconds=10, alone=lambda: alone, freed=self._free)

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


async def test_who_is_silent_for_longer_than_the_lease_is_taken_over() -> None:
    office, somebody = Office(), other()
    await office.journal.open_incarnation(somebody)
    await office.lease.open()
    office.clock.advance(9)
    await office.lease._beat()
    assert somebody.id in await office.known()
    office.clock.advance(2)
    await office.lease._beat()
    assert await office.known() == {office.lease.own.id}


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


async def test_after_an_outage_the_others_get_the_time_of_a_lease_to_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    office, somebody, now = Office(), other(), [100.0]
    monkeypatch.setattr("app.engine.lease.monotonic", lambda: now[0])
    office.lease._beaten_at = now[0]
    await office.journal.open_incarnation(somebody)
    await office.lease.open()
    office.clock.advance(30)
    now[0] += 30
    await office.lease._beat()
    assert somebody.id in await office.known()
    office.clock.advance(11)
    for _ in range(2):
        now[0] += 6
        await office.lease._beat()
    assert somebody.id not in await office.known()


def test_a_process_is_told_by_what_no_clock_can_move() -> None:
    assert process(os.getpid()) == process(os.getpid())
    assert process(99999999) == "99999999@"
