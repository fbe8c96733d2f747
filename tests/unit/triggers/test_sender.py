"""The sender over the store in memory, with a way out whose answers the test decides."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook as Standard

from app.domain.ids import uuid7
from app.domain.known_secrets import KNOWN
from app.domain.times import utc_now
from app.domain.webhook_checks import new_secret
from app.domain.webhook_store import QUIET, DeliveryFilter, Lane
from app.domain.webhooks import SERVICE, Answer, Delivery, DeliveryStatus, StartHook, ThreadHook, Webhook
from app.store.memory_deliveries import MemoryDeliveries, MemoryDeliveryLog
from app.store.memory_tables import MemoryTables
from app.store.memory_webhooks import MemoryWebhooks, WebhookTables
from app.triggers.sender import Sender, SendPolicy
from tests.unit.engine.house import PATIENCE, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

OK = Answer(status=200)


@dataclass
class Out:
    """Writes down what is sent, and answers as it is told by URL; `hold` keeps a URL waiting until it is set."""

    sent: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    holds: dict[str, asyncio.Event] = field(default_factory=dict)
    at_once: int = 0
    most: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def problem(self, url: str) -> str | None:
        return None

    def header_problem(self, name: str, value: str) -> str | None:
        return None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, limit: float) -> Answer:
        self.sent.append((url, dict(headers), body.decode()))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.news.set()
        try:
            if url in self.holds:
                await self.holds[url].wait()
            return self.answers.get(url, lambda: OK)()
        finally:
            self.at_once -= 1
            self.news.set()

    def bodies(self, url: str | None = None) -> list[str]:
        return [body for to, _, body in self.sent if url in (None, to)]


class House:
    """The stores, the way out, and senders."""

    def __init__(self) -> None:
        self.clock, self.out = Clock(), Out()
        self.tables = MemoryTables(clock=self.clock)
        shared = WebhookTables(self.tables)
        self.book, self.queue, self.log = MemoryWebhooks(shared), MemoryDeliveries(shared), MemoryDeliveryLog(shared)

    async def endpoint(self, url: str = "https://one.example", **fields: Any) -> Webhook:
        at = self.clock()
        given = {"id": uuid7(), "url": url, "secret": new_secret(), "created_at": at, "updated_at": at}
        made = Webhook(**given | fields)
        assert await self.book.add(made, 100)
        return made

    async def put(self, endpoint: str, *seqs: int, thread: str = "t", target: str | None = None) -> list[Delivery]:
        made = [
            Delivery(
                id=uuid7(),
                endpoint_id=endpoint,
                thread_id=None,
                lane=thread,
                seq=seq,
                target=target or endpoint,
                message_id=f"{thread}:{seq}",
                topic="workflow.x.w",
                body=json.dumps({"n": f"{thread}{seq}"}),
                at=self.clock() + timedelta(microseconds=seq),
                queued_at=self.clock(),
            )
            for seq in seqs
        ]
        await self.queue.put(made)
        return made

    def sender(self, **policy: Any) -> Sender:
        given = {"pauses": (5.0, 300.0), "concurrency": 20, "share": 5, "timeout": 15.0, "disable_after": 3600.0}
        return Sender(self.book, self.queue, self.out, SendPolicy(**given | policy), owner=uuid7(), dice=lambda: 0.0)

    @asynccontextmanager
    async def sending(self, **policy: Any) -> AsyncGenerator[Sender]:
        sender = self.sender(**policy)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(sender.run())
            yield sender
            task.cancel()

    async def until(self, holds: Callable[[], bool], sender: Sender) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                sender.hint()
                await asyncio.sleep(0.005)

    async def status(self, delivery: Delivery) -> DeliveryStatus:
        found = await self.log.find(delivery.id)
        assert found is not None
        return found.status

    def ended(self) -> bool:
        return all(one.status is not DeliveryStatus.PENDING for one in self.queue._w.deliveries.values())


@pytest.fixture
def house() -> House:
    return House()


async def test_what_is_sent_is_signed_for_the_standards_own_library_and_keeps_its_id(house: House) -> None:
    made = await house.endpoint(headers={"X-Team": "content"})
    [one] = await house.put(made.id, 1)
    house.out.answers[made.url] = lambda: Answer(status=500)
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
        house.out.answers.clear()
        house.clock.advance(6)
        await house.until(house.ended, sender)
    for url, headers, body in house.out.sent:
        assert (url, headers["X-Team"], headers["webhook-id"]) == (made.url, "content", one.id)
        assert Standard(made.secret).verify(body, headers) == {"n": "t1"}
    assert len(house.out.sent) == 2


async def test_while_a_secret_is_changed_both_sign(house: House) -> None:
    made = await house.endpoint()
    old = made.secret
    new = new_secret()
    await house.book.rotate(made.id, new, 60)
    await house.put(made.id, 1)
    async with house.sending() as sender:
        await house.until(house.ended, sender)
    [(_, headers, body)] = house.out.sent
    for secret in (old, new):
        Standard(secret).verify(body, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


async def test_a_thread_waits_for_its_own_and_no_other_thread(house: House) -> None:
    made = await house.endpoint()
    first, second = await house.put(made.id, 1, 2)
    house.out.answers[made.url] = lambda: Answer(status=503) if len(house.out.sent) == 1 else OK
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
        [other] = await house.put(made.id, 1, thread="u")
        await house.until(lambda: len(house.out.sent) == 2, sender)
        assert house.out.bodies()[-1] == other.body
        assert await house.status(second) is DeliveryStatus.PENDING
        house.clock.advance(6)
        await house.until(house.ended, sender)
    assert house.out.bodies() == [first.body, other.body, first.body, second.body]


async def test_what_is_given_up_lets_the_next_of_its_thread_through(house: House) -> None:
    made = await house.endpoint()
    first, second = await house.put(made.id, 1, 2)
    house.out.answers[made.url] = lambda: Answer(status=400) if '"t1"' in house.out.sent[-1][2] else OK
    async with house.sending() as sender:
        for number in (1, 2, 3):
            await house.until(lambda number=number: len(house.out.sent) >= number, sender)
            house.clock.advance(301)
        await house.until(house.ended, sender)
        assert sender.stats.outcomes == {"retried": 2, "failed": 1, "delivered": 1}
    assert (await house.status(first), await house.status(second)) == (DeliveryStatus.FAILED, DeliveryStatus.DELIVERED)


async def test_one_that_hangs_takes_its_share_and_holds_up_nobody_else(house: House) -> None:
    dead, alive = await house.endpoint("https://dead.example"), await house.endpoint("https://alive.example")
    hold = house.out.holds[dead.url] = asyncio.Event()
    for number in range(9):
        await house.put(dead.id, 1, thread=f"d{number}")
        await house.put(alive.id, 1, thread=f"a{number}")
    async with house.sending(share=3, concurrency=6) as sender:
        await house.until(lambda: len(house.out.bodies(alive.url)) == 9, sender)
        assert len(house.out.bodies(dead.url)) == 3
        assert house.out.most <= 6
        hold.set()
        await house.until(house.ended, sender)


async def test_those_that_do_not_answer_get_one_sending_at_a_time_until_they_do(house: House) -> None:
    dead = [await house.endpoint(f"https://dead{number}.example") for number in range(2)]
    alive, answer = await house.endpoint("https://alive.example"), Answer(error="no answer")
    first, second = asyncio.Event(), asyncio.Event()
    for one in dead:
        house.out.holds[one.url], house.out.answers[one.url] = first, lambda: answer
        for number in range(9):
            await house.put(one.id, 1, thread=f"{one.id}{number}")
    async with house.sending(share=3, concurrency=6) as sender:
        await house.until(lambda: house.out.at_once == 6, sender)
        house.out.holds = {one.url: second for one in dead}
        first.set()
        await house.until(lambda: len(house.out.sent) == 8, sender)
        await house.put(alive.id, 1)
        await house.until(lambda: bool(house.out.bodies(alive.url)), sender)
        assert house.out.at_once == 2
        answer = OK
        second.set()
        await house.until(lambda: len(house.out.sent) == 19, sender)


async def test_one_that_is_gone_is_disabled_at_once_and_gets_nothing_more(house: House) -> None:
    made = await house.endpoint()
    first, second = await house.put(made.id, 1, 2)
    told: list[tuple[str, str]] = []
    house.out.answers[made.url] = lambda: Answer(status=410)

    async def tell(webhook_id: str, why: str) -> None:
        told.append((webhook_id, why))

    async with house.sending() as sender:
        sender.told = tell
        await house.until(lambda: bool(told), sender)
    assert told[0][0] == made.id
    assert "410" in told[0][1]
    assert (await house.status(first), await house.status(second)) == (DeliveryStatus.FAILED, DeliveryStatus.PENDING)
    assert len(house.out.sent) == 1


async def test_one_that_only_fails_for_days_is_disabled(house: House, caplog: pytest.LogCaptureFixture) -> None:
    made = await house.endpoint()
    await house.put(made.id, 1)
    house.out.answers[made.url] = lambda: Answer(error="refused")
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
        house.clock.advance(3601)
        await house.until(lambda: sender.stats.outcomes["disabled"] == 1, sender)
    found = await house.book.find(made.id)
    assert found is not None
    assert not found.enabled
    assert f"the webhook {made.id} was disabled: nothing was delivered since" in caplog.text


async def test_failures_long_apart_are_none_in_a_row(house: House) -> None:
    made = await house.endpoint()
    lane = Lane("t", made.id, made.id)
    await house.book.failed(lane, gone=False, after=3600.0)
    house.clock.advance(3600 + QUIET.total_seconds())
    assert await house.book.failing() == []
    assert await house.book.failed(lane, gone=False, after=3600.0) is None
    house.clock.advance(3600)
    assert await house.book.failed(lane, gone=False, after=3600.0) is not None


async def test_a_delivery_between_failures_keeps_an_endpoint_enabled(house: House) -> None:
    made = await house.endpoint()
    await house.put(made.id, 1)
    house.out.answers[made.url] = lambda: OK if len(house.out.sent) == 2 else Answer(status=500)
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
        house.clock.advance(10)
        await house.until(house.ended, sender)
        house.clock.advance(3601)
        await house.put(made.id, 2)
        await house.until(lambda: len(house.out.sent) == 3, sender)
    found = await house.book.find(made.id)
    assert found is not None
    assert found.enabled


async def test_the_webhook_of_a_thread_is_signed_by_its_own_secret_or_the_services(house: House) -> None:
    service = await house.endpoint("", id=SERVICE, topics=())
    own = StartHook(id=uuid7(), url="https://own.example", secret=new_secret())
    bare = StartHook(id=uuid7(), url="https://bare.example")
    for thread, hook in (("t", own), ("u", bare)):
        house.tables.hooks[thread].append(ThreadHook(thread_id=thread, from_seq=1, hook=hook))
        await house.put(hook.id, 1, thread=thread, target=hook.url)
    async with house.sending() as sender:
        await house.until(house.ended, sender)
    for url, headers, body in house.out.sent:
        Standard(str(own.secret) if url == own.url else service.secret).verify(body, headers)
    assert len(house.out.sent) == 2


async def test_what_nobody_is_left_to_get_is_given_up_unsent(house: House) -> None:
    [one] = await house.put(uuid7(), 1, target="https://gone.example")
    async with house.sending() as sender:
        await house.until(house.ended, sender)
    found = await house.log.find(one.id)
    assert found is not None
    assert "no more" in found.tries[0]
    assert house.out.sent == []


async def test_no_secret_is_in_what_is_kept_of_an_answer(house: House) -> None:
    made = await house.endpoint(headers={"Authorization": "Bearer geheimgeheimgeheim"})
    [one] = await house.put(made.id, 1)
    echo = f"{made.secret} {made.secret[6:]} Bearer geheimgeheimgeheim"
    house.out.answers[made.url] = lambda: Answer(status=200, text=echo, error=echo)
    async with house.sending() as sender:
        await house.until(house.ended, sender)
    assert not KNOWN
    found = await house.log.find(one.id)
    assert found is not None
    assert found.tries[0].count("***") >= 4
    for secret in (made.secret, made.secret[6:], "geheimgeheim"):
        assert secret not in found.tries[0]


async def test_what_is_on_its_way_when_the_service_stops_may_still_arrive(house: House) -> None:
    made = await house.endpoint()
    [one, late] = [*await house.put(made.id, 1), *await house.put(made.id, 1, thread="u")]
    hold = house.out.holds[made.url] = asyncio.Event()
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 2, sender)
        asyncio.get_running_loop().call_later(0.05, hold.set)
    assert (await house.status(one), await house.status(late)) == (DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED)


async def test_what_does_not_arrive_in_that_moment_is_due_for_others_at_once(house: House) -> None:
    made = await house.endpoint()
    [one] = await house.put(made.id, 1)
    house.out.holds[made.url] = asyncio.Event()
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
    assert await house.status(one) is DeliveryStatus.PENDING
    assert await house.queue.claim("other", 60, 9, 9, {}) == [Lane("t", made.id, made.id)]


async def test_a_lane_that_was_taken_over_in_a_stall_is_left_to_who_has_it(house: House) -> None:
    made = await house.endpoint()
    [one] = await house.put(made.id, 1)
    hold = house.out.holds[made.url] = asyncio.Event()
    async with house.sending() as frozen:
        await house.until(lambda: len(house.out.sent) == 1, frozen)
        house.clock.advance(60)
        [lane] = await house.queue.claim("other", 60, 9, 9, {})
        hold.set()
        await house.until(lambda: house.out.at_once == 0, frozen)
        await asyncio.sleep(0)
        assert await house.status(one) is DeliveryStatus.PENDING
        assert await house.queue.next("other", lane, 60) is not None


async def test_a_page_of_the_log_tells_what_each_try_came_to(house: House) -> None:
    made = await house.endpoint()
    await house.put(made.id, 1)
    house.out.answers[made.url] = lambda: OK if len(house.out.sent) == 2 else Answer(status=502, text="<bad>")
    async with house.sending() as sender:
        await house.until(lambda: len(house.out.sent) == 1, sender)
        house.clock.advance(6)
        await house.until(house.ended, sender)
    [found] = await house.log.page(DeliveryFilter(endpoint_id=made.id))
    tries = [json.loads(text) for text in found.tries]
    assert [(one["status_code"], one["answer"]) for one in tries] == [(502, "<bad>"), (200, "")]
    assert found.ended_at is not None
    assert found.ended_at <= utc_now() + timedelta(seconds=60)
