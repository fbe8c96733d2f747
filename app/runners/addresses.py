"""Which addresses an http step may reach: public ones only, unless HTTP_ALLOW_PRIVATE says otherwise.

The name is resolved once, every address is checked, and the connection goes to a checked address; a redirect is a request of
its own and is checked again, so that neither DNS rebinding nor a Location can lead inside.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx

_NAT64: Final = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """The request would go to an address that steps may not reach."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to checked addresses only."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve, check, connect.  Raises AddressRefused, httpx.ConnectError."""
        host = request.url.host
        address = await _checked_address(host, request.url.port or 443)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the open internet; those that carry another inside are judged by that one."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is not None:
            return is_public(inside)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int) -> list[tuple[str, bool]]:
    """The addresses of a host, each with whether it is public.  Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    return [(address, is_public(ip_address(address.partition("%")[0]))) for address in addresses]


def refuse_private(host: str, addresses: list[tuple[str, bool]]) -> None:
    """Raises AddressRefused for a host with an address that is not public."""
    for address, public in addresses:
        if not public:
            raise AddressRefused(f"{host} is at {address}, which is not public (HTTP_ALLOW_PRIVATE=true allows it)")


async def _checked_address(host: str, port: int) -> str:
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise httpx.ConnectError(f"{host} cannot be resolved: {error}") from error
    refuse_private(host, addresses)
    return addresses[0][0]
