"""The stream of a thread, over a real server: every event exactly once, whatever is cut, lost or late."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from app.api import sse
from app.domain import events as names
from app.domain.errors import Unavailable
from app.domain.status import Status
from app.engine import bus
from tests.api.streams import Message, reading, until

if TYPE_CHECKING:
    from tests.api.service import Served, Service
    from tests.builders import Driver

PATH = "/api/invoke/stream/thread"


@pytest.fixture
async def driver(service: Service) -> Driver:
    """A thread with one event."""
    return await service.drive(thread_id="thread")


async def tell(service: Service, driver: Driver, count: int) -> None:
    """Commit and publish events."""
    for _ in range(count):
        await service.move(driver, driver.event(names.STEP_PROGRESS, step_id="analyst"))


async def whisper(service: Service, driver: Driver, count: int) -> None:
    """Commit events that the bus never hears of, as another process would."""
    for _ in range(count):
        await driver.commit(service.journal, driver.event(names.STEP_PROGRESS))


def only_the_bus(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """No later look at the table makes good for what was lost."""
    monkeypatch.setattr(sse, "_SILENCE", 60.0)
    served.service.limits.heartbeat_seconds = 60.0


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages if message.id is not None]


async def test_the_first_message_is_a_snapshot_without_an_id(served: Served, driver: Driver) -> None:
    async with reading(served.http, PATH) as (answer, messages):
        first = await anext(messages)
        assert (first.event, first.id, first.data["status"]) == ("snapshot", None, "pending")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        second = await anext(messages)
        assert (second.seq, second.event, second.data["seq"]) == (1, "workflow_start", 1)


async def test_a_stream_replays_then_follows_and_closes_at_the_end(served: Served, driver: Driver) -> None:
    await tell(served.service, driver, 4)
    async with reading(served.http, PATH) as (_, messages):
        await anext(messages)
        replayed = [await anext(messages) for _ in range(5)]
        await tell(served.service, driver, 2)
        await served.service.move(driver, driver.complete({"done": True}))
        live = [message async for message in messages]
    assert seqs(replayed + live) == list(range(1, 9))
    assert live[-1].event == "workflow_complete"
    assert live[-1].data["data"]["result"] == {"done": True}


async def test_an_ended_thread_with_the_cursor_at_its_end_is_204(served: Served, driver: Driver) -> None:
    await served.service.move(driver, driver.complete(1))
    for last in ("2", "3", "900000000000000000"):
        assert (await served.http.get(PATH, headers={"Last-Event-ID": last})).status_code == 204
    assert (await served.http.get(PATH + "?after=2")).status_code == 204
    async with reading(served.http, PATH, "1") as (_, messages):
        assert seqs([message async for message in messages]) == [2]


async def test_a_cursor_beyond_the_head_is_clamped(served: Served, driver: Driver) -> None:
    async with reading(served.http, PATH, "999") as (_, messages):
        await anext(messages)
        await tell(served.service, driver, 1)
        assert (await anext(messages)).seq == 2


async def test_the_header_goes_before_the_parameter_and_nonsense_is_ignored(served: Served, driver: Driver) -> None:
    await tell(served.service, driver, 4)
    for last, after, first in (("3", 1, 4), ("abc", 1, 2), ("-1", 2, 3), ("9" * 40, 3, 4), (None, 0, 1)):
        async with reading(served.http, f"{PATH}?after={after}", last) as (_, messages):
            await anext(messages)
            assert (await anext(messages)).seq == first


async def test_a_thread_that_goes_on_after_its_end_goes_on_streaming(served: Served, driver: Driver) -> None:
    await served.service.move(driver, driver.complete(1))
    await served.service.move(driver, driver.event(names.WORKFLOW_RESUMED))
    async with reading(served.http, PATH) as (_, messages):
        assert seqs(await until(messages, "workflow_resumed")) == [1, 2, 3]
        await tell(served.service, driver, 1)
        assert (await anext(messages)).seq == 4


async def test_a_reader_that_is_cut_100_times_gets_every_event_once(served: Served, driver: Driver) -> None:
    dice = random.Random(11)
    found: list[int] = []

    async def work() -> None:
        for _ in range(150):
            await (whisper if dice.random() < 0.2 else tell)(served.service, driver, dice.randint(1, 6))
            await asyncio.sleep(dice.choice((0, 0, 0.002, 0.01)))

    working = asyncio.create_task(work())
    cuts = 0
    while cuts < 100 or not working.done():
        cuts += 1
        async with reading(served.http, PATH, str(found[-1]) if found else None) as (_, messages):
            for _ in range(dice.randint(1, 8)):
                message = await anext(messages)
                found += seqs([message])
                if message.id is not None and message.seq == driver.thread.last_seq:
                    break
    await working
    await served.service.move(driver, driver.complete(1))
    async with reading(served.http, PATH, str(found[-1])) as (_, messages):
        found += seqs([message async for message in messages])
    assert found == list(range(1, driver.thread.last_seq + 1))
    assert served.service.bus.subscribers == 0


async def test_a_gap_in_what_the_bus_tells_is_read_from_the_table(served: Served, driver: Driver) -> None:
    async with reading(served.http, PATH) as (_, messages):
        await until(messages, "workflow_start")
        await whisper(served.service, driver, 3)
        await tell(served.service, driver, 1)
        assert seqs([await anext(messages) for _ in range(4)]) == [2, 3, 4, 5]


async def test_events_that_the_bus_never_told_are_found_after_a_silence(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.01)
    async with reading(served.http, PATH) as (_, messages):
        await until(messages, "workflow_start")
        await whisper(served.service, driver, 2)
        assert seqs([await anext(messages), await anext(messages)]) == [2, 3]
        await driver.commit(served.service.journal, driver.complete(1))
        assert seqs([message async for message in messages]) == [4]


async def test_a_thread_that_ended_without_a_terminal_event_closes_too(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.01)
    await driver.commit(served.service.journal, driver.move(status=Status.COMPLETED))
    async with reading(served.http, PATH) as (_, messages):
        assert seqs([message async for message in messages]) == [1]


async def test_a_reader_that_lags_is_sent_back_to_the_table_at_once(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_the_bus(served, monkeypatch)
    monkeypatch.setattr(bus, "BUFFER", 10)
    async with reading(served.http, PATH) as (_, messages):
        await until(messages, "workflow_start")
        await whisper(served.service, driver, 50)
        told = await served.service.reads.events("thread", after=1)
        await driver.commit(served.service.journal, driver.complete(1))
        served.service.bus.publish("thread", told)
        assert seqs([message async for message in messages]) == list(range(2, 53))


async def test_chunks_have_no_id_and_keep_their_order_after_the_replay(served: Served, driver: Driver) -> None:
    told = served.service.bus

    def chunk(text: str) -> None:
        told.chunk(driver.thread, "analyst", None, 1, text)

    chunk("so far, ")
    async with reading(served.http, PATH) as (_, messages):
        first = await until(messages, "step_chunk")
        chunk("and more")
        await tell(served.service, driver, 1)
        rest = await until(messages, "step_progress")
    assert [message.event for message in first] == ["snapshot", "workflow_start", "step_chunk"]
    assert [message.data["data"].get("text") for message in (first[-1], rest[0])] == ["so far, ", "and more"]
    assert (first[-1].id, rest[-1].seq) == (None, 2)


@pytest.mark.parametrize("told", ["before the table is read", "after the table is read"])
async def test_an_event_between_subscribing_and_replaying_comes_once(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    service, read = served.service, served.service.reads.events
    late = [2]

    async def slow(thread_id: str, *, after: int, limit: int = 1000) -> object:
        page = await read(thread_id, after=after, limit=limit)
        if late:
            await tell(service, driver, late.pop())
            if told == "before the table is read":
                page = await read(thread_id, after=after, limit=limit)
        return page

    only_the_bus(served, monkeypatch)
    monkeypatch.setattr(service.reads, "events", slow)
    async with reading(served.http, PATH) as (_, messages):
        await anext(messages)
        assert [(await anext(messages)).seq for _ in range(3)] == [1, 2, 3]
        await service.move(driver, driver.complete(1))
        assert seqs([message async for message in messages]) == [4]


async def test_a_stream_outlives_an_outage_of_the_store(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "OUTAGE_PAUSE", 0.01)
    reads, read = served.service.reads, served.service.reads.events
    away = [True, True, True]

    async def sometimes(thread_id: str, *, after: int, limit: int = 1000) -> object:
        if away:
            away.pop()
            raise Unavailable("the database is away")
        return await read(thread_id, after=after, limit=limit)

    monkeypatch.setattr(reads, "events", sometimes)
    async with reading(served.http, PATH) as (_, messages):
        found = await until(messages, "workflow_start")
    assert [message.comment for message in found[1:-1]] == ["the store is away"] * 3


async def test_no_event_is_lost_when_the_store_goes_away_just_after_the_last_one(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.02)
    reads = served.service.reads
    look, away = reads.thread, [False]

    async def sometimes(thread_id: str) -> object:
        if away[0]:
            away[0] = False
            raise Unavailable("the database is away")
        return await look(thread_id)

    monkeypatch.setattr(reads, "thread", sometimes)
    async with reading(served.http, PATH) as (_, messages):
        await until(messages, "workflow_start")
        away[0] = True
        await served.service.move(driver, driver.complete({"a": 1}))
        rest = [message.event async for message in messages if message.event]
    assert rest[-1] == "workflow_complete"


async def test_a_heartbeat_comes_when_nothing_happens(served: Served, driver: Driver) -> None:
    served.service.limits.heartbeat_seconds = 0.01
    async with reading(served.http, PATH) as (_, messages):
        await until(messages, "workflow_start")
        assert (await anext(messages)).comment == "heartbeat"
        assert (await anext(messages)).comment == "heartbeat"


async def test_a_shutdown_ends_every_stream_with_a_word(served: Served, driver: Driver) -> None:
    async with reading(served.http, PATH) as (_, one), reading(served.http, "/api/stream") as (_, all_threads):
        await until(one, "workflow_start")
        await anext(all_threads)
        served.server.should_exit = True
        last = [[message async for message in messages][-1] for messages in (one, all_threads)]
    assert all("shutting down" in (message.comment or "") for message in last)


async def test_a_reader_that_goes_leaves_nothing_behind(served: Served, driver: Driver) -> None:
    for _ in range(20):
        async with reading(served.http, PATH) as (_, messages):
            await anext(messages)
    served.server.should_exit = True
    while served.server.server_state.connections:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    assert served.service.bus.subscribers == 0


async def test_the_stream_of_an_unknown_thread_is_not_found(served: Served) -> None:
    answer = await served.http.get("/api/invoke/stream/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "thread_not_found")


async def test_what_is_not_kept_any_more_is_told_as_a_gap(served: Served, driver: Driver) -> None:
    await tell(served.service, driver, 6)
    events = served.service.journal._tables.events[driver.thread.thread_id]
    del events[3:5]
    del events[:2]
    async with reading(served.http, PATH) as (_, messages):
        found = [await anext(messages) for _ in range(6)]
    assert [(one.event, one.id) for one in found[:2]] == [("snapshot", None), ("gap", None)]
    assert found[1].data["data"] == {"from_seq": 1, "to_seq": 2}
    assert (found[2].data["seq"], found[3].data["data"]) == (3, {"from_seq": 4, "to_seq": 5})
    assert seqs(found[4:]) == [6, 7]


async def test_last_events_that_are_gone_are_a_gap_and_the_end_of_the_stream(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.01)
    await tell(served.service, driver, 2)
    await served.service.move(driver, driver.complete(1))
    events = served.service.journal._tables.events[driver.thread.thread_id]
    del events[-1]
    async with reading(served.http, PATH) as (_, messages):
        found = [one async for one in messages if one.event]
    assert [one.event for one in found][-1] == "gap"
    assert found[-1].data["data"] == {"from_seq": 4, "to_seq": 4}
    async with reading(served.http, PATH, last="3") as (answer, _):
        assert answer.status_code == 204  # whoever comes back has been told


async def test_a_reader_of_a_thread_that_is_deleted_is_told_at_once_and_the_stream_ends(
    served: Served, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_the_bus(served, monkeypatch)
    async with reading(served.http, PATH) as (_, messages):
        first = [await anext(messages), await anext(messages)]
        assert seqs(first) == [1]
        served.service.reads._tables.forget({"thread"})
        served.service.bus.poke(["thread"])
        last = [message async for message in messages]
    assert [message.comment for message in last] == ["the thread is gone"]
    assert (await served.http.get(PATH)).status_code == 404
