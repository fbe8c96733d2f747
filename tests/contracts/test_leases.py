"""Journal.claim and the incarnations: who drives a thread, and who may take it over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Fenced
from app.domain.times import utc_now
from tests.builders import incarnation

if TYPE_CHECKING:
    from tests.contracts.conftest import Store

PAST, FUTURE = timedelta(minutes=-1), timedelta(hours=1)


async def test_a_due_thread_is_claimed_once_and_its_epoch_rises(store: Store) -> None:
    driver = await store.drive(wake_at=utc_now() + PAST)
    process = incarnation()
    [claimed] = await store.journal.claim(process.id, 10)
    assert (claimed.thread_id, claimed.epoch, claimed.rev) == (driver.thread.thread_id, 2, 0)
    assert (claimed.incarnation_id, claimed.wake_at) == (process.id, None)
    assert await store.reads.thread(claimed.thread_id) == claimed
    assert await store.journal.claim(process.id, 10) == []
    assert await store.journal.driven(process.id) == [claimed]


async def test_whoever_drove_before_a_claim_is_fenced(store: Store) -> None:
    driver = await store.drive(wake_at=utc_now() + PAST)
    await store.journal.claim(incarnation().id, 10)
    with pytest.raises(Fenced):
        await driver.commit(store.journal, driver.event("step_progress"))


async def test_threads_are_claimed_the_longest_due_first_up_to_the_limit(store: Store) -> None:
    now = utc_now()
    for minutes in (2, 9, 5):
        await store.drive(thread_id=f"due-{minutes}", wake_at=now - timedelta(minutes=minutes))
    await store.drive(wake_at=now + FUTURE)
    await store.drive()
    claimed = await store.journal.claim(incarnation().id, 2)
    assert {thread.thread_id for thread in claimed} == {"due-9", "due-5"}
    assert len(await store.journal.claim(incarnation().id, 10)) == 1


async def test_claims_at_once_share_the_threads(store: Store) -> None:
    for _ in range(20):
        await store.drive(wake_at=utc_now() + PAST)
    shares = await asyncio.gather(*(store.journal.claim(incarnation().id, 10) for _ in range(4)))
    more = await store.journal.claim(incarnation().id, 20)  # a claim passes over rows that another holds
    claimed = [thread.thread_id for share in [*shares, more] for thread in share]
    assert len(claimed) == len(set(claimed)) == 20


async def test_next_due_tells_how_long_to_wait(store: Store) -> None:
    assert await store.journal.next_due() is None
    await store.drive(wake_at=utc_now() + FUTURE)
    assert 0 < (await store.journal.next_due() or 0) <= 3600
    await store.drive(wake_at=utc_now() + PAST)
    assert await store.journal.next_due() == 0


async def test_waking_reaches_only_a_waiting_thread(store: Store) -> None:
    waiting, driven = await store.drive(wake_at=utc_now() + FUTURE), await store.drive(incarnation_id=incarnation().id)
    for thread_id in (waiting.thread.thread_id, driven.thread.thread_id, "nobody"):
        await store.journal.wake(thread_id)
    [claimed] = await store.journal.claim(incarnation().id, 10)
    assert claimed.thread_id == waiting.thread.thread_id


async def test_closing_a_process_frees_its_threads_and_fences_it(store: Store) -> None:
    leaving, staying = incarnation(), incarnation()
    await store.journal.open_incarnation(leaving)
    await store.journal.open_incarnation(staying)
    driver = await store.drive(incarnation_id=leaving.id)
    await store.drive(incarnation_id=staying.id)
    assert await store.journal.close_incarnation(leaving.id) == 1
    with pytest.raises(Fenced):
        await driver.commit(store.journal, driver.event("step_progress"))
    assert [thread.thread_id for thread in await store.journal.claim(staying.id, 10)] == [driver.thread.thread_id]


async def test_a_lease_is_renewed_while_its_row_is_there(store: Store) -> None:
    process = incarnation("this-host")
    await store.journal.open_incarnation(process)
    assert await store.journal.heartbeat(process.id)
    [(known, silent_for)] = await store.journal.incarnations()
    assert (known.id, known.host, known.process) == (process.id, "this-host", "{}")
    assert silent_for >= 0
    await store.journal.close_incarnation(process.id)
    assert not await store.journal.heartbeat(process.id)
    assert await store.journal.incarnations() == []


async def test_a_process_that_was_heard_of_again_is_not_closed_for_its_silence(store: Store) -> None:
    process = incarnation()
    await store.journal.open_incarnation(process)
    driver = await store.drive(incarnation_id=process.id)
    [(seen, _)] = await store.journal.incarnations()
    assert await store.journal.heartbeat(process.id)
    assert await store.journal.close_incarnation(process.id, seen.heartbeat_at) == 0
    await driver.commit(store.journal, driver.event("step_progress"))
    [(seen, _)] = await store.journal.incarnations()
    assert await store.journal.close_incarnation(process.id, seen.heartbeat_at) == 1


async def test_a_thread_of_a_process_that_nobody_knows_is_freed(store: Store) -> None:
    process = incarnation()
    await store.journal.open_incarnation(process)
    await store.drive(incarnation_id=process.id)
    orphan = await store.drive(incarnation_id=incarnation().id)
    assert await store.journal.sweep() == 1
    [claimed] = await store.journal.claim(process.id, 10)
    assert claimed.thread_id == orphan.thread.thread_id


async def test_a_wish_that_comes_while_a_thread_is_parked_makes_it_due(store: Store) -> None:
    driver = await store.drive(incarnation_id=incarnation().id)
    await store.journal.signal(driver.thread.thread_id, "pause")
    parking = driver.move(incarnation_id=None, wake_at=utc_now() + FUTURE)
    assert await driver.commit(store.journal, parking) == "pause"
    assert await store.journal.next_due() == 0


async def test_whoever_drove_a_swept_thread_is_fenced(store: Store) -> None:
    driver = await store.drive(incarnation_id=incarnation().id)
    await driver.commit(store.journal, driver.move())
    assert await store.journal.sweep() == 1
    with pytest.raises(Fenced):
        await driver.commit(store.journal, driver.event("step_progress"))
    row = await store.reads.thread(driver.thread.thread_id)
    assert row is not None
    assert row.recoveries == 1


async def test_a_crash_counts_a_recovery_of_what_was_driven_and_a_goodbye_none(store: Store) -> None:
    counts: list[int] = []
    for crashed in (True, False):
        process = incarnation()
        await store.journal.open_incarnation(process)
        running, new = await store.drive(incarnation_id=process.id), await store.drive(incarnation_id=process.id)
        await running.commit(store.journal, running.move())
        await store.journal.close_incarnation(process.id, crashed=crashed)
        for driver in (running, new):
            row = await store.reads.thread(driver.thread.thread_id)
            assert row is not None
            counts.append(row.recoveries)
    assert counts == [1, 1, 0, 0]
