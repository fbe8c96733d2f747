"""The serving processes: who is entered, how long each has been silent, what each drives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain.ids import uuid7
from app.domain.records import IncarnationRecord
from app.domain.times import utc_now
from app.store.memory_workers import MemoryWorkers
from app.store.reads import PostgresReads
from app.store.workers import PostgresWorkers

if TYPE_CHECKING:
    from app.domain.workers import Workers
    from tests.contracts.conftest import Store


def workers_of(store: Store) -> Workers:
    reads: Any = store.reads
    return PostgresWorkers(reads._fetcher) if isinstance(store.reads, PostgresReads) else MemoryWorkers(reads._tables)


async def entered(store: Store, host: str) -> str:
    at, name = utc_now(), uuid7()
    await store.journal.open_incarnation(
        IncarnationRecord(id=name, host=host, process="4711@9", started_at=at, heartbeat_at=at)
    )
    return name


async def test_processes_come_newest_first_with_what_they_drive_by_queue(store: Store) -> None:
    first, second = await entered(store, "one boot"), await entered(store, "two boot")
    for queue in ("default", "mail", "mail"):
        await store.drive(queue=queue, incarnation_id=first)
    found = await workers_of(store).listed()
    assert [(one.id, one.host, one.process, dict(one.threads)) for one in found] == [
        (second, "two boot", "4711@9", {}),
        (first, "one boot", "4711@9", {"default": 1, "mail": 2}),
    ]
    assert all(0 <= one.silent_for < 60 for one in found)
    assert [one.id for one in await workers_of(store).listed(1)] == [second]


async def test_a_process_that_left_is_not_listed(store: Store) -> None:
    name = await entered(store, "one")
    await store.journal.close_incarnation(name)
    assert await workers_of(store).listed() == []
