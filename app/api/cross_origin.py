"""Pages of other origins: which of them a browser lets use the service, and that the others change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.types import Scope

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TOLD: Final = (
    *("Location", "Retry-After", "Idempotency-Replayed", "Link", "Mcp-Session-Id"),
    *("Content-Location", "X-Pagination-Next", "X-Pagination-Total"),  # which the SDK of LangGraph reads
)
"""The headers of answers that pages may read, beside those that they always may."""
_REMEMBERED: Final = 600
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({b"same-origin", b"none"})


def cross_origin(origins: Sequence[str]) -> list[Middleware]:
    """The outermost middleware, so that refusals of the others reach the page too; none for no origins.

    No credentials: what a browser has stored for the service does not go along with what a foreign page asks.
    """
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_TOLD,
            max_age=_REMEMBERED,
        )
    ]


def is_foreign(scope: Scope, origins: Collection[str]) -> bool:
    """Whether a page of an origin that is not allowed makes a browser change something here.

    CORS keeps such a page from reading the answer, not from sending what starts a workflow. Browsers say where a request
    comes from: by Sec-Fetch-Site, or else by an Origin, which a page of the service's own has the Host of; what is no browser
    says neither. The rule is that of Go's net/http.CrossOriginProtection.
    """
    if scope["method"] in _SAFE:
        return False
    headers: dict[bytes, bytes] = dict(scope["headers"])
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if origin is not None and ("*" in origins or origin.decode("latin-1") in origins):
        return False
    if site is not None:
        return site not in _OWN
    return origin is not None and urlsplit(origin).netloc != headers.get(b"host")
