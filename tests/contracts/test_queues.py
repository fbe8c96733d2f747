"""Queues on both stores: who is taken up next, and how many at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Conflict
from app.domain.queues import QueueSettings
from app.domain.times import utc_now
from app.store.journal import PostgresJournal
from app.store.memory import MemoryJournal
from app.store.memory_queue import MemoryQueues
from tests.builders import incarnation

if TYPE_CHECKING:
    from app.domain.queues import Queues
    from tests.contracts.conftest import Store

PAST, FUTURE = timedelta(minutes=-1), timedelta(hours=1)


@pytest.fixture
def queues(store: Store) -> Queues:
    """The queues of the store."""
    journal: Any = store.journal
    if isinstance(journal, PostgresJournal):
        return journal.queues
    assert isinstance(journal, MemoryJournal)
    return MemoryQueues(journal._tables)


async def put(store: Store, *names: str, queue: str = "mail", priority: int = 0, due: timedelta = PAST) -> None:
    """Threads that wait, the first for the longest."""
    at = utc_now() + due
    for place, name in enumerate(names):
        wake_at = at + timedelta(milliseconds=place)
        await store.drive(thread_id=name, queue=queue, priority=priority, wake_at=wake_at)


async def take(store: Store, limit: int = 100) -> list[str]:
    """The ids of the threads that one claim takes up, sorted: the store may give them in any order."""
    return sorted(thread.thread_id for thread in await store.journal.claim(incarnation().id, limit))


def many(count: int) -> list[str]:
    return [f"t{number:02}" for number in range(count)]


async def test_ten_that_claim_at_once_take_no_more_than_the_limit(store: Store) -> None:
    await put(store, *many(40))
    shares = await asyncio.gather(*(take(store) for _ in range(10)))
    taken = [name for share in shares for name in share]
    assert sorted(taken) == many(5)
    assert await take(store) == []


async def test_a_queue_takes_as_many_as_it_is_told(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=2))
    await put(store, *many(4))
    assert len(await take(store)) == 2
    await queues.configure(QueueSettings(name="mail", max_running=3))
    assert len(await take(store)) == 1
    await queues.configure(QueueSettings(name="mail", max_running=0))
    assert await take(store) == []
    await queues.configure(QueueSettings(name="mail"))
    assert len(await take(store)) == 1


async def test_the_default_queue_has_no_limit_until_it_is_given_one(store: Store, queues: Queues) -> None:
    await put(store, *many(7), queue="default")
    assert len(await take(store, 6)) == 6
    await queues.configure(QueueSettings(name="default", max_running=6))
    assert await take(store) == []
    await queues.configure(QueueSettings(name="default"))
    assert len(await take(store)) == 1


async def test_a_full_queue_holds_up_no_other(store: Store) -> None:
    await put(store, *many(5))
    assert len(await take(store)) == 5
    await put(store, "late", queue="mail", priority=9)
    await put(store, "other", queue="reports")
    await put(store, "plain", queue="default")
    assert await take(store) == ["other", "plain"]


async def test_the_higher_priority_goes_first_over_all_queues(store: Store) -> None:
    await put(store, "low", queue="default", priority=-5)
    await put(store, "high", queue="mail", priority=7)
    await put(store, "usual", queue="default")
    await put(store, "higher", queue="reports", priority=8)
    assert [await take(store, 1) for _ in range(4)] == [["higher"], ["high"], ["usual"], ["low"]]


async def test_within_a_priority_the_longest_due_goes_first(store: Store) -> None:
    await put(store, "second", "third", "fourth")
    await put(store, "first", due=2 * PAST)
    assert [await take(store, 1) for _ in range(4)] == [["first"], ["second"], ["third"], ["fourth"]]


async def test_a_queue_with_a_limit_takes_its_higher_priorities_first(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=3))
    await put(store, *many(3))
    await put(store, "urgent-1", "urgent-2", priority=2)
    assert await take(store) == ["t00", "urgent-1", "urgent-2"]


async def test_a_delayed_thread_is_not_taken_before_its_time(store: Store, queues: Queues) -> None:
    await put(store, "later", due=FUTURE, priority=9)
    await put(store, "now")
    assert await take(store) == ["now"]
    [report] = await queues.report("mail")
    assert (report.depth, report.delayed, report.running, report.oldest_wait) == (0, 1, 1, None)


async def test_a_rate_limit_lets_so_many_through_as_there_are_tokens(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=50, rate_count=3, rate_seconds=3600))
    await put(store, *many(5))
    assert await take(store, 2) == ["t00", "t01"]
    assert await take(store) == ["t02"]
    assert await take(store) == []
    wait = await store.journal.next_due()
    assert wait is not None
    assert 600 < wait <= 1200


async def test_tokens_come_back_with_time(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=50, rate_count=2, rate_seconds=0.02))
    await put(store, *many(6))
    taken: list[str] = []
    async with asyncio.timeout(30):
        while len(taken) < 6:
            taken += await take(store)
            await asyncio.sleep(0.005)
    assert taken == many(6)


async def test_the_same_settings_again_fill_no_bucket(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="default", rate_count=1, rate_seconds=3600))
    await put(store, "t00", "t01", queue="default")
    assert await take(store) == ["t00"]
    await queues.configure(QueueSettings(name="default", rate_count=1, rate_seconds=3600))
    assert await take(store) == []


async def test_the_slots_of_a_dead_process_come_back(store: Store) -> None:
    dead, alive = incarnation(), incarnation()
    for process in (dead, alive):
        await store.journal.open_incarnation(process)
    await put(store, *many(6))
    assert len(await store.journal.claim(dead.id, 100)) == 5
    assert await store.journal.claim(alive.id, 100) == []
    await store.journal.close_incarnation(dead.id)
    assert len(await store.journal.claim(alive.id, 100)) == 5


async def test_a_thread_that_ends_or_sleeps_gives_its_slot_back(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=1))
    process = incarnation()
    first = await store.drive(queue="mail", incarnation_id=process.id)
    await put(store, "second")
    assert await take(store) == []
    await first.commit(store.journal, first.move(incarnation_id=None, wake_at=utc_now() + FUTURE))
    assert await take(store) == ["second"]


async def test_next_due_leaves_out_a_full_queue(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", max_running=1))
    await put(store, "first", "second")
    assert await store.journal.next_due() == 0
    await take(store)
    assert await store.journal.next_due() is None
    await put(store, "other", queue="reports", due=FUTURE)
    assert 3500 < (await store.journal.next_due() or 0) <= 3600


async def test_a_report_tells_of_all_queues(store: Store, queues: Queues) -> None:
    await queues.ensure("empty")
    await queues.configure(QueueSettings(name="mail", max_running=2, max_depth=9, rate_count=4, rate_seconds=60))
    await put(store, *many(3))
    await put(store, "unmade", queue="reports")
    assert len(await take(store, 3)) == 3
    reports = {report.settings.name: report for report in await queues.report()}
    assert list(reports) == ["default", "empty", "mail", "reports"]
    assert reports["mail"].settings == QueueSettings(
        name="mail", max_running=2, max_depth=9, rate_count=4, rate_seconds=60
    )
    assert (reports["mail"].depth, reports["mail"].running) == (1, 2)
    assert (reports["mail"].oldest_wait or 0) > 59
    assert await queues.report("nobody") == []
    assert [report.settings.name for report in await queues.report("default")] == ["default"]


async def test_the_load_counts_those_that_are_due_and_those_that_run(store: Store, queues: Queues) -> None:
    await put(store, *many(4))
    await put(store, "urgent", priority=3)
    await put(store, "later", due=FUTURE)
    await put(store, "other", queue="default")
    load = await queues.load("mail", 100)
    assert (load.depth, load.running) == (5, 0)
    assert (await queues.load("mail", 3)).depth == 3
    await take(store, 2)
    load = await queues.load("mail", 100)
    assert (load.depth, load.running) == (3, 2)


async def test_a_queue_is_made_once_and_keeps_what_it_was_told(store: Store, queues: Queues) -> None:
    assert await queues.ensure("mail") == QueueSettings(name="mail")
    told = QueueSettings(name="mail", max_running=0, max_depth=3)
    assert await queues.configure(told) == told
    assert await queues.ensure("mail") == told


async def test_a_rate_beyond_all_measure_does_no_harm(store: Store, queues: Queues) -> None:
    await queues.configure(QueueSettings(name="mail", rate_count=2**31 - 1, rate_seconds=0.001))
    await put(store, "one")
    assert await take(store) == ["one"]
    assert await store.journal.next_due() is None


async def test_there_are_only_so_many_queues(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app.store.queue", "app.store.memory_queue"):
        monkeypatch.setattr(f"{module}.MAX_QUEUES", 3)
    for name in ("a", "b", "c", "a"):
        await queues.ensure(name)
    with pytest.raises(Conflict, match="queues already"):
        await queues.ensure("d")
    with pytest.raises(Conflict, match="queues already"):
        await queues.configure(QueueSettings(name="d", max_running=1))
    told = await queues.configure(QueueSettings(name="c", max_running=1))
    assert await queues.ensure("c") == told
    assert await queues.ensure("default") == QueueSettings(name="default")
    await queues.prune()
