"""The kind `http`: one request, whose output is `{"status", "headers", "body"}`; the attempt's key goes along.

A status of 400 or above fails the step with the kind `http.404` and the like.  What may get better is retried: 408, 425, 429,
5xx and transport errors (RFC 9110, RFC 6585, RFC 8470); Retry-After is honoured.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

import httpx

from app.domain import jsontext, retry
from app.domain.errors import JsonError
from app.domain.runner import Completed
from app.runners.aside import aside
from app.runners.http_bodies import parsed, pieces
from app.runners.http_client import (
    FAULTS,
    Call,
    HttpClient,
    carried_on,
    failure,
    final,
    header_problem,
    refused,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import ItemsView

    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec


class HttpRunner:
    """Sends requests over pooled connections; close them with `aclose`."""

    def __init__(self, *, allow_private: bool, max_bytes: int) -> None:
        self._client = HttpClient()
        self._allow_private = allow_private
        self._max_bytes = max_bytes

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def perform(self, attempt: Attempt) -> Outcome:
        """Send the request and read the answer, at most `max_bytes` of it."""
        try:
            call = _call(attempt)
        except (httpx.InvalidURL, TypeError, ValueError, JsonError) as error:
            return final(retry.VALIDATION, f"not a request that can be sent: {error}")
        try:
            async with self._client.exchange(call, allow_private=self._allow_private) as response:
                body = b"".join([piece async for piece in pieces(response, self._max_bytes)])
        except FAULTS as error:
            return failure(error)
        output = {"status": response.status_code, "headers": dict(response.headers)}
        return refused(response, body) or Completed(
            output=output | await aside(lambda: parsed(response, body), len(body))
        )

    def check(self, step: StepSpec) -> list[str]:  # noqa: ARG002 - the port's name
        """The document's parser has checked the mapping."""
        return []


def _call(attempt: Attempt) -> Call:
    """Raises httpx.InvalidURL, TypeError, ValueError, JsonError."""
    target: dict[str, Any] = attempt.target
    headers = {"idempotency-key": attempt.context.idempotency_key}
    headers |= carried_on(attempt.context)
    headers |= {name.lower(): as_text(value) for name, value in _mapping(target, "headers")}
    content = None
    if "json" in target:
        content = jsontext.dumps(target["json"]).encode()
        headers.setdefault("content-type", "application/json")
    url = httpx.URL(str(target["url"]))
    if url.userinfo:
        headers.setdefault("authorization", f"Basic {base64.b64encode(unquote_to_bytes(url.userinfo)).decode()}")
        url = url.copy_with(userinfo=b"")
    for name, value in headers.items():
        problem = header_problem(name, value)
        if problem is not None:
            raise ValueError(problem)
    query = {name: many(value) for name, value in _mapping(target, "query")}
    default = "GET" if content is None else "POST"
    return Call(
        method=str(target.get("method") or default).upper(),
        url=url.copy_merge_params(query) if query else url,
        headers=headers,
        content=content,
    )


def _mapping(target: dict[str, Any], key: str) -> ItemsView[str, Any]:
    value: dict[str, Any] = target.get(key) or {}
    return value.items()


def many(value: Any) -> str | list[str]:
    """A query parameter's value, or its values."""
    return [as_text(item) for item in cast("list[Any]", value)] if isinstance(value, list) else as_text(value)


def as_text(value: Any) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else jsontext.dumps(value)
