"""The kind http, against a real server on the loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.runner import Completed, Failed
from app.runners.addresses import is_public
from app.runners.http import HttpRunner
from tests.unit.runners.attempts import attempt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Server:
    """Answers every request with `answer` and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        self.asked: list[bytes] = []
        self.url = ""

    def says(self, status: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answer = "\r\n".join([*lines, "", ""]).encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        self.asked.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    server = Server()
    opened = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{opened.sockets[0].getsockname()[1]}"
    yield server
    opened.close()


@asynccontextmanager
async def open_runner(*, allow_private: bool = True, max_bytes: int = 10_000) -> AsyncGenerator[HttpRunner]:
    runner = HttpRunner(allow_private=allow_private, max_bytes=max_bytes)
    try:
        yield runner
    finally:
        await runner.aclose()


async def ask(target: dict[str, Any], **options: Any) -> Completed | Failed:
    async with open_runner(**options) as runner:
        outcome = await runner.perform(attempt(target))
    assert isinstance(outcome, Completed | Failed)
    return outcome


async def test_the_output_is_status_headers_and_parsed_body(server: Server) -> None:
    server.says("200 OK", b'{"big":123456789012345678901234567890}', content_type="application/json")
    outcome = await ask({"url": f"{server.url}/a", "query": {"q": ["1", 2]}})
    assert isinstance(outcome, Completed)
    assert (outcome.output["status"], outcome.output["body"]) == (200, {"big": 123456789012345678901234567890})
    assert server.asked[0].startswith(b"GET /a?q=1&q=2 HTTP/1.1\r\n")
    assert b"idempotency-key: t:e:s\r\n" in server.asked[0]


@pytest.mark.parametrize(
    ("context", "headers", "sent"),
    [(TRACE, {}, TRACE), (TRACE, {"Traceparent": "mine"}, "mine"), (None, {}, None)],
)
async def test_the_trace_is_carried_on_unless_the_step_says_otherwise(
    server: Server, context: str | None, headers: dict[str, str], sent: str | None
) -> None:
    what = attempt({"url": server.url, "headers": headers})
    what.context.traceparent = context
    async with open_runner() as runner:
        await runner.perform(what)
    found = [line.partition(b": ")[2].decode() for line in server.asked[0].split(b"\r\n") if b"traceparent" in line]
    assert found == ([] if sent is None else [sent])


async def test_a_json_body_is_posted(server: Server) -> None:
    await ask({"url": server.url, "json": {"a": [1]}, "headers": {"X-Mine": 7}})
    assert server.asked[0].startswith(b"POST / ")
    assert b"x-mine: 7\r\n" in server.asked[0].lower()
    assert server.asked[0].endswith(b'\r\n\r\n{"a":[1]}')


async def test_a_user_in_the_url_goes_as_basic_authorization(server: Server) -> None:
    await ask({"url": server.url.replace("://", "://Aladdin:open%20sesame@")})
    assert b"authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==\r\n" in server.asked[0].lower()


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (425, True), (429, True), (500, True), (503, True)],
)
async def test_a_status_of_400_or_above_fails_and_some_may_get_better(
    server: Server,
    status: int,
    retryable: bool,
) -> None:
    server.says(f"{status} Odd", b"why", retry_after="7")
    outcome = await ask({"url": server.url})
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == (f"http.{status}", retryable)
    assert outcome.retry_after == 7
    assert outcome.error.message.endswith("why")


async def test_an_answer_over_the_limit_fails_for_good(server: Server) -> None:
    server.says("200 OK", b"x" * 5_000)
    outcome = await ask({"url": server.url}, max_bytes=1_000)
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("output_too_large", False)


async def test_a_connection_that_is_refused_may_get_better(unused: int) -> None:
    outcome = await ask({"url": f"http://127.0.0.1:{unused}"})
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("network", True)


@pytest.fixture
async def unused() -> int:
    opened = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = opened.sockets[0].getsockname()[1]
    opened.close()
    return port


@pytest.mark.parametrize("url", ["no url", "ftp://example.org/", "http://", "http://[::1", 7])
async def test_what_is_no_request_fails_for_good(url: Any) -> None:
    outcome = await ask({"url": url})
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("validation", False)


async def test_a_private_address_is_refused_also_behind_a_name(server: Server) -> None:
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        outcome = await ask({"url": url}, allow_private=False)
        assert isinstance(outcome, Failed)
        assert (outcome.error.kind, outcome.error.retryable) == ("address_refused", False)
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("8.8.8.8", True),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2606:4700::1111", True),
    ],
)
def test_only_addresses_of_the_open_internet_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public
