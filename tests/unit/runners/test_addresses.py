"""Which address a request goes to: one that was checked, of a name whose addresses all were, after each redirect again."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

from app.domain.runner import Failed
from app.runners import addresses
from app.runners.addresses import AddressRefused, CheckedBackend, Transport, is_public
from app.runners.http import HttpRunner
from tests.unit.runners.attempts import attempt

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = "93.184.215.14"
OTHER = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


async def resolve_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[str]:
    """Every name is at these addresses; the list tells what was asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return asked


def connecting(monkeypatch: pytest.MonkeyPatch, *refusing: str) -> list[str]:
    """Where connections are made to; nothing answers at those `refusing`."""
    made: list[str] = []

    async def connect_tcp(_: Any, host: str, *__: Any, **___: Any) -> httpcore.AsyncNetworkStream:
        made.append(host)
        if host in refusing:
            raise httpcore.ConnectError(host)
        return httpcore.AsyncMockStream([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    return made


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, made = await resolve_to(monkeypatch, PUBLIC), connecting(monkeypatch)
    transport = Transport(allow_private=False)
    request = httpx.Request("GET", "http://rebinding.example/")
    await transport.handle_async_request(request)
    await transport.aclose()
    assert (asked, made) == (["rebinding.example"], [PUBLIC])
    assert (request.url.host, request.headers["host"]) == ("rebinding.example", "rebinding.example")


async def test_two_names_at_one_address_share_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, PUBLIC)
    made = connecting(monkeypatch)
    transport = Transport(allow_private=False)
    for name in ("one.example", "two.example"):
        response = await transport.handle_async_request(httpx.Request("GET", f"http://{name}/"))
        await response.aread()
    await transport.aclose()
    assert made == [PUBLIC, PUBLIC]


async def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, PUBLIC, "10.0.0.7")
    made = connecting(monkeypatch)
    with pytest.raises(AddressRefused):
        await CheckedBackend().connect_tcp("both.example", 80)
    assert made == []


async def test_where_nobody_answers_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    await resolve_to(monkeypatch, OTHER, PUBLIC)
    made = connecting(monkeypatch, OTHER)
    await CheckedBackend().connect_tcp("both.example", 80, timeout=10)
    assert made == [OTHER, PUBLIC]
    connecting(monkeypatch, OTHER, PUBLIC)
    with pytest.raises(httpcore.ConnectError):
        await CheckedBackend().connect_tcp("both.example", 80)


async def test_a_name_that_is_not_resolved_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    with pytest.raises(httpcore.ConnectTimeout):
        await CheckedBackend().connect_tcp("slow.example", 80, timeout=0.01)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "localhost",
        "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "64:ff9b::127.0.0.1",
        "169.254.169.254", "0xa9fea9fe", "2852039166", "fe80::1%lo", "2606:4700::1111%lo", "fe80::1%25lo",
    ],
)  # fmt: skip
async def test_no_way_to_write_a_private_address_is_let_through(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = connecting(monkeypatch)
    with pytest.raises(AddressRefused):
        await CheckedBackend().connect_tcp(host, 80)
    assert made == []


async def test_a_socket_of_this_machine_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await CheckedBackend().connect_unix_socket("/run/a.sock")


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1",
        "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "100::1",
        "2001::1", "2001:0:808:808::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
        "2002:7f00:1::", "2002:a9fe:a9fe::1", "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:10.0.0.1",
        "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_special_is_not_public(address: str) -> None:
    assert is_public(ip_address(address)) is False


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.254",
        "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:200::1", "2606:4700::1111", "2a00:1450::1",
    ],
)  # fmt: skip
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address)) is True


async def redirecting(monkeypatch: pytest.MonkeyPatch, location: Callable[[int], str]) -> tuple[Failed, list[bytes]]:
    """What comes of a redirect by a server on 127.0.0.1, which alone is taken for public, and what was asked of it."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        target = location(writer.get_extra_info("sockname")[1])
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
    assert isinstance(outcome, Failed)
    return outcome, asked


async def test_a_redirect_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, asked = await redirecting(monkeypatch, lambda port: f"location: http://127.0.0.2:{port}/inside\r\n")
    assert (outcome.error.kind, asked) == ("address_refused", [b"GET / HTTP/1.1\r\n"])


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://a@127.0.0.1/", "http://["])
async def test_a_redirect_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    outcome, asked = await redirecting(monkeypatch, lambda _: f"location: {location}\r\n")
    assert (outcome.error.kind, outcome.error.retryable, len(asked)) == ("address_refused", False, 1)


async def test_redirects_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, asked = await redirecting(monkeypatch, lambda _: "location: /again\r\n")
    assert (outcome.error.kind, outcome.error.retryable, len(asked)) == ("validation", False, 6)
