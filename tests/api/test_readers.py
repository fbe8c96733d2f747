"""Readers that take nothing, lag or have left, and bodies that are too large: nothing is kept for them, nothing goes on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from app.api import feed as feed_module
from app.api import sse
from app.api.feed import PAGE, Feed, FeedFrame, FeedReader, FeedStream
from app.api.guard import Guard
from app.api.thread_stream import ThreadStream
from app.domain.ports import FeedFilter
from app.engine import bus as bus_module
from app.engine.bus import Bus
from tests.api.streams import reading
from tests.builders import a_thread
from tests.feeds import BEGINNING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.api.services import Services
    from app.domain.ports import FeedItem, FeedPosition
    from tests.api.service import Served, Service


def check_pieces(sent: list[bytes], frames: list[bytes]) -> None:
    """All of it, and each piece made before the one frame more that would not have fitted."""
    assert b"".join(sent) == b"".join(frames)
    assert len(sent) > 2
    assert max(map(len, sent)) < sse._PIECE + max(map(len, frames))


async def test_a_reader_that_is_far_behind_is_sent_one_piece_at_a_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_PIECE", 500)
    driver = await service.drive(thread_id="thread")
    events = await service.reads.events("thread", after=0)
    stream = ThreadStream(cast("Services", service), sse.Streams(), driver.thread, 0)
    text = [b": text\n\n"] * 200
    check_pieces([piece async for piece in stream._passed([*text, *events])], [*text, *(one.frame() for one in events)])


async def test_a_reader_of_the_feed_that_is_far_behind_is_sent_one_piece_at_a_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_PIECE", 500)
    services, frames = cast("Services", service), [FeedFrame(item) for item in await feed_items(service, 10)]
    stream = FeedStream(services, Feed(services), FeedFilter(), None)
    check_pieces(list(stream._passed(frames)), [frame.encoded() for frame in frames])


async def never(*_: Any) -> Any:
    """What never comes."""
    await asyncio.Event().wait()


async def test_a_reader_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_SEND_TIMEOUT", 0.02)

    async def frames() -> AsyncIterator[bytes]:
        while True:
            yield b": more\n\n"

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await never()

    async with asyncio.timeout(5):
        await sse.EventStream(frames())({"type": "http", "method": "GET"}, never, send)


def test_no_more_of_a_steps_text_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "_CHUNK_LIMIT", 100)
    bus, thread = Bus(), a_thread("t")
    for _ in range(50):
        bus.chunk(thread, "s", None, 1, "0123456789")
    assert len(bus.texts("t")["s"]) == 100


async def feed_items(service: Service, count: int) -> list[FeedItem]:
    """So many items as the table gives them."""
    for number in range(count):
        await service.drive(thread_id=f"thread-{number}")
    return await service.reads.feed(BEGINNING, count)


async def test_a_reader_of_the_feed_that_lags_keeps_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_BUFFER", 2)
    frames = [FeedFrame(item) for item in await feed_items(service, 3)]
    reader = FeedReader()
    reader.push(frames[:2])
    reader.push(frames[2:])
    reader.push(frames[:1])
    assert (reader.lagged, len(reader.items), reader.news.is_set()) == (True, 0, True)


async def test_what_the_tail_hands_over_again_is_told_once(service: Service) -> None:
    services: Any = service
    items = await feed_items(service, 3)
    stream = FeedStream(services, Feed(services), FeedFilter(), items[0].position)
    told = b"".join(stream._passed([FeedFrame(item) for item in [*items, *items]]))
    assert told.count(b"\nevent: ") == 2


async def test_a_page_that_was_read_for_others_is_not_handed_out(service: Service) -> None:
    services: Any = service
    feed, first, second = Feed(services), FeedReader(), FeedReader()
    await feed.attach(first)
    await feed_items(service, 3)
    read = service.reads.feed

    async def everybody_changes(after: FeedPosition, limit: int = 1000, *, results: bool = True) -> list[FeedItem]:
        page = await read(after, limit, results=results)
        feed.detach(first)
        await feed.attach(second)
        return page

    service.reads.feed = everybody_changes
    assert await feed._step() == 0
    assert (first.take(), second.take()) == ([], [])


async def test_a_page_without_results_is_not_handed_to_who_wants_them(service: Service) -> None:
    services: Any = service
    feed, compact, whole = Feed(services), FeedReader(results=False), FeedReader()
    await feed.attach(compact)
    driver = await service.drive(thread_id="t")
    await service.move(driver, driver.complete({"a": 1}))
    read = service.reads.feed

    async def one_comes(after: FeedPosition, limit: int = 1000, *, results: bool = True) -> list[FeedItem]:
        page = await read(after, limit, results=results)
        await feed.attach(whole)
        return page

    service.reads.feed = one_comes
    assert (await feed._step(), whole.take()) == (PAGE, [])
    assert await feed._step() == 2
    assert [frame.item.event.result for frame in whole.take()] == [None, '{"a":1}']


async def test_the_tail_rests_when_everybody_has_left(service: Service) -> None:
    services: Any = service
    feed, reader = Feed(services), FeedReader()
    await feed.attach(reader)
    assert feed._wanted.is_set()
    feed.detach(reader)
    assert (feed._wanted.is_set(), feed._position) == (False, None)


async def test_a_body_that_declares_too_much_is_not_read() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    services = SimpleNamespace(limits=SimpleNamespace(max_body_bytes=10))
    scope = {"type": "http", "path": "/", "method": "POST", "headers": [(b"content-length", b"11")]}
    async with asyncio.timeout(3):
        await Guard(app)({**scope, "state": {"services": services}}, never, send)
    assert sent[0]["status"] == 413


async def test_abandoned_streams_leave_no_task_behind(served: Served) -> None:
    await served.service.drive(thread_id="thread")
    paths = "/api/invoke/stream/thread", "/api/stream"
    async with reading(served.http, paths[0]) as (_, messages):
        await anext(messages)
    await quiet(served)
    before = len(asyncio.all_tasks())
    for number in range(30):
        async with reading(served.http, paths[number % 2]) as (_, messages):
            await anext(messages)
    await quiet(served)
    async with asyncio.timeout(30):  # what has ended goes in the next turns
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def quiet(served: Served) -> None:
    """Until the server has no connection any more, and what served them has ended."""
    await served.http.aclose()
    async with asyncio.timeout(30):
        while served.server.server_state.connections or served.server.server_state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    served.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", timeout=10, trust_env=False)
