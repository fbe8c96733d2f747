"""One exchange over HTTP as steps need it: checked addresses, checked redirects, a bounded body, faults as outcomes.

No cookies, no proxies and no log line: what one step sends or gets is nothing to another.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import httpx

from app.domain import retry
from app.domain.records import ErrorInfo
from app.domain.runner import Failed
from app.runners.addresses import AddressRefused, Transport
from app.runners.http_bodies import ACCEPTED_ENCODINGS, TooLong, UnknownEncoding

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from app.domain.runner import StepContext

SILENCE: Final = 120.0
"""Seconds without a byte after which an exchange has failed."""
CONNECT: Final = 10.0
MAX_REDIRECTS: Final = 5
ADDRESS_REFUSED: Final = "address_refused"
_ERRORS: Final = 400
_SERVER_ERRORS: Final = 500
_RETRYABLE: Final = frozenset({408, 425, 429})
_EXCERPT: Final = 500
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TIMEOUTS: Final = httpx.Timeout(SILENCE, connect=CONNECT).as_dict()
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "idempotency-key", "traceparent", "user-agent"}
)
"""Headers that go along to another origin; whatever else a step sends may be meant for the first one only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be sent; names of headers are in lower case.  The headers may hold secrets: they are never shown."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)


def carried_on(context: StepContext) -> dict[str, str]:
    """The headers with which the other side carries the attempt's trace on; none where it is not traced."""
    return {} if context.traceparent is None else {"traceparent": context.traceparent}


class RedirectRefused(Exception):
    """The other side sends on to where a request may not go."""


_WRONG: Final = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, httpx.TooManyRedirects)
"""What no further attempt mends."""
FAULTS: Final = (
    AddressRefused, RedirectRefused, TooLong, UnknownEncoding, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError,
)  # fmt: skip
"""What `exchange` and the reading of a body raise; `failure` makes an outcome of it."""


class HttpClient:
    """Two pools of connections, so that one opened to a private address serves nobody who may not go there.

    Made on first use: reading the certificates takes a moment.
    """

    def __init__(self) -> None:
        self._transports: dict[bool, Transport] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, allow_private: bool) -> Transport:
        if allow_private not in self._transports:
            self._transports[allow_private] = Transport(allow_private=allow_private)
        return self._transports[allow_private]

    @asynccontextmanager
    async def exchange(self, call: Call, *, allow_private: bool) -> AsyncGenerator[httpx.Response]:
        """The answer, its body unread, after at most MAX_REDIRECTS redirects.  Raises one of FAULTS."""
        transport = self._transport(allow_private)
        for _ in range(MAX_REDIRECTS + 1):
            response = await _send(transport, call)
            try:
                location = response.headers.get("location")
                if response.status_code not in _REDIRECTS or location is None:
                    yield response
                    return
            finally:
                await response.aclose()
            call = redirected(call, response.status_code, location)
        raise httpx.TooManyRedirects(f"redirected more than {MAX_REDIRECTS} times")


async def _send(transport: Transport, call: Call) -> httpx.Response:
    if call.url.scheme not in _DEFAULT_PORTS or not call.url.host:
        raise httpx.UnsupportedProtocol(f"{call.url.scheme or 'no scheme'}: only http:// and https:// with a host")
    defaults = {"accept": "*/*", "accept-encoding": ACCEPTED_ENCODINGS, "user-agent": "backstitch"}
    request = httpx.Request(
        call.method,
        call.url,
        headers={**defaults, **call.headers},
        content=call.content,
        extensions={"timeout": _TIMEOUTS},
    )
    response = await transport.handle_async_request(request)
    response.request = request
    return response


def redirected(call: Call, status: int, location: str) -> Call:
    """The request that follows a redirect (RFC 9110, section 15.4).

    Never from https to http, never with a user in the URL; to another origin only with harmless headers.
    Raises RedirectRefused.
    """
    try:
        url = call.url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise RedirectRefused("redirected to what is no URL") from None
    if url.scheme not in _DEFAULT_PORTS or not url.host or url.userinfo:
        raise RedirectRefused(f"redirected to what is no plain http or https URL, but {url.scheme[:20] or 'none'}")
    if call.url.scheme == "https" and url.scheme == "http":
        raise RedirectRefused(f"redirected from https to http, at {url.host}")
    headers = dict(call.headers)
    if _origin(url) != _origin(call.url):
        headers = {name: value for name, value in headers.items() if name in _HARMLESS}
    if status == 303 or (status in {301, 302} and call.method == "POST"):  # noqa: PLR2004
        method = call.method if call.method == "HEAD" else "GET"
        headers = {name: value for name, value in headers.items() if name != "content-type"}
        return Call(method=method, url=url, headers=headers)
    return replace(call, url=url, headers=headers)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


def refused(response: httpx.Response, body: bytes) -> Failed | None:
    """The failure that a status of 400 or above is; an excerpt of the body says why."""
    status = response.status_code
    if status < _ERRORS:
        return None
    excerpt = body[:_EXCERPT].decode("utf-8", "replace").strip()
    message = f"{response.request.method} answered {status} {response.reason_phrase}".strip()
    return Failed(
        error=ErrorInfo(
            kind=f"{retry.HTTP}.{status}",
            message=f"{message}: {excerpt}" if excerpt else message,
            retryable=status >= _SERVER_ERRORS or status in _RETRYABLE,
        ),
        retry_after=retry_after(response.headers.get("retry-after")),
    )


def failure(error: Exception) -> Failed:
    """The failure that one of FAULTS is."""
    if isinstance(error, AddressRefused | RedirectRefused):
        return final(ADDRESS_REFUSED, str(error))
    if isinstance(error, TooLong):
        return final(retry.OUTPUT_TOO_LARGE, f"the answer is longer than {error.args[0]:,} bytes")
    if isinstance(error, UnknownEncoding):
        return final(retry.INVALID_OUTPUT, str(error))
    if isinstance(error, _WRONG):
        return final(retry.VALIDATION, str(error))
    kind = retry.TIMEOUT if isinstance(error, httpx.TimeoutException) else retry.NETWORK
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    return Failed(error=ErrorInfo(kind=kind, message=words, retryable=True))


def final(kind: str, message: str) -> Failed:
    """A failure that no further attempt mends."""
    return Failed(error=ErrorInfo(kind=kind, message=message))


def header_problem(name: str, value: str) -> str | None:
    """Why a header cannot be sent, in words that do not hold its value."""
    if not name or not name.isascii() or any(not (char.isalnum() or char in "!#$%&'*+-.^_`|~") for char in name):
        return f"{name!r} is no name of a header"
    if not value.isascii() or any(ord(char) < 32 and char != "\t" for char in value) or "\x7f" in value:  # noqa: PLR2004
        return f"the value of the header {name} holds a character that no header can have"
    if value != value.strip():
        return f"the value of the header {name} begins or ends with a space, which no header can"
    return None


def retry_after(value: str | None) -> float | None:
    """Seconds, from seconds or an HTTP date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
