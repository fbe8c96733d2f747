"""What providers' libraries raise, as failures of the step: a kind, whether it may get better, and never a key.

| kind | when | retried |
|---|---|---|
| llm.auth | 401, 403 | no |
| llm.quota | 402, or the account has no credit left | no |
| llm.bad_request | 400, 404, 422 and the other 4xx | no |
| llm.context_length | the conversation is longer than the model can take | no |
| llm.rate_limited | 429 | yes, after what the provider asks for |
| llm.unavailable | 409, 5xx, no connection, an answer that breaks off or cannot be read | yes |
| timeout | the provider's 408, no answer in time | yes |
| address_refused | the agent may not call that address | no |
| output_too_large | an answer that is longer than it may be | no |
"""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext, times
from app.domain.retry import OUTPUT_TOO_LARGE, TIMEOUT
from app.domain.runner import StepFailure
from app.runners.addresses import AddressRefused
from app.runners.http_bodies import Damaged, TooLong, UnknownEncoding
from app.runners.llm.reading import Endless, Told, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTH: Final = "llm.auth"
QUOTA: Final = "llm.quota"
BAD_REQUEST: Final = "llm.bad_request"
CONTEXT_LENGTH: Final = "llm.context_length"
RATE_LIMITED: Final = "llm.rate_limited"
UNAVAILABLE: Final = "llm.unavailable"
TRUNCATED: Final = "llm.truncated"
REFUSED: Final = "llm.refused"
TOO_MANY_TURNS: Final = "llm.max_turns"

_RETRYABLE: Final = frozenset({RATE_LIMITED, UNAVAILABLE, TIMEOUT})
_KINDS: Final = {401: AUTH, 403: AUTH, 402: QUOTA, 408: TIMEOUT, 409: UNAVAILABLE, 429: RATE_LIMITED}
_REDIRECTS: Final = 300
_CLIENT_ERRORS: Final = 400
_SERVER_ERRORS: Final = 500
# An error inside a stream comes with a name instead of a status.
_NAMED: Final = {
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "timeout_error": 408,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 402,
}
_NO_CREDIT: Final = frozenset({"insufficient_quota", "billing_error"})
_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|maximum context length|prompt is too long|context window", re.IGNORECASE
)
_LIKE_A_KEY: Final = re.compile(r"\b(?:sk|pk|key|Bearer)[-_ ][\w*.-]{6,}")
_EXCERPT: Final = 500


def failure(error: Exception, sdk: Any, key: str | None, who: str) -> StepFailure:
    """The failure for what a call of the provider's library `sdk`, or the reading of its answer, has raised.

    `who` answered, or should have; `key` is kept out of the message.
    """
    import httpx2  # noqa: PLC0415 - comes with the extras

    refused = _refusal(error)
    if refused is not None:
        return StepFailure(str(refused), kind="address_refused", retryable=False)
    if isinstance(error, Endless | TooLong):
        words = str(error) if isinstance(error, Endless) else f"it is longer than {error.args[0]:,} bytes"
        return StepFailure(f"the answer of {who} does not end: {words}", kind=OUTPUT_TOO_LARGE, retryable=False)
    if isinstance(error, Unreadable | Damaged | UnknownEncoding):
        words = f"the answer of {who} cannot be read: {error}"
        return StepFailure(without_key(words, key), kind=UNAVAILABLE)
    if isinstance(error, (sdk.APITimeoutError, httpx2.TimeoutException)):
        return StepFailure(f"{who} has not answered in time ({type(error).__name__})", kind=TIMEOUT)
    if isinstance(error, (sdk.APIError, Told)) and not isinstance(error, sdk.APIConnectionError):
        return _told(error, key, who)
    cause = error.__cause__ or error
    return StepFailure(without_key(f"{who}: {type(cause).__name__}: {cause}".rstrip(": "), key), kind=UNAVAILABLE)


def without_key(text: str, key: str | None) -> str:
    """`text` without the key and what looks like (a part of) one, shortened."""
    shown = text.replace(key, "***") if key else text
    return jsontext.clean(_LIKE_A_KEY.sub("***", shown)[:_EXCERPT])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that the provider asks for, in seconds: from milliseconds, seconds or an HTTP date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            pause = max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
        return pause if math.isfinite(pause) else None
    try:
        at = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (at - times.utc_now()).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _told(error: Any, key: str | None, who: str) -> StepFailure:
    """An error that the provider has told in words of its own."""
    names, words = _details(error)
    response = getattr(error, "response", None)
    status = _status(response.status_code if response is not None else 0, names)
    message = words or getattr(error, "message", "") or str(error)
    kind = _kind(status, names, message)
    return StepFailure(
        f"{who} answered {status}: {without_key(message, key)}",
        kind=kind,
        retryable=kind in _RETRYABLE,
        retry_after=retry_after(response.headers) if response is not None and kind in _RETRYABLE else None,
    )


def _kind(status: int, names: set[str], message: str) -> str:
    if names & _NO_CREDIT:
        return QUOTA
    if status < _SERVER_ERRORS and (_TOO_LONG.search(message) or "context_length_exceeded" in names):
        return CONTEXT_LENGTH
    if status >= _SERVER_ERRORS:
        return UNAVAILABLE
    return _KINDS.get(status, BAD_REQUEST)


def _status(status: int, names: set[str]) -> int:
    """The HTTP status, or the one that a name inside a stream stands for."""
    if status >= _REDIRECTS:
        return status
    numbers = (int(name) for name in names if name.isdecimal() and len(name) == len("500"))
    told = next((number for number in numbers if number >= _CLIENT_ERRORS), 500)
    return next((_NAMED[name] for name in sorted(names) if name in _NAMED), told)


def _details(error: Any) -> tuple[set[str], str]:
    """The names (type, code) and the words of an error's body, which is the error itself or has it under `error`."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, str):
        return set(), body
    if not isinstance(body, dict):
        return set(), ""
    found = cast("dict[str, Any]", body)
    inner = found.get("error")
    if isinstance(inner, dict):
        found = cast("dict[str, Any]", inner)
    elif isinstance(inner, str):  # Ollama and others
        found = {"message": inner}
    names = {str(found[name]) for name in ("type", "code") if found.get(name) is not None}
    return names, str(found.get("message") or "")


def _refusal(error: BaseException | None) -> AddressRefused | None:
    while error is not None:
        if isinstance(error, AddressRefused):
            return error
        error = error.__cause__
    return None
