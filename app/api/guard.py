"""Around every request: a body that is too large is refused, and what a foreign page wants changed; an unexpected error
becomes a 500 that leaks nothing.

A plain ASGI middleware, so that streams stay streams and the fast path stays fast.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from app.api.cross_origin import is_foreign
from app.api.problem import problem, response
from app.domain.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log: Final = logging.getLogger(__name__)
_IMPORTS: Final = ("/api/invoke/import", "/invoke/import")


class Foreign(Exception):
    """A page of another origin has sent it."""


class TooLarge(Exception):
    """The body has passed the limit."""


class Guard:
    """The outermost middleware; it needs `services` in the state for the limit.

    Pages of `origins` may change something here; paths that are `apart` ask for themselves where a request comes from.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str] = (), apart: Collection[str] = ()) -> None:
        self._app = app
        self._origins, self._apart = frozenset(origins), frozenset(apart)

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
            self._look_at(scope, limit)
            await self._app(scope, _limited(receive, limit), sending)
        except ClientDisconnect:
            _log.debug("the client of %s went away in the middle of its request", scope["path"])
        except Exception as error:
            refusal = _refusal(scope, error, limit)
            if not started:
                await refusal(scope, receive, send)
            elif not isinstance(error, TooLarge):
                raise

    def _look_at(self, scope: Scope, limit: int) -> None:
        if is_foreign(scope, self._origins) and scope["path"] not in self._apart:
            raise Foreign
        if _declared(scope) > limit:
            raise TooLarge


def _refusal(scope: Scope, error: Exception, limit: int) -> Response:
    """What to say instead of an answer: 403, 413, or 500 with the reference under which the log has the error."""
    where = scope["path"]
    if isinstance(error, Foreign):
        detail = "a page of an origin that is not in CORS_ALLOW_ORIGINS may not change anything here"
        return response(problem(403, "cross_origin", detail, instance=where))
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
