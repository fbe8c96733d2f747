"""The connections to providers, whose answers are bounded however they come.

Those of agents that strangers have registered go to checked addresses only, and carry no header that is not meant for them: the
libraries add some from the environment of the process (OPENAI_CUSTOM_HEADERS, organisation and project), which are the
operator's and go where the operator says, not where an agent of the API does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import httpcore2
import httpx2

from app.runners.addresses import CheckedBackend
from app.runners.http_bodies import Damaged, TooLong, UnknownEncoding, unpacked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SENT: Final = frozenset({
    *("accept", "accept-encoding", "authorization", "anthropic-version", "connection", "content-length", "content-type"),
    *("host", "transfer-encoding", "user-agent", "x-api-key"),
})  # fmt: skip
_KEPT_OPEN: Final = 50
_MAX_ERROR: Final = 262_144
"""Bytes of an answer that is an error: whatever follows is not read, since its status and its beginning say enough."""


class Connections(httpx2.AsyncHTTPTransport):
    """Pooled by the name of the host; no answer is longer than `limit` bytes, as it came or unpacked.

    `strangers`: for agents of the API with an address of their own, which reach public addresses only unless `private`.
    """

    def __init__(self, *, strangers: bool, private: bool, limit: int) -> None:
        context = httpx2.create_ssl_context(trust_env=not strangers)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT_OPEN)
        super().__init__(verify=context, trust_env=not strangers, limits=limits)
        if strangers and not private:
            # As for http agents: the connection goes to a checked address, everything else keeps the name.
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=_KEPT_OPEN,
                keepalive_expiry=5.0,
                network_backend=CheckedBackend(httpcore2),  # pyright: ignore[reportArgumentType] - httpcore's, of the same shape
            )
        self._strangers = strangers
        self._limit = limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it.  Raises AddressRefused, httpx2.TransportError; the body raises TooLong, UnknownEncoding, Damaged."""
        response = await super().handle_async_request(_stripped(request) if self._strangers else request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        encoding = response.headers.pop("content-encoding", "")
        if response.is_success:
            response.stream = _Bounded(response.stream, encoding, self._limit)
        else:
            # Read as UTF-8, since some of the charsets that Python knows take it a time that grows with the square.
            response.headers["content-type"] = response.headers.get("content-type", "").partition(";")[0]
            response.stream = _Beginning(response.stream, encoding, min(_MAX_ERROR, self._limit))
        return response


class _Bounded(httpx2.AsyncByteStream):
    """A body, unpacked, of at most `limit` bytes."""

    def __init__(self, inner: httpx2.AsyncByteStream, encoding: str, limit: int) -> None:
        self._inner = inner
        self._encoding = encoding
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in unpacked(self._inner, self._encoding, self._limit):
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Beginning(_Bounded):
    """The same, which ends where it can be read no further."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with suppress(TooLong, UnknownEncoding, Damaged):
            async for piece in unpacked(self._inner, self._encoding, self._limit):
                yield piece


def _stripped(request: httpx2.Request) -> httpx2.Request:
    """A request with the headers alone that are meant for strangers."""
    headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1").lower() in _SENT]
    return httpx2.Request(
        request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
    )
