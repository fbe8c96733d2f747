"""How a webhook leaves: one POST to a checked address, no redirect followed, of the answer its beginning."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import httpx

from app.domain.webhook_checks import url_problem
from app.domain.webhooks import SHOWN, Answer, Post
from app.runners.addresses import Transport, written_fault
from app.runners.http_client import CONNECT, FAULTS, failure, header_problem, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

_SILENCE: Final = 60.0
_READING: Final = 2.0
"""Seconds for the beginning of an answer's body: its status is known by then, and nothing else counts."""
_REDIRECTS: Final = range(300, 400)


class WebhookPost(Post):
    """One for the process; its connections are made on first use, and closed with `aclose`."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._transport: Transport | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.aclose()

    def problem(self, url: str) -> str | None:
        """See Post."""
        found = url_problem(url)
        if found is None:
            try:
                host = httpx.URL(url).host
            except httpx.InvalidURL as error:
                return f"is no URL: {error}"
            found = None if self._allow_private else written_fault(host)
        return found

    def header_problem(self, name: str, value: str) -> str | None:
        """See Post."""
        return header_problem(name, value)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, limit: float) -> Answer:
        """See Post."""
        try:
            async with asyncio.timeout(limit):
                response = await self._answer(url, headers, body)
            return await _read(response, limit)
        except TimeoutError:
            return Answer(error=f"there was no answer within {limit:g} s")
        except FAULTS as error:
            return Answer(error=failure(error).error.message)
        except (UnicodeError, ValueError, OSError) as error:
            return Answer(error=f"it could not be sent: {type(error).__name__}")

    async def _answer(self, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        if self._transport is None:
            self._transport = Transport(allow_private=self._allow_private)
        request = httpx.Request(
            "POST",
            url,
            headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": "backstitch", **headers},
            content=body,
            extensions={"timeout": httpx.Timeout(_SILENCE, connect=CONNECT).as_dict()},
        )
        return await self._transport.handle_async_request(request)


async def _read(response: httpx.Response, limit: float) -> Answer:
    try:
        text = await _beginning(response, min(limit, _READING))
    finally:
        await response.aclose()
    moved = "it redirects, which is not followed: change the URL" if response.status_code in _REDIRECTS else None
    return Answer(
        status=response.status_code,
        error=moved,
        text=text,
        retry_after=retry_after(response.headers.get("retry-after")),
    )


async def _beginning(response: httpx.Response, limit: float) -> str:
    """The first of the answer's body; the status counts, whatever becomes of the rest, and however slowly it comes."""
    raw = b""
    try:
        async with asyncio.timeout(limit):
            async for piece in response.aiter_raw():
                raw += piece
                if len(raw) > SHOWN:
                    break
    except (httpx.HTTPError, TimeoutError):
        pass
    return "" if "content-encoding" in response.headers else raw[: 4 * SHOWN].decode("utf-8", "replace")
