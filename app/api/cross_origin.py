"""Which pages of other origins a browser lets use the service; without any, no request passes through this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from collections.abc import Sequence

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TOLD: Final = (
    *("Location", "Retry-After", "Idempotency-Replayed", "Link", "Mcp-Session-Id"),
    *("Content-Location", "X-Pagination-Next", "X-Pagination-Total"),  # which the SDK of LangGraph reads
)
"""The headers of answers that pages may read, beside those that they always may."""
_REMEMBERED: Final = 600


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
