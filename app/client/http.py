"""How the client asks: errors, one JSON answer for one request, and what is asked again when it may be."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import quote, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject: TypeAlias = dict[str, Any]
Fields: TypeAlias = "Mapping[str, Any] | None"

_log: Final = logging.getLogger("backstitch.client")

BUSY: Final = 429
PASSING: Final = frozenset({BUSY, 502, 503, 504})
"""What a service, or a proxy before it, says that will soon do better."""
KEY: Final = "Idempotency-Key"
LONGEST_PAUSE: Final = 5.0
FIRST_PAUSE: Final = 0.2
_REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT"})
_IN_FLIGHT: Final = "idempotency_key_in_flight"
_AT_ONCE: Final = 64  # connections of requests; streams have theirs beside them
_KEPT_ALIVE: Final = 4.0  # the service closes idle connections after 5 seconds: be the first
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_UNAVAILABLE: Final = 503
_SHOWN: Final = 120


class ClientError(Exception):
    """Base of what this client raises."""


class UnreachableError(ClientError):
    """No answer from the service: refused, timed out, cut off.

    `sent` tells whether the request may have reached it all the same, and been carried out.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        self.sent = sent
        super().__init__(message)


class AddressError(UnreachableError):
    """What was given as the service's url is none."""


class ApiError(ClientError):
    """The service refused; `code` is stable, `problem` is the whole problem+json document."""

    def __init__(self, status: int, problem: JsonObject, *, retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        self.code = str(problem.get("code") or "")
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or "")
        super().__init__(status, problem)  # what it is made of again in another process

    def __str__(self) -> str:
        return f"{self.title}: {self.detail}" if self.detail else self.title


class Connection:
    """The way to the service at `url`, and when to ask again.

    `request` repeats what may be repeated, for `retry_for` seconds: whatever the service never got, or refused with 429;
    and after a cut, a timeout, 502, 503 or 504 what starts nothing twice: GET, PUT, and POST with an Idempotency-Key.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        retry_for: float,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        parts = _parts(url)
        self.url = _without_user(url.rstrip("/"))
        self.retry_for = retry_for
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        # Loading the authorities takes longer than a request; plain HTTP needs none, and trusting none is safe.
        tls = True if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A proxy of the environment is never the way to this machine itself.
        self.http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            timeout=timeout,
            trust_env=not local,
            verify=tls,
            headers=headers,
            transport=transport,
            limits=httpx.Limits(max_keepalive_connections=_AT_ONCE, keepalive_expiry=_KEPT_ALIVE),
        )
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def request(self, method: str, path: str, *, retry_for: float | None = None, **given: Any) -> JsonObject:
        """The JSON answer; `given`: json, content, params, headers."""
        patience = Patience(self.retry_for if retry_for is None else retry_for)
        repeatable = method in _REPEATABLE or KEY in (given.get("headers") or ())
        given["params"] = given_only(given.get("params") or {})
        if isinstance(body := given.get("json"), dict):
            given["json"] = {name: _plain(value) for name, value in cast("JsonObject", body).items()}
        while True:
            try:
                return await self._once(method, path, given)
            except (UnreachableError, ApiError) as error:
                if not _may_repeat(error, repeatable=repeatable) or not patience.lasts(error):
                    error.add_note(f"asked: {method} {self.url}{path}")
                    raise
                if patience.failures == 1:
                    _log.warning("%s: %s; asking again for %.0f s at most", self.url, error, patience.seconds)
            await asyncio.sleep(patience.pause)

    async def _once(self, method: str, path: str, given: JsonObject) -> JsonObject:
        try:
            async with self._turns:
                answer = await self.http.request(method, path, **given)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise unreachable(error) from error
        return document(answer)


class Patience:
    """How long what failed is tried again: pauses that grow, as long as the service says if it says so."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.failures = 0
        self.pause = 0.0
        self._end = time.monotonic() + seconds

    def lasts(self, error: ClientError, first: float = FIRST_PAUSE) -> bool:
        """Whether there is time for another try, after `pause` seconds; the `first` pause is about so long."""
        grown = min(first * 2**self.failures, LONGEST_PAUSE)
        grown *= random.uniform(0.5, 1.0)  # noqa: S311 - all that were cut off together must not return together
        said = error.retry_after if isinstance(error, ApiError) else None
        self.pause = grown if said is None else max(grown, said)
        self.failures = min(self.failures + 1, 10)
        return time.monotonic() + self.pause < self._end

    def reset(self) -> None:
        """It went well."""
        self.failures = 0
        self._end = time.monotonic() + self.seconds


def _may_repeat(error: UnreachableError | ApiError, *, repeatable: bool) -> bool:
    if isinstance(error, UnreachableError):
        return not isinstance(error, AddressError) and (repeatable or not error.sent)
    if error.status == BUSY:
        return True
    return repeatable and (error.status in PASSING or error.code == _IN_FLIGHT)


def given_only(fields: Mapping[str, Any]) -> JsonObject:
    """`fields` without those that are None; times as the service reads them."""
    return {name: _plain(value) for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()  # one without a zone is local time
    return value


def unreachable(error: httpx.RequestError | httpx.InvalidURL) -> UnreachableError:
    """What to raise for an error of httpx."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AddressError(str(error))
    return UnreachableError(str(error) or type(error).__name__, sent=not isinstance(error, _UNSENT))


def document(answer: httpx.Response) -> JsonObject:
    """The JSON object that was answered.  Raises ApiError for a refusal, and for what is no answer of a Backstitch."""
    found = parsed(answer.text)
    if answer.is_success and found is not None:
        return found
    # Health that is not good is told with 503 and is no problem document.
    ours = found is not None and ("code" in found or answer.status_code == _UNAVAILABLE)
    problem = found if found is not None and ours else foreign(answer)
    if problem.get("code") == "not_found":
        asked = f"{answer.request.method} {answer.request.url.path}"
        problem = {**problem, "detail": f"the service knows no {asked}; is it of another release than this client?"}
    raise ApiError(answer.status_code, problem, retry_after=_retry_after(answer))


def parsed(text: str) -> JsonObject | None:
    """`text` as a JSON object, None when it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("JsonObject", found) if isinstance(found, dict) else None


def foreign(answer: httpx.Response) -> JsonObject:
    """As a problem, what something else than a Backstitch has answered: another server, a proxy."""
    told = f"{_without_user(str(answer.request.url))} answered {answer.headers.get('content-type', 'without a type')}"
    if moved := answer.headers.get("location"):
        told += f" and points to {moved}"
    elif text := " ".join(answer.text[:1000].split()):
        told += f": {text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}"
    return {"title": f"Not an answer of Backstitch (HTTP {answer.status_code})", "detail": told}


def _retry_after(answer: httpx.Response) -> float | None:
    """The seconds that the header asks for, also where it tells a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def path(*parts: str) -> str:
    """The path of a route, from its first part, which is taken as it stands, and names, which are quoted."""
    return "/".join([parts[0], *(_quoted(part) for part in parts[1:])])


def _quoted(name: str) -> str:
    return name.replace(".", "%2E") if name in {".", ".."} else quote(name, safe="@")


def _without_user(url: str) -> str:
    """The url without the user and password that it may have."""
    return re.sub(r"\A(\w+://)?[^/?#]*@", r"\1", url)


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressError(f"{_without_user(url)}: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AddressError(f"{_without_user(url)} is no address of a service: it should be like http://127.0.0.1:8000")
    return parts
