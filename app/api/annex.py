"""What else the process serves beside the API: at a path of its own, and through the API as anybody from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from starlette.types import ASGIApp, Receive, Scope, Send


class Annex(Protocol):
    """An ASGI application that is mounted exactly at `path`."""

    @property
    def path(self) -> str:
        """Where it answers."""
        ...

    def open(self, application: ASGIApp, services: Any, /) -> AbstractAsyncContextManager[None]:
        """Be there until the block ends; `application` is the whole service, to be called without a socket."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...
