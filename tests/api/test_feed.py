"""The feed of all threads, over a real server."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from app.api import cursors
from app.api import feed as feed_module
from app.domain import events as names
from app.domain import jsontext
from app.domain.ports import FeedPosition
from tests.api.streams import Message, reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.service import Served


async def started(messages: AsyncIterator[Message]) -> str:
    """The cursor that a new reader of the feed is given."""
    first = await anext(messages)
    assert first.id is not None
    return first.id


def told(message: Message) -> tuple[str, int]:
    return message.data["thread_id"], message.data["seq"]


async def test_the_feed_begins_now_and_tells_of_every_thread(served: Served) -> None:
    await served.service.drive(thread_id="before")
    async with reading(served.http, "/api/stream") as (_, messages):
        await started(messages)
        for name in ("one", "other"):
            driver = await served.service.drive(thread_id=name)
            await served.service.move(driver, driver.event(names.STEP_PROGRESS))
        found = [await anext(messages) for _ in range(4)]
    assert [told(message) for message in found] == [("one", 1), ("one", 2), ("other", 1), ("other", 2)]
    assert found[0].data["workflow"] == "sewing"
    assert found[0].event == "workflow_start"


async def test_a_reader_of_the_feed_comes_back_to_its_place(served: Served) -> None:
    async with reading(served.http, "/api/stream") as (_, messages):
        cursor = await started(messages)
    await served.service.drive(thread_id="one")
    await served.service.drive(thread_id="other")
    async with reading(served.http, "/api/stream", cursor) as (_, messages):
        await anext(messages)
        first = await anext(messages)
    async with reading(served.http, f"/api/stream?after={first.id}") as (_, messages):
        await anext(messages)
        assert told(await anext(messages)) == ("other", 1)
    assert told(first) == ("one", 1)


async def test_the_feed_can_be_of_one_workflow_or_status(served: Served) -> None:
    async with (
        reading(served.http, "/api/stream?workflow=knitting") as (_, none),
        reading(served.http, "/api/stream?workflow=sewing&status=completed") as (_, ended),
    ):
        await started(none)
        await started(ended)
        await served.service.drive(thread_id="one")
        driver = await served.service.drive(thread_id="other")
        await served.service.move(driver, driver.complete(1))
        assert told(await anext(ended))[0] == "other"
        waiting = asyncio.ensure_future(anext(none))
        assert not (await asyncio.wait([waiting], timeout=0.15))[0]
        served.service.shutting_down.set()
        assert "shutting down" in ((await waiting).comment or "")


async def test_a_reader_of_the_feed_that_is_cut_at_random_gets_all_once(served: Served) -> None:
    dice = random.Random(5)
    found: list[tuple[str, int]] = []
    async with reading(served.http, "/api/stream") as (_, messages):
        cursor = await started(messages)

    async def work(name: str) -> None:
        driver = await served.service.drive(thread_id=name)
        for _ in range(30):
            await served.service.move(driver, driver.event(names.STEP_PROGRESS))
            await asyncio.sleep(dice.choice((0, 0.005)))

    working = asyncio.gather(*(work(f"thread-{number}") for number in range(8)))
    while len(found) < 8 * 31:
        async with reading(served.http, "/api/stream", cursor) as (_, messages):
            for _ in range(dice.randint(1, 30)):
                message = await anext(messages)
                if message.id is not None:
                    cursor = message.id
                    found.append(told(message))
                if len(found) == 8 * 31:
                    break
    await working
    assert len(set(found)) == len(found)


async def test_a_reader_of_the_feed_that_lags_loses_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_BUFFER", 3)
    async with reading(served.http, "/api/stream") as (_, messages):
        await started(messages)
        driver = await served.service.drive(thread_id="one")
        for _ in range(40):
            await served.service.move(driver, driver.event(names.STEP_PROGRESS))
        found: list[int] = []
        while len(found) < 41:
            message = await anext(messages)
            found += [message.data["seq"]] if message.data else []
    assert found == list(range(1, 42))


async def test_the_tail_survives_a_store_that_is_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_ERROR_PAUSE", 0.01)
    monkeypatch.setattr(feed_module, "_POLL", 0.01)
    reads, feed = served.service.reads, served.service.reads.feed
    away = [True, True]

    async def sometimes(after: FeedPosition, limit: int = 1000, **more: bool) -> object:
        if away:
            away.pop()
            raise ConnectionError
        return await feed(after, limit, **more)

    async with reading(served.http, "/api/stream") as (_, messages):
        await started(messages)
        monkeypatch.setattr(reads, "feed", sometimes)
        await served.service.drive(thread_id="one")
        assert told(await anext(messages)) == ("one", 1)


async def test_a_cursor_of_a_database_that_was_further_is_brought_back(served: Served) -> None:
    cursor = cursors.of_position(FeedPosition(10**9, "thread", 1))
    async with reading(served.http, "/api/stream", cursor) as (_, messages):
        assert await started(messages) != cursor
        await served.service.drive(thread_id="one")
        assert told(await anext(messages)) == ("one", 1)


async def test_a_compact_feed_leaves_results_and_long_values_out(served: Served) -> None:
    driver = await served.service.drive(thread_id="one")
    async with reading(served.http, "/api/stream?compact=true") as (_, messages):
        await started(messages)
        await served.service.move(driver, driver.end_step("analyst", {"long": "x" * 100}))
        error = {"kind": "timeout", "message": "y" * 2_000, "step_id": "a", "retryable": True}
        move = driver.event(names.GATE_WAITING, step_id="a")
        move.events[0].data = jsontext.dumps({"round": 0, "show": "z" * 2_000, "form": None, "error": error})
        await served.service.move(driver, move)
        done, asks = [await anext(messages) for _ in range(2)]
    assert (done.data["data"], done.data["workflow"]) == ({}, "sewing")
    assert asks.data["left_out"] == ["show"]
    assert asks.data["data"] == {"round": 0, "form": None, "error": {**error, "message": "y" * 499 + "…"}}


async def test_who_wants_results_gets_them_beside_a_compact_reader(served: Served) -> None:
    driver = await served.service.drive(thread_id="one")
    async with reading(served.http, "/api/stream?compact=true") as (_, few):
        await started(few)
        async with reading(served.http, "/api/stream") as (_, all_of_it):
            await started(all_of_it)
            await served.service.move(driver, driver.end_step("analyst", {"a": 1}))
            found = [(await anext(messages)).data["data"] for messages in (few, all_of_it)]
    assert found == [{}, {"result": {"a": 1}}]
