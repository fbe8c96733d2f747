"""The header with which a start carries its caller's trace on (W3C Trace Context)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from starlette.requests import Request

    from app.api.services import Services

HEADER: Final[dict[str, Any]] = {
    "name": "traceparent",
    "in": "header",
    "required": False,
    "description": "The caller's span (W3C Trace Context): where executions are traced, this one is told of under it. "
    "One that cannot be read counts for nothing.",
    "schema": {"type": "string"},
    "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
"""As OpenAPI documents it."""


def traceparent_of(services: Services, request: Request) -> str | None:
    """What the request says, where executions are traced."""
    return request.headers.get("traceparent") if services.traced else None
