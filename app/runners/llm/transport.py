"""The connections of agents that strangers have registered: checked addresses, and no header that is not meant for them.

The libraries add headers of their own from the environment of the process (OPENAI_CUSTOM_HEADERS, organisation and project);
those are the operator's and go where the operator says, not where an agent of the API does.
"""

from __future__ import annotations

from typing import Final

import httpx2

from app.runners.addresses import AddressRefused, refuse_private, resolve

_SENT: Final = frozenset({
    *("accept", "accept-encoding", "authorization", "anthropic-version", "connection", "content-length", "content-type"),
    *("host", "transfer-encoding", "user-agent", "x-api-key"),
})  # fmt: skip

_KEYS: Final = frozenset({"authorization", "x-api-key"})


class StrangersTransport(httpx2.AsyncBaseTransport):
    """Public addresses only, or with `private` those of the operator's network too, which alone may be sent a key."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, private: bool) -> None:
        self._inner = inner
        self._private = private

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Resolve, check, connect.  Raises AddressRefused, httpx2.ConnectError."""
        for name in set(request.headers) - _SENT:
            del request.headers[name]
        host = request.url.host
        try:
            addresses = await resolve(host, request.url.port or 443)
        except OSError as error:
            raise httpx2.ConnectError(f"{host} cannot be resolved: {error}") from error
        if not self._private:
            refuse_private(host, addresses)
        if _KEYS & set(request.headers) and any(public for _, public in addresses):
            raise AddressRefused(f"{host} is a public address: an agent registered by the API may not send a key there")
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0][0])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
