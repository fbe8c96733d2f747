"""RetentionStore: what has ended is seen once, newest first; a family is deleted as a whole or left alone; one at a time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent
from app.domain.gates import GateKey, Question
from app.domain.ids import uuid7
from app.domain.ports import ExecutionFilter, FeedPosition
from app.domain.retention import EndedThread, RetentionRun, WorkflowRetention
from app.domain.status import Status
from app.domain.times import utc_now
from app.store.agents import PostgresAgents
from app.store.db import open_pool
from app.store.gates import PostgresGates
from app.store.journal import open_journal
from app.store.memory import MemoryJournal
from app.store.memory_agents import AgentTables, MemoryAgents
from app.store.memory_gates import MemoryGates
from app.store.memory_langgraph import MemoryGraphCheckpoints
from app.store.memory_reads import MemoryReads
from app.store.memory_registry import MemoryRegistry
from app.store.memory_retention import MemoryRetention
from app.store.memory_tables import MemoryTables
from app.store.memory_versions import MemoryVersions
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.retention import PostgresRetention
from app.store.versions import PostgresVersions
from tests.builders import Driver, key_for, new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.records import WorkflowRecord


@dataclass
class Kept:
    """A store with retention; `late` makes everything that is there now a number of days older."""

    journal: Any
    reads: Any
    registry: Any
    gates: Any
    agents: Any
    versions: Any
    retention: Any
    late: Any
    workflow: WorkflowRecord

    async def start(self, **fields: Any) -> Driver:
        start = new_start(self.workflow, **fields)
        assert (await self.journal.start(start)).created
        return Driver(start)

    async def ended(self, **fields: Any) -> EndedThread:
        """A thread that has come to its end, as the scan tells of it."""
        driver = await self.start(**fields)
        await driver.commit(self.journal, driver.end_step("a", 1))
        await driver.commit(self.journal, driver.complete(2))
        return _seen(driver)

    async def gone(self, *thread_ids: str) -> bool:
        return not await self.reads.threads(list(thread_ids))


def _seen(driver: Driver) -> EndedThread:
    row = driver.thread
    return EndedThread(
        thread_id=row.thread_id,
        workflow="sewing",
        status=row.status,
        ended_at=row.updated_at,
        epoch=row.epoch,
        rev=row.rev,
    )


@pytest.fixture
async def kept(store_dsn: str | None) -> AsyncGenerator[Kept]:
    async with _in_memory() if store_dsn is None else _on_postgres(store_dsn) as store:
        yield store


@asynccontextmanager
async def _in_memory() -> AsyncGenerator[Kept]:
    offset = [timedelta()]
    tables = MemoryTables(clock=lambda: utc_now() + offset[0])
    agents = AgentTables(clock=tables.clock)
    MemoryGraphCheckpoints(tables)

    async def late(days: float) -> None:
        offset[0] += timedelta(days=days)

    registry = MemoryRegistry(tables)
    yield Kept(
        MemoryJournal(tables),
        MemoryReads(tables),
        registry,
        MemoryGates(tables),
        MemoryAgents(agents),
        MemoryVersions(tables),
        MemoryRetention(tables, agents),
        late,
        await registry.register(name="sewing", document="{}", hash="1"),
    )


@asynccontextmanager
async def _on_postgres(dsn: str) -> AsyncGenerator[Kept]:
    async with open_pool(dsn) as pool, open_journal(dsn, pool) as journal:

        async def late(days: float) -> None:
            by = timedelta(days=days)
            await pool.execute("UPDATE workflows SET used_at = used_at - $1::interval", by)
            await pool.execute("UPDATE agent_events SET at = at - $1::interval", by)
            await pool.execute(
                "UPDATE chores SET ran_at = ran_at - $1::interval, held_until = held_until - $1::interval", by
            )

        registry = PostgresRegistry(pool)
        yield Kept(
            journal,
            PostgresReads(pool),
            registry,
            PostgresGates(pool, journal.hints),
            PostgresAgents(pool),
            PostgresVersions(pool),
            PostgresRetention(pool),
            late,
            await registry.register(name="sewing", document="{}", hash="1"),
        )


async def test_the_scan_tells_of_what_has_ended_newest_first_page_by_page(kept: Kept) -> None:
    made = [await kept.ended() for _ in range(3)]
    await kept.start()
    first = await kept.retention.scan(None, 2)
    second = await kept.retention.scan(first.last, 2)
    found = [*first.ended, *second.ended]
    assert [one.thread_id for one in found] == [one.thread_id for one in reversed(made)]
    assert (found[0].workflow, found[0].status) == ("sewing", Status.COMPLETED)
    assert found[0].size > 2_000
    assert (first.looked_at + second.looked_at, (await kept.retention.scan(second.last, 2)).ended) == (4, [])


async def test_the_scan_leaves_out_sub_workflows_and_tells_when_the_last_of_a_family_ended(kept: Kept) -> None:
    parent = await kept.ended()
    later = utc_now() + timedelta(hours=1)
    await kept.ended(parent_thread_id=parent.thread_id, parent_run_id=uuid7())
    child = await kept.start(parent_thread_id=parent.thread_id, parent_run_id=uuid7())
    await child.commit(kept.journal, replace(child.complete(1), at=later))
    orphan = await kept.ended(parent_thread_id="gone", parent_run_id=uuid7())
    found = {one.thread_id: one for one in (await kept.retention.scan(None, 10)).ended}
    assert found.keys() == {parent.thread_id, orphan.thread_id}
    assert found[parent.thread_id].ended_at == later


async def test_the_scan_tells_of_a_family_as_deleting_it_takes_it(kept: Kept) -> None:
    alone = await kept.ended()
    parent = await kept.ended()
    child = await kept.ended(parent_thread_id=parent.thread_id, parent_run_id=uuid7())
    grandchild = await kept.start(parent_thread_id=child.thread_id, parent_run_id=uuid7())
    told = {one.thread_id: one for one in (await kept.retention.scan(None, 10)).ended}
    assert told.keys() == {alone.thread_id}, "a run would leave alone what has a part that has not ended"
    later = utc_now() + timedelta(hours=1)
    await grandchild.commit(kept.journal, replace(grandchild.complete(1), at=later))
    told = {one.thread_id: one for one in (await kept.retention.scan(None, 10)).ended}
    found, least = told[parent.thread_id], told[alone.thread_id].size
    assert (found.members, found.ended_at) == (3, later)
    assert 2 * least < found.size < 3 * least
    assert len((await kept.retention.delete([found])).threads) == found.members


async def test_a_deleted_thread_leaves_nothing_and_others_are_not_touched(kept: Kept) -> None:
    one, other = await kept.ended(), await kept.ended()
    deleted = await kept.retention.delete([one])
    assert (deleted.roots, deleted.threads) == ([one.thread_id], [one.thread_id])
    assert deleted.rows == 9  # the thread, an execution, a step run, three versions and three events
    assert await kept.gone(one.thread_id)
    assert not await kept.reads.checkpoints(one.thread_id)
    assert not await kept.reads.events(one.thread_id, after=0)
    assert not await kept.reads.steps(one.thread_id)
    assert [each.thread_id for each in await kept.reads.executions(ExecutionFilter())] == [other.thread_id]
    assert {item.event.thread_id for item in await kept.reads.feed(FeedPosition(0, "", 0))} <= {other.thread_id}


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.WAITING, Status.PAUSED])
async def test_a_thread_that_has_not_ended_is_never_deleted(kept: Kept, status: Status) -> None:
    driver = await kept.start()
    await driver.commit(kept.journal, driver.move(status=status, incarnation_id=None))
    assert (await kept.retention.delete([_seen(driver)])).threads == []
    assert not await kept.gone(driver.thread.thread_id)


async def test_a_thread_that_has_moved_on_since_it_was_seen_is_left_alone(kept: Kept) -> None:
    driver = await kept.start()
    await driver.commit(kept.journal, driver.complete(1))
    seen = _seen(driver)
    await driver.commit(kept.journal, driver.move(status=Status.COMPLETED))
    assert (await kept.retention.delete([seen])).threads == []
    assert (await kept.retention.delete([_seen(driver)])).threads == [seen.thread_id]


async def test_a_family_is_deleted_together(kept: Kept) -> None:
    parent = await kept.ended()
    child = await kept.ended(parent_thread_id=parent.thread_id, parent_run_id=uuid7())
    grandchild = await kept.ended(parent_thread_id=child.thread_id, parent_run_id=uuid7())
    deleted = await kept.retention.delete([parent])
    assert deleted.roots == [parent.thread_id]
    assert set(deleted.threads) == {parent.thread_id, child.thread_id, grandchild.thread_id}


async def test_a_family_of_which_one_runs_is_left_alone_and_others_go(kept: Kept) -> None:
    parent, other = await kept.ended(), await kept.ended()
    child = await kept.ended(parent_thread_id=parent.thread_id, parent_run_id=uuid7())
    await kept.start(parent_thread_id=child.thread_id, parent_run_id=uuid7())
    deleted = await kept.retention.delete([parent, other])
    assert deleted.threads == [other.thread_id]
    assert not await kept.gone(parent.thread_id, child.thread_id)


async def test_a_thread_that_somebody_steers_is_passed_over(kept: Kept) -> None:
    one = await kept.ended()
    found: list[list[str]] = []

    async def decide(thread: Any, reads: Any) -> None:
        found.append((await kept.retention.delete([one])).threads)

    await kept.journal.steer(one.thread_id, decide)
    assert found == [[]]
    assert (await kept.retention.delete([one])).threads == [one.thread_id]


async def test_an_idempotency_key_goes_with_its_thread(kept: Kept) -> None:
    start = new_start(kept.workflow)
    start.idempotency = key_for(start)
    await kept.journal.start(start)
    driver = Driver(start)
    await driver.commit(kept.journal, driver.complete(1))
    await kept.retention.delete([_seen(driver)])
    assert await kept.reads.idempotency("default", "once") is None


async def test_a_gate_that_is_opened_late_does_not_bring_a_row_of_a_deleted_thread_back(kept: Kept) -> None:
    one = await kept.ended()
    await kept.retention.delete([one])
    key = GateKey(thread_id=one.thread_id, key_execution_id=uuid7(), step_id="approve")
    with pytest.raises(Exception, match="there is no gate"):
        await kept.gates.open(key, uuid7(), Question())
    assert await kept.gates.find(key) is None


async def test_unused_documents_go_after_a_day_and_those_in_use_or_registered_stay(kept: Kept) -> None:
    register = kept.registry.register
    unused = await register(name="adhoc", document="{}", hash="unused", ad_hoc=True)
    used = await register(name="adhoc", document="{}", hash="used", ad_hoc=True)
    start = new_start(replace(kept.workflow, id=used.id))
    await kept.journal.start(start)
    assert await kept.retention.tidy(90, 100) == (0, 0)
    await kept.late(2)
    again = await register(name="adhoc", document="{}", hash="again", ad_hoc=True)
    assert await kept.retention.tidy(90, 100) == (0, 1)
    left = [await kept.registry.definition(each.id) for each in (unused, used, again, kept.workflow)]
    assert [each is not None for each in left] == [False, True, True, True]


async def test_documents_in_use_do_not_stand_before_those_that_are_not(kept: Kept) -> None:
    for place in range(3):
        used = await kept.registry.register(name="adhoc", document="{}", hash=f"used {place}", ad_hoc=True)
        await kept.journal.start(new_start(replace(kept.workflow, id=used.id)))
    for place in range(3):
        await kept.registry.register(name="adhoc", document="{}", hash=f"unused {place}", ad_hoc=True)
    await kept.late(2)
    assert [await kept.retention.tidy(90, 2) for _ in range(3)] == [(0, 2), (0, 1), (0, 0)]


async def test_a_document_that_is_started_again_is_in_use_again(kept: Kept) -> None:
    known = await kept.registry.register(name="adhoc", document="{}", hash="h", ad_hoc=True)
    await kept.late(2)
    assert (await kept.registry.register(name="adhoc", document="{}", hash="h", ad_hoc=True)).id == known.id
    assert await kept.retention.tidy(90, 100) == (0, 0)


async def test_old_events_of_agents_go(kept: Kept) -> None:
    await kept.agents.register(Agent(name="reader", kind="python"), origin="x")
    assert await kept.retention.tidy(5, 100) == (0, 0)
    await kept.late(6)
    events, _ = await kept.retention.tidy(5, 100)
    assert events >= 1
    assert await kept.agents.events("reader", before=None, limit=10) == []


async def test_a_policy_of_a_workflow_is_kept_changed_and_dropped(kept: Kept) -> None:
    policy = WorkflowRetention(workflow="sewing", days=3, status_days={Status.FAILED: 30.0}, max_threads=7)
    await kept.retention.set_policy(replace(policy, keep=True))
    await kept.retention.set_policy(policy)
    assert await kept.retention.policies() == [policy]
    assert (await kept.retention.drop_policy("sewing"), await kept.retention.drop_policy("sewing")) == (True, False)


async def test_one_process_at_a_time_and_the_next_run_when_it_is_due(kept: Kept) -> None:
    mine, other = uuid7(), uuid7()
    take = kept.retention.take
    assert await take(mine, 60, every=3600)
    assert (await take(other, 60), await take(mine, 60)) == (False, True)
    await kept.retention.release(other)
    assert not await take(other, 60)
    await kept.retention.release(mine)
    assert not await take(other, 60, every=3600)
    assert await take(other, 60)
    await kept.late(1)
    assert await take(mine, 60, every=3600), "a lease that ran out is free for others"


async def test_runs_are_told_newest_first_and_those_that_nobody_goes_on_with_are_closed(kept: Kept) -> None:
    first = RetentionRun(id=uuid7(), asked={"dry_run": False}, started_at=utc_now() - timedelta(hours=1))
    await kept.retention.note(first)
    second = RetentionRun(id=uuid7(), asked={"by": "me"}, started_at=utc_now(), reasons={"age": 2}, threads=2)
    await kept.retention.note(second)
    second.ended_at, second.workflows = utc_now(), {"sewing": 2}
    await kept.retention.note(second)
    told = await kept.retention.runs(10)
    assert [run.id for run in told] == [second.id, first.id]
    assert told[0] == second
    assert told[1].error == "the process that did it has ended"


async def test_who_has_lost_the_lease_does_not_close_the_run_of_who_has_it_now(kept: Kept) -> None:
    lost = RetentionRun(id=uuid7(), asked={}, started_at=utc_now() - timedelta(hours=1))
    now = RetentionRun(id=uuid7(), asked={}, started_at=utc_now())
    await kept.retention.note(now)
    lost.ended_at, lost.error = utc_now(), "broke off"
    await kept.retention.note(lost)
    assert [run.ended_at is None for run in await kept.retention.runs(10)] == [True, False]


async def test_the_head_is_shown_when_it_is_asked_for(kept: Kept) -> None:
    driver = await kept.start()
    move = driver.end_step("a", 1)
    move.checkpoints[0].hidden = True
    await driver.commit(kept.journal, move)
    assert await kept.versions.show_head(driver.thread.thread_id) == 2
    assert [each.hidden for each in await kept.reads.checkpoints(driver.thread.thread_id)] == [False, False]
    assert await kept.versions.show_head("nobody") is None


async def test_a_steering_shows_the_version_that_it_names(kept: Kept) -> None:
    driver = await kept.start()
    move = driver.end_step("a", 1)
    move.checkpoints[0].hidden = True
    await driver.commit(kept.journal, move)

    async def decide(thread: Any, reads: Any) -> Any:
        return replace(driver.move(), shown=2)

    await kept.journal.steer(driver.thread.thread_id, decide)
    assert not (await kept.reads.checkpoints(driver.thread.thread_id))[1].hidden
