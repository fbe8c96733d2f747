"""Webhooks on PostgreSQL where several are at it at once: nothing is overlooked, nothing is out of order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.domain.ids import uuid7
from app.domain.times import utc_now
from app.domain.webhook_store import QUIET, Lane
from app.domain.webhooks import Answer, Delivery, StartHook, Webhook
from app.store.db import open_pool
from app.store.events import PostgresEvents
from app.store.followers import PostgresPlaces
from app.store.journal import PostgresJournal, open_journal
from app.store.reads import PostgresReads
from app.store.registry import PostgresRegistry
from app.store.webhook_queue import PostgresDeliveries
from app.store.webhooks import PostgresDeliveryLog, PostgresWebhooks
from app.triggers.events import ThreadEvents
from app.triggers.follow import Follower
from app.triggers.sender import Sender, SendPolicy
from app.triggers.webhooks import Deliverer
from tests.builders import Driver, incarnation, new_start
from tests.unit.engine.house import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from app.domain.records import WorkflowRecord
    from app.store.pool import Pool

POLICY = SendPolicy(pauses=(0.01,) * 1_000, concurrency=4, share=4, timeout=5.0, disable_after=9e9)


@dataclass
class House:
    """One database, and what is on it."""

    pool: Pool
    journal: PostgresJournal
    book: PostgresWebhooks
    workflow: WorkflowRecord

    async def process(self) -> str:
        """One that serves."""
        entered = incarnation()
        await self.journal.open_incarnation(entered)
        return entered.id

    async def endpoint(self, **fields: Any) -> Webhook:
        at = utc_now()
        given = {"id": uuid7(), "url": "https://x.example/", "secret": "whsec_" + "A" * 32}
        made = Webhook(**{**given, "created_at": at, "updated_at": at, **fields})
        assert await self.book.add(made, 10)
        return made


class Out:
    """Takes what is sent, most of the time."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.taken: dict[str, list[str]] = defaultdict(list)

    def problem(self, url: str) -> str | None:
        return None

    def header_problem(self, name: str, value: str) -> str | None:
        return None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, limit: float) -> Answer:
        await asyncio.sleep(self.dice.random() / 200)
        if self.dice.random() < 0.2:
            return Answer(status=500)
        thread, _, seq = body.decode().partition(":")
        self.taken[thread].append(seq)
        return Answer(status=200)


@pytest.fixture
async def house(database_url: str) -> AsyncGenerator[House]:
    async with open_pool(database_url) as pool, open_journal(database_url, pool) as journal:
        workflow = await PostgresRegistry(pool).register(name="sewing", document='{"name":"sewing"}', hash="1")
        yield House(pool, journal, PostgresWebhooks(pool), workflow)


def delivery(endpoint_id: str, thread: str, seq: int) -> Delivery:
    at = utc_now()
    return Delivery(
        id=uuid7(),
        endpoint_id=endpoint_id,
        thread_id=None,
        lane=thread,
        seq=seq,
        target=endpoint_id,
        message_id=f"{thread}:{seq}",
        topic="workflow.x.w",
        body=f"{thread}:{seq}",
        at=at,
        queued_at=at,
    )


@asynccontextmanager
async def sending(house: House, out: Out, number: int) -> AsyncGenerator[list[Sender]]:
    senders = [
        Sender(
            house.book,
            PostgresDeliveries(house.pool),
            out,
            POLICY,
            owner=await house.process(),
            dice=out.dice.random,
        )
        for _ in range(number)
    ]
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        tasks = [group.create_task(sender.run()) for sender in senders]
        yield senders
        for task in tasks:
            task.cancel()


async def until(holds: Callable[[], bool], senders: list[Sender]) -> None:
    while not holds():
        for sender in senders:
            sender.hint()
        await asyncio.sleep(0.01)


async def test_what_comes_while_others_are_sent_is_neither_overlooked_nor_out_of_order(house: House) -> None:
    made, out = await house.endpoint(), Out(random.Random(3))
    queue, threads, most = PostgresDeliveries(house.pool), [f"t{number}" for number in range(4)], 15
    async with sending(house, out, 3) as senders:
        for seq in range(1, most + 1):
            await queue.put([delivery(made.id, thread, seq) for thread in threads])
            await asyncio.sleep(out.dice.random() / 50)
        await until(lambda: sum(map(len, out.taken.values())) >= most * len(threads), senders)
    for thread in threads:
        seen = list(dict.fromkeys(out.taken[thread]))
        assert seen == [str(seq) for seq in range(1, most + 1)]


async def test_what_fails_again_while_all_are_sent_again_is_counted_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(PostgresDeliveryLog):
        """Whatever is queued again fails before the next is looked for."""

        async def _again(self, ids: list[Any]) -> int:
            await house.pool.execute("UPDATE webhook_deliveries SET attempts = attempts + 1")
            return len(ids)

    monkeypatch.setattr("app.store.webhooks._SOME", 2)
    made = await house.endpoint()
    await PostgresDeliveries(house.pool).put([delivery(made.id, "t", seq) for seq in range(5)])
    await house.pool.execute("UPDATE webhook_deliveries SET status = 'failed'")
    async with asyncio.timeout(PATIENCE):
        assert await Hasty(house.pool).recover(made.id, utc_now() - timedelta(days=1)) == 5


async def test_failures_long_apart_are_none_in_a_row(house: House) -> None:
    made = await house.endpoint()
    lane, after = Lane("t", made.id, made.id), 3600.0
    await house.book.failed(lane, gone=False, after=after)
    assert [one.id for one in await house.book.failing()] == [made.id]
    older = "UPDATE webhooks SET failed_at = failed_at - $1::interval, failing_since = failing_since - $1::interval"
    await house.pool.execute(older, QUIET + timedelta(seconds=after))
    assert await house.book.failing() == []
    assert await house.book.failed(lane, gone=False, after=after) is None
    await house.pool.execute(older, timedelta(seconds=after))
    assert await house.book.failed(lane, gone=False, after=after) is not None


async def test_what_a_dead_process_held_is_sent_by_another_before_its_lease_is_over(house: House) -> None:
    made, out = await house.endpoint(), Out(random.Random(3))
    queue, dead = PostgresDeliveries(house.pool), await house.process()
    await queue.put([delivery(made.id, "t", 1)])
    assert len(await queue.claim(dead, 3600.0, 9, 9, {})) == 1
    async with sending(house, out, 1) as senders:
        await house.journal.close_incarnation(dead, crashed=True)
        await until(lambda: bool(out.taken), senders)


NAMES = ("step_progress", "step_retry", "gate_waiting", "workflow_paused")


def wanted(number: int) -> tuple[str, ...]:
    """Names that no thread before it wanted, so that its own wish alone has the follower read them."""
    own = NAMES[number % 4]
    return ("workflow_start", own) if number % 8 < 4 else (own,)


async def told(house: House, number: int) -> str:
    """A thread with a webhook, and three events that it wants; the id of the webhook."""
    start = new_start(house.workflow, thread_id=f"t{number}")
    start.webhook = StartHook(id=uuid7(), url="https://x.example", events=wanted(number))
    assert (await house.journal.start(start)).created
    driver = Driver(start)
    for _ in range(3):
        await driver.commit(house.journal, driver.event(NAMES[number % 4]))
    return start.webhook.id


async def seqs(house: House) -> dict[str, list[int]]:
    """The events that each webhook is told of."""
    rows = await house.pool.fetch("SELECT endpoint_id, array_agg(seq ORDER BY seq) FROM webhook_deliveries GROUP BY 1")
    return {str(row[0]): row[1] for row in rows}


async def test_a_webhook_gets_all_events_of_its_thread_whatever_is_followed_meanwhile(house: House) -> None:
    """Threads with one appear while a follower reads on behalf of others: in the same transaction as their first event."""
    await house.endpoint(
        topics=("workflow.gate_answered.>",)
    )  # somebody wants something else: places move all the time
    log = ThreadEvents(PostgresEvents(house.pool), PostgresReads(house.pool))
    consumer = Deliverer(house.book, PostgresDeliveries(house.pool), lambda: None)
    follower = Follower("f", log, consumer, PostgresPlaces(house.pool), owner="me", lease=9.0)
    done = asyncio.Event()

    async def follow() -> None:
        while not done.is_set():
            await follower._step()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(follow())
        hooks = [await told(house, number) for number in range(24)]
        done.set()
    async with asyncio.timeout(PATIENCE):
        while sum(map(len, (found := await seqs(house)).values())) < 24 * 3 + 12:
            await follower._step()
    assert [found[hook] for hook in hooks] == [
        [1, 2, 3, 4] if "workflow_start" in wanted(number) else [2, 3, 4] for number in range(24)
    ]


async def test_a_batch_of_starts_with_and_without_webhooks_writes_each_its_own(house: House) -> None:
    starts = [new_start(house.workflow, thread_id=f"t{number}") for number in range(6)]
    for start in starts[::2]:
        start.webhook = StartHook(id=uuid7(), url="https://x.example")
    outcomes = await asyncio.gather(*(house.journal.start(start) for start in starts))
    assert all(outcome.created for outcome in outcomes)
    found = await house.book.of_threads([start.thread.thread_id for start in starts])
    assert [one.thread_id for one in found] == ["t0", "t2", "t4"]


async def test_a_steering_writes_its_webhook_too(house: House) -> None:
    start = new_start(house.workflow, thread_id="t")
    await house.journal.start(start)
    driver = Driver(start)

    async def decide(_: Any, __: Any) -> Any:
        move = driver.event("workflow_resumed")
        move.webhook = StartHook(id=uuid7(), url="https://x.example", secret="whsec_x", headers={"a": "b"})
        return move

    await house.journal.steer("t", decide)
    [found] = await house.book.of_threads(["t"])
    assert (found.from_seq, found.hook.secret, dict(found.hook.headers)) == (2, "whsec_x", {"a": "b"})


async def test_plain_starts_go_past_the_statement_that_writes_webhooks(house: House, database_url: str) -> None:
    await house.journal.start(new_start(house.workflow))
    [writer] = house.journal.writers
    assert writer._with_webhooks is None
    start = new_start(house.workflow)
    start.webhook = StartHook(id=uuid7(), url="https://x.example")
    await house.journal.start(start)
    assert writer._with_webhooks is not None
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM thread_webhooks") == 1
    await connection.close()
