"""Around every request: a body that is too large is refused, and an unexpected error becomes a 500 that leaks nothing.

A plain ASGI middleware, so that streams stay streams and the fast path stays fast.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from app.api.problem import problem, response
from app.domain.ids import uuid7

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log: Final = logging.getLogger(__name__)
_IMPORTS: Final = ("/api/invoke/import", "/invoke/import")


class TooLarge(Exception):
    """The body has passed the limit."""


class Guard:
    """The outermost middleware; it needs `services` in the state for the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if _declared(scope) > limit:
                raise TooLarge  # noqa: TRY301 - one place answers both ways of being too large
            await self._app(scope, _limited(receive, limit), sending)
        except ClientDisconnect:
            _log.debug("the client of %s went away in the middle of its request", scope["path"])
        except Exception as error:
            refusal = _refusal(scope, error, limit)
            if not started:
                await refusal(scope, receive, send)
            elif not isinstance(error, TooLarge):
                raise


def _refusal(scope: Scope, error: Exception, limit: int) -> Response:
    """What to say instead of an answer: 413, or 500 with the reference under which the log has the error."""
    where = scope["path"]
    if isinstance(error, TooLarge):
        detail = f"the body is larger than {limit} bytes"
        return response(problem(413, "body_too_large", detail, instance=where, max_body_bytes=limit))
    reference = uuid7()
    _log.error("unexpected error %s in %s %s", reference, scope["method"], where, exc_info=error)
    detail = f"an unexpected error; the service's log tells more under {reference}"
    return response(problem(500, "internal_error", detail, instance=where, reference=reference))


def _limit(scope: Scope) -> int:
    """How large the body may be: a thread that is imported has a limit of its own."""
    limits = scope["state"]["services"].limits
    return limits.max_import_bytes if scope["path"] in _IMPORTS else limits.max_body_bytes


def _declared(scope: Scope) -> int:
    """The Content-Length, 0 when there is none; the server has already refused what is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that counts, since chunks may say one thing and bring another."""
    left = limit

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLarge
        return message

    return receiving
