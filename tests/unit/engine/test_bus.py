"""The bus, progress and streamed text."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.events import Event
from app.engine.bus import BUFFER, Bus, Lagged
from tests.builders import a_thread
from tests.unit.engine.house import Gate, House, step


def event(seq: int) -> Event:
    return Event(
        thread_id="t", seq=seq, execution_id="e", name="step_start", at=datetime(2026, 1, 1, tzinfo=UTC), version=1
    )


def texts(items: list[Any]) -> list[str]:
    frames = [item.decode() for item in items if isinstance(item, bytes)]
    return [json.loads(frame.split("data: ")[1])["data"]["text"] for frame in frames]


async def test_a_subscriber_gets_what_is_published_from_then_on_in_order() -> None:
    bus = Bus()
    bus.publish("t", [event(1)])
    with bus.subscribe("t") as subscription:
        bus.publish("t", [event(2), event(3)])
        bus.publish("other", [event(9)])
        assert [item.seq for item in await subscription.next() if isinstance(item, Event)] == [2, 3]
    assert bus.subscribers == 0


async def test_a_subscriber_that_lags_is_cut_loose_and_the_others_are_not() -> None:
    bus = Bus()
    with bus.subscribe("t") as slow, bus.subscribe("t") as fast:
        for seq in range(BUFFER + 1):
            bus.publish("t", [event(seq)])
            assert len(await fast.next()) == 1
        with pytest.raises(Lagged):
            await slow.next()


async def test_a_subscriber_that_goes_away_while_it_waits_leaves_nothing_behind() -> None:
    bus = Bus()
    with bus.subscribe("t") as subscription:
        waiting = asyncio.get_running_loop().create_task(subscription.next())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        bus.publish("t", [event(1)])
        assert len(await subscription.next()) == 1
    assert (bus._threads, bus._texts) == ({}, {})


async def test_text_reaches_readers_and_late_ones_get_what_was_said_so_far(house: House) -> None:
    gate = Gate()

    async def talk(_: Any, ctx: Any) -> str:
        await gate(None, ctx)
        ctx.chunk("one ")
        ctx.chunk("\ud800")
        ctx.chunk("")
        late.set()
        await go_on.wait()
        ctx.chunk("two")
        return "done"

    late, go_on = asyncio.Event(), asyncio.Event()
    house.on("talk", talk)
    thread_id = (await house.start(step("s", python="talk"))).thread.thread_id
    await house.until(lambda: gate.entered)
    with house.bus.subscribe(thread_id) as early:
        gate.open()
        await late.wait()
        assert texts(await early.next()) == ["one ", "?"]
        with house.bus.subscribe(thread_id) as later:
            go_on.set()
            await house.end(thread_id)
            assert texts(await later.next()) == ["one ?", "two"]
    assert not house.bus._texts


async def test_progress_is_told_at_once_and_then_coalesced(house: House) -> None:
    async def busy(_: Any, ctx: Any) -> str:
        for part in range(1, 101):
            ctx.progress(part / 100, f"part {part}")
            await asyncio.sleep(0)
        return "done"

    house.on("busy", busy)
    thread_id = await house.run(step("s", python="busy"))
    assert len(await house.events(thread_id, "step_progress")) <= 1


async def test_the_last_word_of_a_burst_is_told_half_a_second_later(house: House) -> None:
    gate = Gate()

    async def busy(_: Any, ctx: Any) -> None:
        ctx.progress(0.1, "first")
        await asyncio.sleep(0.01)
        ctx.progress(7.0, "dropped")
        ctx.progress(float("nan"), "last \ud800")
        await gate(None, ctx)

    house.on("busy", busy)
    thread_id = (await house.start(step("s", python="busy"))).thread.thread_id
    told = house.tables.events[thread_id]
    await house.until(lambda: [e.name for e in told].count("step_progress") == 2)
    gate.open()
    await house.end(thread_id)
    data = [json.loads(e.data) for e in await house.events(thread_id, "step_progress")]
    assert [each["message"] for each in data] == ["first", "last ?"]
    assert data[1]["progress"] == 0.0
    assert told[2].at <= told[3].at


async def test_a_step_that_has_ended_says_nothing_more(house: House) -> None:
    kept: list[Any] = []

    async def keep(_: Any, ctx: Any) -> None:
        kept.append(ctx)

    house.on("keep", keep)
    thread_id = await house.run(step("s", python="keep"))
    kept[0].progress(0.5, "from beyond")
    kept[0].chunk("from beyond")
    assert "step_progress" not in await house.names(thread_id)
    assert not house.bus._texts


async def test_late_readers_share_one_frame_until_more_is_said() -> None:
    bus, thread = Bus(), a_thread("thread")
    bus.chunk(thread, "step", None, 1, "one ")
    with bus.subscribe("thread") as first, bus.subscribe("thread") as second:
        [told], [again] = await first.next(), await second.next()
        assert again is told
    bus.chunk(thread, "step", None, 1, "two")
    with bus.subscribe("thread") as third:
        assert texts(await third.next()) == ["one two"]


async def test_who_waits_for_a_thread_that_tells_more_than_a_buffer_holds_still_sees_its_end(house: House) -> None:
    many = [step(f"s{number}", needs=[]) for number in range(BUFFER // 2 + 100)]
    assert await house.run(*many)
