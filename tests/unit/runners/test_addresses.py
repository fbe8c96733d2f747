"""Which address a request goes to: one that was checked, of a name whose addresses all were, after each redirect again."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.domain.runner import Completed, Failed
from app.runners import addresses
from app.runners.addresses import AddressRefused, CheckedTransport
from app.runners.http import HttpRunner
from tests.unit.runners.attempts import attempt

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

PUBLIC = "93.184.215.14"


class Inner(httpx.AsyncBaseTransport):
    """Notes where it is to connect to."""

    def __init__(self) -> None:
        self.hosts: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append(request.url.host)
        return httpx.Response(200)


async def resolve_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """Every name is at these addresses."""

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, PUBLIC)
    inner = Inner()
    request = httpx.Request("GET", "https://rebinding.example/")
    await CheckedTransport(inner).handle_async_request(request)
    assert inner.hosts == [PUBLIC]
    assert request.headers["host"] == "rebinding.example"
    assert request.extensions["sni_hostname"] == "rebinding.example"


async def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, PUBLIC, "10.0.0.7")
    inner = Inner()
    with pytest.raises(AddressRefused):
        await CheckedTransport(inner).handle_async_request(httpx.Request("GET", "https://both.example/"))
    assert inner.hosts == []


async def test_a_redirect_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        port = writer.get_extra_info("sockname")[1]
        target = f"location: http://127.0.0.2:{port}/inside\r\n"
        writer.write(f"HTTP/1.1 302 Found\r\n{target}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def only_the_first(address: IPv4Address | IPv6Address) -> bool:
        return str(address) == "127.0.0.1"

    monkeypatch.setattr(addresses, "is_public", only_the_first)
    server = await asyncio.start_server(serve, ["127.0.0.1", "127.0.0.2"], 0)
    port = next(each.getsockname()[1] for each in server.sockets if each.getsockname()[0] == "127.0.0.1")
    runner = HttpRunner(allow_private=False, max_bytes=1_000)
    outcome = await runner.perform(attempt({"url": f"http://127.0.0.1:{port}/"}))
    await runner.aclose()
    server.close()
    assert not isinstance(outcome, Completed)
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, asked) == ("address_refused", [b"GET / HTTP/1.1\r\n"])
