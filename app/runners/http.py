"""The kind `http`: one request, whose output is `{"status", "headers", "body"}`; the attempt's key goes along.

A status of 400 or above fails the step with the kind `http.404` and the like.  What may get better is retried: 408, 425, 429,
5xx and transport errors (RFC 9110, RFC 6585, RFC 8470); Retry-After is honoured.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from app.domain import jsontext, retry
from app.domain.errors import JsonError
from app.domain.records import ErrorInfo
from app.domain.runner import Completed, Failed
from app.runners.addresses import AddressRefused, CheckedTransport

if TYPE_CHECKING:
    from collections.abc import ItemsView

    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec

TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
"""Seconds without a byte, when the step sets no timeout of its own."""
MAX_REDIRECTS: Final = 5
_ERRORS: Final = 400
_SERVER_ERRORS: Final = 500
_RETRYABLE: Final = frozenset({408, 425, 429})
_EXCERPT: Final = 500


class HttpRunner:
    """Sends requests over one pooled client; close it with `aclose`."""

    def __init__(self, *, allow_private: bool, max_bytes: int) -> None:
        plain = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=50))
        self._client = httpx.AsyncClient(
            transport=plain if allow_private else CheckedTransport(plain),
            timeout=TIMEOUT,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
        )
        self._max_bytes = max_bytes

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def perform(self, attempt: Attempt) -> Outcome:
        """Send the request and read the answer, at most `max_bytes` of it."""
        try:
            request = self._request(attempt)
        except (httpx.InvalidURL, TypeError, ValueError, JsonError) as error:
            return _final(retry.VALIDATION, f"not a request that can be sent: {error}")
        try:
            response = await self._client.send(request, stream=True)
            try:
                return await self._read(response)
            finally:
                await response.aclose()
        except AddressRefused as error:
            return _final("address_refused", str(error))
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            return _final(retry.VALIDATION, str(error))
        except httpx.TimeoutException as error:
            return Failed(error=ErrorInfo(kind=retry.TIMEOUT, message=_words(error), retryable=True))
        except httpx.HTTPError as error:
            return Failed(error=ErrorInfo(kind=retry.NETWORK, message=_words(error), retryable=True))

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """The document's parser has checked the mapping."""
        return []

    def _request(self, attempt: Attempt) -> httpx.Request:
        target: dict[str, Any] = attempt.target
        headers = {"idempotency-key": attempt.context.idempotency_key}
        headers |= {name.lower(): _text(value) for name, value in _mapping(target, "headers")}
        content = None
        if "json" in target:
            content = jsontext.dumps(target["json"]).encode()
            headers.setdefault("content-type", "application/json")
        query = {name: _many(value) for name, value in _mapping(target, "query")}
        default = "GET" if content is None else "POST"
        method = str(target.get("method") or default).upper()
        url = httpx.URL(str(target["url"]))
        return self._client.build_request(
            method, url.copy_merge_params(query) if query else url, headers=headers, content=content
        )

    async def _read(self, response: httpx.Response) -> Outcome:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._max_bytes:
                return _final(retry.OUTPUT_TOO_LARGE, f"the answer is longer than {self._max_bytes:,} bytes")
        if response.status_code >= _ERRORS:
            return _failed(response, bytes(body))
        return Completed(
            output={"status": response.status_code, "headers": dict(response.headers)} | _body(response, body)
        )


def _body(response: httpx.Response, body: bytearray) -> dict[str, Any]:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            return {"body": jsontext.loads(bytes(body))}
        except JsonError:
            pass
    try:
        return {"body": bytes(body).decode(response.charset_encoding or "utf-8")}
    except (UnicodeDecodeError, LookupError):
        return {"body": base64.b64encode(body).decode(), "encoding": "base64"}


def _failed(response: httpx.Response, body: bytes) -> Failed:
    status = response.status_code
    excerpt = body[:_EXCERPT].decode("utf-8", "replace").strip()
    message = f"{response.request.method} answered {status} {response.reason_phrase}".strip()
    return Failed(
        error=ErrorInfo(
            kind=f"{retry.HTTP}.{status}",
            message=f"{message}: {excerpt}" if excerpt else message,
            retryable=status >= _SERVER_ERRORS or status in _RETRYABLE,
        ),
        retry_after=_retry_after(response.headers.get("retry-after")),
    )


def _retry_after(value: str | None) -> float | None:
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


def _mapping(target: dict[str, Any], key: str) -> ItemsView[str, Any]:
    value: dict[str, Any] = target.get(key) or {}
    return value.items()


def _many(value: Any) -> str | list[str]:
    return [_text(item) for item in cast("list[Any]", value)] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value)


def _words(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _final(kind: str, message: str) -> Failed:
    return Failed(error=ErrorInfo(kind=kind, message=message))
