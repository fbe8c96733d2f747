"""What both stores promise of webhooks: endpoints, the queue of deliveries with its order, and their log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.ids import uuid7
from app.domain.retention import EndedThread
from app.domain.status import Status
from app.domain.times import utc_now
from app.domain.webhook_store import DeliveryFilter, Lane
from app.domain.webhooks import SERVICE, Delivery, DeliveryStatus, StartHook, Try, Verdict, Webhook
from app.store.db import open_pool
from app.store.journal import open_journal
from app.store.memory import MemoryJournal
from app.store.memory_deliveries import MemoryDeliveries, MemoryDeliveryLog
from app.store.memory_registry import MemoryRegistry
from app.store.memory_retention import MemoryRetention
from app.store.memory_tables import MemoryTables
from app.store.memory_webhooks import MemoryWebhooks, WebhookTables
from app.store.registry import PostgresRegistry
from app.store.retention import PostgresRetention
from app.store.webhook_queue import PostgresDeliveries
from app.store.webhooks import PostgresDeliveryLog, PostgresWebhooks
from tests.builders import Driver, incarnation, new_start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.domain.ports import Journal
    from app.domain.records import WorkflowRecord
    from app.domain.retention import RetentionStore
    from app.domain.webhook_store import DeliveryLog, DeliveryQueue, WebhookBook

LEASE = 60.0
DONE = Verdict(DeliveryStatus.DELIVERED)
LOST = Verdict(DeliveryStatus.FAILED)


@dataclass
class House:
    """One store, by its ports; `me` and `other` are processes that are entered."""

    book: WebhookBook
    queue: DeliveryQueue
    log: DeliveryLog
    journal: Journal
    retention: RetentionStore
    workflow: WorkflowRecord
    me: str = ""
    other: str = ""

    async def endpoint(self, **fields: Any) -> Webhook:
        """A new one."""
        at = utc_now()
        made = Webhook(
            **{"id": uuid7(), "url": "https://x.example/", "secret": "s", "created_at": at, "updated_at": at} | fields
        )
        assert await self.book.add(made, 10)
        return made

    async def claim(self, owner: str = "", **more: Any) -> list[Lane]:
        """Whatever is due."""
        given = {"limit": 10, "share": 10, "busy": {}} | more
        return await self.queue.claim(owner or self.me, LEASE, **given)

    async def first(self, lane: Lane, owner: str = "") -> Delivery | None:
        """What comes next in a lane that is held."""
        turn = await self.queue.next(owner or self.me, lane, LEASE)
        assert turn is not None
        return turn.delivery


def delivery(endpoint_id: str, seq: int, **fields: Any) -> Delivery:
    """In the lane `t` unless the fields say otherwise, of a thread only if they do."""
    at = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=seq)
    thread = fields.get("lane", fields.get("thread_id", "t"))
    given = {
        "id": uuid7(), "endpoint_id": endpoint_id, "thread_id": None, "lane": thread, "seq": seq, "target": endpoint_id,
        "message_id": f"{thread}:{seq}", "topic": "workflow.step_start.sewing", "body": f'{{"n":{seq}}}', "at": at,
        "queued_at": at,
    }  # fmt: skip
    return Delivery(**given | fields)


def tried(status: int = 200) -> Try:
    """One try."""
    return Try(at=utc_now(), duration_ms=5, status_code=status, answer="ok")


@pytest.fixture
async def house(store_dsn: str | None) -> AsyncGenerator[House]:
    """Nothing in it."""
    async with _in_memory() if store_dsn is None else _on_postgres(store_dsn) as found:
        one, two = incarnation(), incarnation()
        await found.journal.open_incarnation(one)
        await found.journal.open_incarnation(two)
        found.me, found.other = one.id, two.id
        yield found


@asynccontextmanager
async def _in_memory() -> AsyncGenerator[House]:
    tables = MemoryTables()
    webhooks = WebhookTables(tables)
    workflow = await MemoryRegistry(tables).register(name="sewing", document="{}", hash="1")
    retention: Any = MemoryRetention(tables, None)  # type: ignore[arg-type]
    journal = MemoryJournal(tables)
    yield House(
        MemoryWebhooks(webhooks), MemoryDeliveries(webhooks), MemoryDeliveryLog(webhooks), journal, retention, workflow
    )


@asynccontextmanager
async def _on_postgres(dsn: str) -> AsyncGenerator[House]:
    async with open_pool(dsn) as pool, open_journal(dsn, pool) as journal:
        workflow = await PostgresRegistry(pool).register(name="sewing", document="{}", hash="1")
        yield House(
            PostgresWebhooks(pool),
            PostgresDeliveries(pool),
            PostgresDeliveryLog(pool),
            journal,
            PostgresRetention(pool),
            workflow,
        )


# ---- endpoints
async def test_an_endpoint_is_kept_as_it_was_written_and_changed_by_fields(house: House) -> None:
    made = await house.endpoint(topics=("a.*",), workflows=("w",), headers={"x": "1"}, description="d")
    found = await house.book.find(made.id)
    assert found == made
    changed = await house.book.change(made.id, {"topics": ["b.>"], "description": None})
    assert changed is not None
    assert (list(changed.topics), changed.description, dict(changed.headers)) == (["b.>"], None, {"x": "1"})
    assert await house.book.change(uuid7(), {"url": "https://y.example/"}) is None


async def test_endpoints_are_listed_in_the_order_of_their_making_and_there_is_a_bound(house: House) -> None:
    made = [(await house.endpoint()).id for _ in range(3)]
    assert not await house.book.add(replace(await _found(house, made[0]), id=uuid7()), 3)
    assert [one.id for one in await house.book.listed("", 2)] == made[:2]
    assert [one.id for one in await house.book.listed(made[1], 2)] == made[2:]
    assert await house.book.delete(made[0])
    assert not await house.book.delete(made[0])
    assert [one.id for one in await house.book.listed("", 9)] == made[1:]


async def test_the_services_own_secret_is_no_endpoint(house: House) -> None:
    await house.endpoint(id=SERVICE, url="", topics=())
    assert await house.book.listed("", 9) == []
    assert list((await house.book.wanted()).endpoints) == []
    assert not await house.book.delete(SERVICE)
    assert await house.book.change(SERVICE, {"url": "https://x.example"}) is None


async def test_a_rotated_secret_signs_beside_the_new_one_until_its_time_is_over(house: House) -> None:
    made = await house.endpoint(secret="old")
    found = await house.book.rotate(made.id, "new", 60)
    assert found is not None
    now = utc_now()
    assert (found.secrets(now), found.secrets(now + timedelta(seconds=120))) == (("new", "old"), ("new",))
    await house.queue.put([delivery(made.id, 1)])
    [lane] = await house.claim()
    turn = await house.queue.next(house.me, lane, LEASE)
    assert turn is not None
    assert turn.recipient is not None
    assert turn.recipient.secrets == ("new", "old")


async def test_an_endpoint_that_only_fails_is_disabled_and_one_that_is_gone_at_once(house: House) -> None:
    made, gone = await house.endpoint(), await house.endpoint()
    lane = Lane("t", made.id, made.id)
    assert await house.book.failed(lane, gone=False, after=0.0) is None  # it begins to
    assert [one.id for one in await house.book.failing()] == [made.id]
    assert "nothing was delivered since" in str(await house.book.failed(lane, gone=False, after=0.0))
    assert "410" in str(await house.book.failed(Lane("t", gone.id, gone.id), gone=True, after=9e9))
    assert list((await house.book.wanted()).endpoints) == []
    again = await house.book.change(made.id, {"enabled": True})
    assert again is not None
    assert (again.failing_since, again.disabled_reason) == (None, None)


async def test_one_delivery_that_was_taken_ends_a_row_of_failures(house: House) -> None:
    made = await house.endpoint()
    await house.book.failed(Lane("t", made.id, made.id), gone=False, after=9e9)
    await house.book.delivered(made.id)
    assert (await _found(house, made.id)).failing_since is None


# ---- webhooks of threads
async def test_the_webhook_of_a_start_is_there_with_its_thread(house: House) -> None:
    hook = StartHook(
        id=uuid7(), url="https://x.example/", events=("step_start", "workflow_complete"), headers={"a": "b"}
    )
    start = new_start(house.workflow, thread_id="t")
    start.webhook = hook
    assert (await house.journal.start(start)).created
    assert (await house.journal.start(new_start(house.workflow, thread_id="u"))).created
    [found] = await house.book.of_threads(["t", "u"])
    assert (found.thread_id, found.from_seq, found.hook, found.gone) == ("t", 1, hook, False)
    assert (await house.book.wanted()).events == {"step_start", "workflow_complete"}


async def test_a_start_that_is_refused_leaves_no_webhook(house: House) -> None:
    assert (await house.journal.start(new_start(house.workflow, thread_id="t"))).created
    again = new_start(house.workflow, thread_id="t")
    again.webhook = StartHook(id=uuid7(), url="https://x.example/")
    assert not (await house.journal.start(again)).created
    assert await house.book.of_threads(["t"]) == []


async def test_a_later_webhook_of_a_thread_holds_from_its_first_event_on(house: House) -> None:
    start = new_start(house.workflow, thread_id="t")
    await house.journal.start(start)
    driver = Driver(start)
    move = driver.event("workflow_resumed")
    move.webhook = StartHook(id=uuid7(), url="https://x.example/")
    await driver.commit(house.journal, move)
    [found] = await house.book.of_threads(["t"])
    assert found.from_seq == move.events[0].seq == 2


async def test_a_threads_webhook_that_is_gone_gets_nothing_more(house: House) -> None:
    start = new_start(house.workflow, thread_id="t")
    start.webhook = StartHook(id=uuid7(), url="https://x.example/")
    await house.journal.start(start)
    waiting = delivery(start.webhook.id, 2, target="https://x.example")
    await house.queue.put([waiting])
    await house.book.failed(Lane("t", start.webhook.id, "https://x.example"), gone=True, after=1)
    assert [one.gone for one in await house.book.of_threads(["t"])] == [True]
    found = await house.log.find(waiting.id)
    assert found is not None
    assert found.status is DeliveryStatus.FAILED


async def test_of_a_thread_that_is_no_more_nothing_is_sent(house: House) -> None:
    made = await house.endpoint()
    start = new_start(house.workflow, thread_id="t")
    await house.journal.start(start)
    await house.queue.put([delivery(made.id, 1, thread_id="t"), delivery(made.id, 1, thread_id="gone")])
    found = {lane.lane: await house.queue.next(house.me, lane, LEASE) for lane in await house.claim()}
    assert {lane: turn is not None and turn.recipient is not None for lane, turn in found.items()} == {
        "t": True,
        "gone": False,
    }


async def test_with_a_thread_go_its_webhook_and_its_deliveries(house: House) -> None:
    made = await house.endpoint()
    start = new_start(house.workflow, thread_id="t", status=Status.COMPLETED)
    start.webhook = StartHook(id=uuid7(), url="https://x.example/")
    await house.journal.start(start)
    await house.queue.put([delivery(made.id, 1, thread_id="t"), delivery(made.id, 1, thread_id="u")])
    row = start.thread
    seen = EndedThread(
        thread_id="t", workflow="", status=row.status, ended_at=row.updated_at, epoch=row.epoch, rev=row.rev
    )
    assert (await house.retention.delete([seen])).threads
    assert await house.book.of_threads(["t"]) == []
    assert [one.thread_id for one in await house.log.page(DeliveryFilter(endpoint_id=made.id))] == ["u"]
    assert [lane.lane for lane in await house.claim()] == ["u"]


# ---- the queue
async def test_what_is_queued_twice_is_there_once(house: House) -> None:
    made = await house.endpoint()
    one = delivery(made.id, 1)
    assert await house.queue.put([one]) == 1
    assert await house.queue.put([one, delivery(made.id, 2)]) == 1


async def test_a_lane_is_held_by_one_and_gives_its_messages_in_order(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 2), delivery(made.id, 1), delivery(made.id, 1, lane="u")])
    lanes = await house.claim()
    assert sorted(lane.lane for lane in lanes) == ["t", "u"]
    assert await house.claim(house.other) == []
    lane = next(one for one in lanes if one.lane == "t")
    for seq in (1, 2):
        found = await house.first(lane)
        assert found is not None
        assert found.seq == seq
        assert await house.queue.finish(house.me, lane, found, DONE, tried())
    assert await house.first(lane) is None


async def test_the_next_waits_while_the_one_before_it_is_tried_again(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1), delivery(made.id, 2)])
    [lane] = await house.claim()
    found = await house.first(lane)
    assert found is not None
    later = Verdict(DeliveryStatus.PENDING, 0.0)
    assert await house.queue.finish(house.me, lane, found, later, tried(500))
    assert await house.queue.next(house.me, lane, LEASE) is None  # it was let go of
    [again] = await house.claim(house.other)
    first = await house.first(again, house.other)
    assert first is not None
    assert (first.seq, first.attempts, len(first.tries)) == (1, 1, 1)
    await house.queue.finish(house.other, again, first, Verdict(DeliveryStatus.PENDING, 60), tried(500))
    assert await house.claim() == []


async def test_what_comes_into_a_lane_that_was_just_found_empty_is_not_overlooked(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1)])
    [lane] = await house.claim()
    found = await house.first(lane)
    assert found is not None
    await house.queue.finish(house.me, lane, found, DONE, tried())
    empty = await house.queue.next(house.me, lane, LEASE)
    assert empty is not None
    await house.queue.put([delivery(made.id, 2)])
    await house.queue.release(house.me, lane, empty.news)
    assert await house.claim() == [lane]
    found = await house.first(lane)
    assert found is not None
    await house.queue.finish(house.me, lane, found, DONE, tried())
    empty = await house.queue.next(house.me, lane, LEASE)
    assert empty is not None
    await house.queue.release(house.me, lane, empty.news)
    assert await house.claim() == []
    await house.queue.put([delivery(made.id, 3)])
    assert await house.claim() == [lane]


async def test_who_holds_a_lane_no_longer_writes_nothing(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1)])
    [lane] = await house.claim()
    found = await house.first(lane)
    assert found is not None
    await house.queue.release(house.me, lane, None)
    assert await house.claim(house.other) == [lane]
    assert not await house.queue.finish(house.me, lane, found, LOST, tried(500))
    await house.queue.release(house.me, lane, None)
    assert await house.queue.next(house.me, lane, LEASE) is None
    left = await house.first(lane, house.other)
    assert left is not None
    assert left.tries == ()


async def test_an_endpoint_gets_no_more_than_its_share_and_others_theirs(house: House) -> None:
    busy, calm = await house.endpoint(), await house.endpoint()
    await house.queue.put([delivery(busy.id, 1, lane=f"b{number}") for number in range(9)])
    await house.queue.put([delivery(calm.id, 1, lane="c")])
    lanes = await house.claim(share=3)
    assert sorted(lane.endpoint_id for lane in lanes) == sorted([busy.id] * 3 + [calm.id])
    assert await house.claim(share=3, busy={busy.id: 3, calm.id: 1}) == []
    assert len(await house.claim(share=3, busy={busy.id: 1})) == 2
    assert len(await house.claim(limit=1, share=9)) == 1


async def test_nothing_is_sent_to_one_that_is_disabled_until_it_is_enabled(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1), delivery(made.id, 1, lane="u")])
    [lane, other] = sorted(await house.claim())
    await house.book.change(made.id, {"enabled": False})
    turn = await house.queue.next(house.me, lane, LEASE)
    assert turn is not None
    assert turn.held
    for one in (lane, other):
        await house.queue.release(house.me, one, None)
    assert await house.claim() == []
    assert (await house.queue.backlog()).pending == 0
    await house.book.change(made.id, {"enabled": True})
    assert sorted(await house.claim()) == [lane, other]


async def test_who_is_sent_the_least_is_claimed_for_first(house: House) -> None:
    busy, calm = await house.endpoint(), await house.endpoint()
    await house.queue.put([delivery(busy.id, 1, lane=f"b{number}") for number in range(9)])
    await house.queue.put([delivery(calm.id, 1, lane=f"c{number}") for number in range(2)])
    assert sorted(lane.lane for lane in await house.claim(limit=2, busy={busy.id: 2})) == ["c0", "c1"]


async def test_what_was_to_be_tried_later_is_due_and_has_not_waited_when_its_endpoint_is_enabled(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1)])
    [lane] = await house.claim()
    first = await house.first(lane)
    assert first is not None
    await house.queue.finish(house.me, lane, first, Verdict(DeliveryStatus.PENDING, 3600.0), tried(500))
    assert await house.claim() == []
    for enabled in (False, True):
        await house.book.change(made.id, {"enabled": enabled})
    [lane] = await house.claim()
    again = await house.first(lane)
    assert again is not None
    assert again.queued_at > first.queued_at


async def test_what_a_process_lets_go_of_is_due_for_others(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1)])
    lanes = await house.claim()
    await house.queue.release_all(house.me)
    assert await house.claim(house.other) == lanes


async def test_the_backlog_tells_how_much_waits_and_since_when(house: House) -> None:
    made = await house.endpoint()
    ones = [delivery(made.id, seq) for seq in (1, 2)]
    await house.queue.put(ones)
    found = await house.queue.backlog()
    assert (found.pending, found.oldest) == (2, ones[0].at)


# ---- the log
async def test_deliveries_are_listed_newest_first_in_pages_and_by_filters(house: House) -> None:
    made, other = await house.endpoint(), await house.endpoint()
    ones = [delivery(made.id, seq) for seq in (1, 2, 3)]
    await house.queue.put([*ones, delivery(other.id, 1, thread_id="u")])
    page = await house.log.page(DeliveryFilter(endpoint_id=made.id, limit=2))
    assert [one.seq for one in page] == [3, 2]
    rest = await house.log.page(DeliveryFilter(endpoint_id=made.id, before=(page[-1].at, page[-1].seq, page[-1].id)))
    assert [one.seq for one in rest] == [1]
    assert [one.endpoint_id for one in await house.log.page(DeliveryFilter(thread_id="u"))] == [other.id]
    assert await house.log.page(DeliveryFilter(endpoint_id=made.id, status=DeliveryStatus.FAILED)) == []
    found = await house.log.find(ones[0].id)
    assert found is not None
    assert found.body == ones[0].body
    assert await house.log.find(uuid7()) is None


async def test_of_many_tries_the_last_are_kept(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, 1)])
    for number in range(25):
        [lane] = await house.claim()
        found = await house.first(lane)
        assert found is not None
        await house.queue.finish(house.me, lane, found, Verdict(DeliveryStatus.PENDING, 0), tried(number))
    [kept] = await house.log.page(DeliveryFilter(endpoint_id=made.id))
    assert (kept.attempts, len(kept.tries)) == (25, 20)
    assert '"status_code":24' in kept.tries[-1]


async def test_what_has_failed_is_queued_again_by_the_same_id(house: House) -> None:
    made = await house.endpoint()
    ones = [delivery(made.id, seq) for seq in (1, 2, 3)]
    await house.queue.put(ones)
    [lane] = await house.claim()
    for verdict in (LOST, LOST, DONE):
        found = await house.first(lane)
        assert found is not None
        await house.queue.finish(house.me, lane, found, verdict, tried())
    empty = await house.queue.next(house.me, lane, LEASE)
    assert empty is not None
    test = delivery(made.id, 9, topic="webhook.test", lane="#test", status=DeliveryStatus.FAILED)
    await house.log.note(test)
    assert await house.log.recover(made.id, ones[1].at) == 1  # while the lane is held
    await house.queue.release(house.me, lane, empty.news)
    assert await house.claim() == [lane]
    found = await house.first(lane)
    assert found is not None
    assert (found.id, found.attempts, len(found.tries)) == (ones[1].id, 0, 1)
    assert await house.log.again(ones[2].id)
    assert not await house.log.again(uuid7())


async def test_sending_again_by_hand_does_not_wait_for_the_pause(house: House) -> None:
    made = await house.endpoint()
    one = delivery(made.id, 1)
    await house.queue.put([one])
    [lane] = await house.claim()
    found = await house.first(lane)
    assert found is not None
    await house.queue.finish(house.me, lane, found, Verdict(DeliveryStatus.PENDING, 3600), tried(500))
    assert await house.claim() == []
    await house.log.again(one.id)
    assert await house.claim() == [lane]


async def test_what_ended_long_ago_is_deleted_in_batches_and_what_waits_is_not(house: House) -> None:
    made = await house.endpoint()
    await house.queue.put([delivery(made.id, seq) for seq in (1, 2, 3)])
    [lane] = await house.claim()
    for _ in range(2):
        found = await house.first(lane)
        assert found is not None
        await house.queue.finish(house.me, lane, found, DONE, tried())
    assert await house.log.tidy(1.0, 9) == 0
    assert await house.log.tidy(0.0, 1) == 1
    await house.log.tidy(0.0, 9)
    assert [one.seq for one in await house.log.page(DeliveryFilter(endpoint_id=made.id))] == [3]


async def test_of_a_deleted_endpoint_nothing_is_left_and_nothing_is_sent(house: House) -> None:
    made = await house.endpoint()
    ones = [delivery(made.id, seq) for seq in (1, 2)]
    await house.queue.put(ones)
    assert await house.book.delete(made.id)
    assert await house.claim() == []
    await house.log.tidy(1.0, 9)
    assert [await house.log.find(one.id) for one in ones] == [None, None]


async def _found(house: House, webhook_id: str) -> Webhook:
    found = await house.book.find(webhook_id)
    assert found is not None
    return found
