"""The connections to providers: where they go for agents of strangers, under which name, and what they have in common."""

from __future__ import annotations

import ssl
from typing import Any

import httpcore2
import httpx2
import pytest

from app.runners.addresses import AddressRefused
from app.runners.llm.transport import Connections
from tests.unit.runners.test_addresses import OTHER, PUBLIC, resolve_to


class Wire(httpcore2.AsyncMockStream):
    """A connection that answers, and tells under which name it was secured."""

    def __init__(self, wires: Wires, address: str, port: int) -> None:
        self.wires = wires
        self.said = b""
        super().__init__([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] * 4)
        wires.made.append((address, port))

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Wire:
        assert (ssl_context.verify_mode, ssl_context.check_hostname) == (ssl.CERT_REQUIRED, True)
        self.wires.secured.append(server_hostname)
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self.wires.said += buffer


class Wires:
    """All connections that are made."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.secured: list[str | None] = []
        self.said = b""
        self.refusing: set[str] = set()

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> Wire:
        if host in self.refusing:
            raise httpcore2.ConnectError(host)
        return Wire(self, host, port)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Wires:
    found = Wires()
    monkeypatch.setattr(
        httpcore2.AnyIOBackend, "connect_tcp", lambda _, *given, **more: found.connect_tcp(*given, **more)
    )
    return found


async def ask(transport: Connections, *urls: str, **headers: str) -> httpx2.Request:
    """Post to each; the last request."""
    for url in urls:
        request = httpx2.Request("POST", url, headers=headers, json={"a": 1})
        response = await transport.handle_async_request(request)
        await response.aread()
    return request


def strangers(*, private: bool = False) -> Connections:
    return Connections(strangers=True, private=private, limit=1_000)


async def test_the_connection_goes_to_the_checked_address_and_all_else_keeps_the_name(
    wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await resolve_to(monkeypatch, PUBLIC)
    async with strangers() as transport:
        request = await ask(transport, "https://models.example:8443/v1/x")
    assert (asked, wires.made, wires.secured) == (["models.example"], [(PUBLIC, 8443)], ["models.example"])
    assert b"\r\nHost: models.example:8443\r\n" in wires.said
    assert str(request.url) == "https://models.example:8443/v1/x"


async def test_two_names_at_one_address_share_no_connection_but_one_name_does(
    wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    await resolve_to(monkeypatch, PUBLIC)
    async with strangers() as transport:
        await ask(transport, *["https://one.example/"] * 2, *["https://two.example/"] * 2)
    assert wires.secured == ["one.example", "two.example"]


async def test_every_address_of_a_name_is_checked(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, PUBLIC, "10.0.0.7")
    async with strangers() as transport:
        with pytest.raises(AddressRefused):
            await ask(transport, "https://both.example/")
    assert wires.made == []


async def test_where_nobody_answers_the_next_address_is_tried(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, OTHER, PUBLIC)
    wires.refusing = {OTHER}
    async with strangers() as transport:
        await ask(transport, "https://both.example/")
        wires.refusing |= {PUBLIC}
        with pytest.raises(httpx2.ConnectError):
            await ask(transport, "https://other.example/")
    assert wires.made == [(PUBLIC, 443)]


async def test_a_stranger_gets_the_headers_that_are_meant_for_it_and_the_request_stays_as_it_is(wires: Wires) -> None:
    async with strangers(private=True) as transport:
        request = await ask(transport, "http://127.0.0.1/", **{"X-Secret": "1", "X-Api-Key": "k"})
    assert b"X-Secret" not in wires.said
    assert b"X-Api-Key: k" in wires.said
    assert request.headers["x-secret"] == "1"
