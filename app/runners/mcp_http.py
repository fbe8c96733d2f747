"""MCP over streamable HTTP: the client's connections, where one request that goes wrong costs no other.

The SDK's transport ends the whole session with the first transport error.  So, once a session stands, what goes wrong with a
request is answered here as the server would have answered it: with a JSON-RPC error, whose `data` says what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx2

from app.domain import jsontext
from app.runners.mcp_results import HTTP_STATUS, LONGER, LOST, LOST_ON_THE_WAY, SILENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.runners.mcp_config import ServerConfig

TIMEOUT: Final = httpx2.Timeout(300.0, connect=10.0)
"""Seconds without a byte."""
_CODE: Final = -32000
_JSON: Final = "application/json"
_EXCERPT: Final = 300
_KEPT_ALIVE: Final = 50
_ERRORS: Final = 400
_MEANT: Final = frozenset({404, 405})
"""What the SDK reads something into: no such session, no such method."""


class IsolatingTransport(httpx2.AsyncBaseTransport):
    """Connects, and once it isolates answers for what went wrong; no answer but a stream may be longer than `limit`."""

    def __init__(self, *, limit: int) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT_ALIVE)
        self._inner = httpx2.AsyncHTTPTransport(limits=limits)
        self._limit = limit
        self._isolating = False

    def isolate(self) -> None:
        """From now on a request that goes wrong is answered for."""
        self._isolating = True

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it.  Raises httpx2.TransportError until it isolates."""
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            if not self._isolating:
                raise
            silent = isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout)
            message = f"{type(error).__name__}: {error}".rstrip(": ")
            return _error(request, 504, message, SILENT) if silent else _error(request, 503, message, LOST)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = _Guarded(response.stream, None if streamed else self._limit)
        if response.status_code >= _ERRORS and response.status_code not in _MEANT:
            return await _refused(request, response)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Guarded(httpx2.AsyncByteStream):
    """A body whose loss, or length, is an error that the SDK holds against its request alone."""

    def __init__(self, inner: httpx2.AsyncByteStream, limit: int | None) -> None:
        self._inner = inner
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in self._inner:
                size += len(piece)
                if self._limit is not None and size > self._limit:
                    raise httpx2.StreamError(f"{LONGER} {self._limit:,} bytes")
                yield piece
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"{LOST_ON_THE_WAY}: {type(error).__name__} {error}") from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(config: ServerConfig, transport: IsolatingTransport) -> httpx2.AsyncClient:
    """A client that sends the server's headers; proxies are not looked for in the environment."""
    return httpx2.AsyncClient(transport=transport, headers=dict(config.headers), timeout=TIMEOUT, trust_env=False)


async def _refused(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """The server's own JSON-RPC error, or one that tells of the status."""
    try:
        body = await response.aread()
    except httpx2.StreamError:
        body = b""
    finally:
        await response.aclose()
    if b'"jsonrpc"' in body and response.headers.get("content-type", "").lower().startswith("application/json"):
        return httpx2.Response(response.status_code, headers={"content-type": _JSON}, content=body, request=request)
    said = " ".join(body[:_EXCERPT].decode("utf-8", "replace").split())
    reason = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    return _error(request, response.status_code, f"{reason}: {said}" if said else reason, _told(response))


def _error(request: httpx2.Request, status: int, message: str, data: Any) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": _CODE, "message": message, "data": data}}
    return httpx2.Response(
        status,
        headers={"content-type": _JSON},
        content=jsontext.dumps(body).encode(),
        request=request,
    )


def _told(response: httpx2.Response) -> dict[str, Any]:
    pause = response.headers.get("retry-after", "").strip()
    told: dict[str, Any] = {HTTP_STATUS: response.status_code}
    return {**told, "retryAfter": int(pause)} if pause.isdecimal() and len(pause) <= 6 else told  # noqa: PLR2004
