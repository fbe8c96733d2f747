"""Which addresses a request may reach: public ones only, unless HTTP_ALLOW_PRIVATE or an operator's agent says otherwise.

The name is resolved once, every address of it is checked, and the connection goes to one of them, while the request, its
TLS and the pool of connections keep the name; a redirect is a request of its own.  So neither DNS rebinding nor a Location
can lead inside.
"""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEPT_OPEN: Final = 50

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",
    )
)  # fmt: skip
"""The IANA registry of special-purpose IPv4 addresses, multicast and reserved ones, and Azure's host, which is public only by
its number.  `ipaddress.is_global` differs between patch releases of Python."""
_UNICAST_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "3fff::/20"))
"""Within the global unicast addresses: Teredo, ORCHID, benchmarks and the like, documentation."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


class AddressRefused(Exception):
    """The request would go to an address that it may not reach."""


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only; `core` is httpcore, or what has its names: httpcore2."""

    def __init__(self, core: Any = httpcore) -> None:
        self._core = core
        self._inner = cast("httpcore.AsyncNetworkBackend", core.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's name
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect to the first address that answers.  Raises AddressRefused, `core`'s ConnectError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        failure: Exception | None = None
        for address in await _checked_addresses(host, port, timeout, self._core):
            left = None if deadline is None else max(0.001, deadline - time.monotonic())
            try:
                return await self._inner.connect_tcp(address, port, left, local_address, socket_options)
            except (self._core.ConnectError, self._core.ConnectTimeout) as error:
                failure = error
        raise failure or self._core.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the base class's names
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise AddressRefused(f"{path} is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """As the base class says."""
        await asyncio.sleep(seconds)


class Transport(httpx.AsyncHTTPTransport):
    """Sends requests over pooled connections, opened to checked addresses unless `allow_private`.

    It keeps no cookies, knows no proxy and follows no redirect.
    """

    def __init__(self, *, allow_private: bool) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_KEPT_OPEN)
        super().__init__(verify=context, trust_env=False, limits=limits)
        if not allow_private:
            # httpx hands no backend on; httpcore's pool takes one.
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=_KEPT_OPEN,
                keepalive_expiry=5.0,
                network_backend=CheckedBackend(),
            )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the open internet; those that carry another inside are judged by that one."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    inside = _inside(address)
    if inside is not None and not is_public(inside):
        return False
    if address in _NAT64 or address.ipv4_mapped is not None:
        return True
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway or a tunnel would take out of an IPv6 one (RFC 4291, 3056, 6052, 5214)."""
    number = int(address)
    if address in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int) -> list[tuple[str, bool]]:
    """The addresses of a host, each with whether it is public.  Raises OSError, AddressRefused."""
    if "%" in host:
        raise AddressRefused(f"{host} names a network interface of this machine")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"no name of a host: {error}") from error
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [(address, is_public(ip_address(address.partition("%")[0]))) for address in addresses]


def refuse_private(host: str, addresses: Iterable[tuple[str, bool]]) -> None:
    """Raises AddressRefused for a host with an address that is not public."""
    for address, public in addresses:
        if not public:
            which = "" if host == address else f" is at {address}, which"
            raise AddressRefused(f"{host}{which} is not public (HTTP_ALLOW_PRIVATE=true allows it)")


def written_fault(host: str) -> str | None:
    """Why a host that is written as an address, or is this machine by its name, may not be reached; without asking DNS."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        address = ip_address("127.0.0.1")
    else:
        try:
            address = ip_address(name.partition("%")[0])
        except ValueError:
            try:
                address = IPv4Address(socket.inet_aton(name))  # "127.1", "0x7f000001": as the resolver reads them
            except (OSError, UnicodeError):
                return None
    try:
        refuse_private(host, [(str(address), is_public(address))])
    except AddressRefused as error:
        return str(error)
    return None


async def _checked_addresses(host: str, port: int, limit: float | None, core: Any = httpcore) -> list[str]:
    try:
        async with asyncio.timeout(limit):
            found = await resolve(host, port)
    except TimeoutError:
        raise core.ConnectTimeout(f"{host} was not resolved in time") from None
    except OSError as error:
        raise core.ConnectError(f"{host} cannot be resolved: {error}") from error
    refuse_private(host, found)
    return [address for address, _ in found]
