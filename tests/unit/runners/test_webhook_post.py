"""How a webhook leaves, against a real server on the loopback."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from app.runners.webhook_post import WebhookPost
from tests.ports import free_port
from tests.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from app.domain.webhooks import Answer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
async def post() -> AsyncGenerator[WebhookPost]:
    made = WebhookPost(allow_private=True)
    yield made
    await made.aclose()


async def sent(post: WebhookPost, url: str, limit: float = 30.0) -> Answer:
    return await post.send(url, {"webhook-id": "1", "x-team": "content"}, b'{"a":1}', limit)


async def test_a_body_arrives_with_its_headers_and_the_answer_comes_back(post: WebhookPost, receiver: Receiver) -> None:
    receiver.answer = lambda _: (201, {}, "grüezi".encode())
    answer = await sent(post, receiver.url + "/a?b=c")
    assert (answer.status, answer.text, answer.error) == (201, "grüezi", None)
    [got] = receiver.got
    assert (got.path, got.headers["x-team"], got.body) == ("/a?b=c", "content", b'{"a":1}')


async def test_a_redirect_is_not_followed(post: WebhookPost, receiver: Receiver) -> None:
    receiver.answer = lambda _: (302, {"Location": "/elsewhere"}, b"")
    answer = await sent(post, receiver.url)
    assert answer.status == 302
    assert "redirects" in str(answer.error)
    assert len(receiver.got) == 1


async def test_of_a_long_answer_the_beginning_is_read(post: WebhookPost, receiver: Receiver) -> None:
    receiver.answer = lambda _: (500, {}, b"x" * 5_000_000)
    answer = await sent(post, receiver.url)
    assert answer.status == 500
    assert 1_000 <= len(answer.text) <= 4_000


async def test_of_an_answer_without_an_end_the_beginning_is_read(post: WebhookPost) -> None:
    """What the two sockets hold is a few MB; whoever reads on gets as much as comes in its time."""
    piece = b"x" * 1_000_000
    closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        pieces = 0
        with suppress(ConnectionError):
            for pieces in range(64):  # noqa: B007
                writer.write(piece)
                await writer.drain()
        writer.close()
        closed.set_result(pieces)

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    answer = await sent(post, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", limit=5.0)
    assert (answer.status, answer.text[:2]) == (200, "xx")
    await post.aclose()
    assert await closed < 12
    server.close()


async def test_who_answers_and_goes_on_talking_has_taken_it(post: WebhookPost) -> None:
    closed = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
        answer = await sent(post, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", limit=0.5)
        await post.aclose()
        await closed.wait()
    assert (answer.status, answer.error) == (200, None)


async def test_a_packed_answer_is_not_unpacked(post: WebhookPost, receiver: Receiver) -> None:
    receiver.answer = lambda _: (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    answer = await sent(post, receiver.url)
    assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("-1", None)])
async def test_it_tells_how_long_it_was_asked_to_wait(
    post: WebhookPost, receiver: Receiver, header: str, seconds: float | None
) -> None:
    receiver.answer = lambda _: (429, {"Retry-After": header}, b"")
    assert (await sent(post, receiver.url)).retry_after == seconds


async def test_nobody_there_is_an_answer_in_words(post: WebhookPost) -> None:
    answer = await sent(post, f"http://127.0.0.1:{free_port()}/")
    assert answer.status is None
    assert "ConnectError" in str(answer.error)


async def test_one_that_never_answers_is_left_after_its_time(post: WebhookPost) -> None:
    came, closed = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()  # until the other side has waited long enough
        writer.close()
        closed.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    answer = await sent(post, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", limit=0.2)
    assert answer.error == "there was no answer within 0.2 s"
    if came.is_set():  # a busy machine may need all of that time to connect
        await closed.wait()
    server.close()


async def test_a_private_address_is_refused_by_its_name_and_by_what_it_resolves_to(receiver: Receiver) -> None:
    post = WebhookPost(allow_private=False)
    assert "not public" in str(post.problem(receiver.url))
    assert "not public" in str(post.problem("http://localhost/"))
    assert post.problem("https://hooks.example.com/") is None
    answer = await sent(post, receiver.url)
    assert answer.status is None
    assert "not public" in str(answer.error)
    assert receiver.got == []
    await post.aclose()


async def test_where_private_addresses_are_allowed_one_is_no_problem(post: WebhookPost, receiver: Receiver) -> None:
    assert post.problem(receiver.url) is None
    assert post.problem("http://user@x.example/") is not None
    assert post.header_problem("x-a", "b\n") is not None
