"""The MCP server at /mcp, in the process of the API and through it: streamable HTTP, one request at a time.

It asks the application without a socket.  The SDK is loaded with the first request, in a thread: a service that nobody asks
over MCP starts as fast as one without.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Unavailable
from app.mcp_server.counting import Calls
from app.mcp_server.inside import inside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.bootstrap import Services
    from app.client import Backstitch
    from app.mcp_server.server import McpServer

    Made = tuple[McpServer, StreamableHTTPSessionManager]

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`hosts` and `origins` as TransportSecuritySettings has them (None: any); `exposed` as WorkflowTools has it."""

    version: str
    hosts: tuple[str, ...] | None
    origins: tuple[str, ...]
    exposed: frozenset[str] | None


class McpAnnex:
    """Implements api.annex.Annex."""

    path = "/mcp"

    def __init__(self, options: Options) -> None:
        self._options = options
        self.calls = Calls()
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._manager: StreamableHTTPSessionManager | None = None
        self._fault: str | None = None

    @asynccontextmanager
    async def open(self, application: ASGIApp, services: Services) -> AsyncGenerator[None]:
        """Be there until the block ends."""
        self._wanted, self._ready, self._manager, self._fault = asyncio.Event(), asyncio.Event(), None, None
        services.metrics.sources.append(self.calls.figures)
        services.parts.add("mcp_server", self._health)
        async with inside(application) as service, asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep(service, services))
            yield
            keeper.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.  There is nothing to get, and no session to delete: each request stands alone."""
        if scope["method"] != "POST":
            headers = [(b"allow", b"POST"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 405, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        self._wanted.set()
        await self._ready.wait()
        if self._manager is None:
            raise Unavailable(f"the MCP server cannot be loaded: {self._fault}")
        await self._manager.handle_request(scope, receive, send)

    async def _keep(self, service: Backstitch, services: Services) -> None:
        """Load the SDK when it is wanted, and let it serve until the service ends."""
        await self._wanted.wait()
        try:
            server, manager = await asyncio.to_thread(self._made, service, services)
        except Exception as error:  # noqa: BLE001 - the API goes on without
            _log.exception("the MCP server cannot be loaded")
            self._fault = f"{type(error).__name__}: {error}"
            self._ready.set()
            return
        async with manager.run(), asyncio.TaskGroup() as group:
            self._manager = manager
            self._ready.set()
            watch = group.create_task(server.watch())
            await services.shutting_down.wait()
            server.listening.close()
            watch.cancel()
            await asyncio.Event().wait()

    def _made(self, service: Backstitch, services: Services) -> Made:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415 - half a second
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

        from app.mcp_server.desk import Desk  # noqa: PLC0415
        from app.mcp_server.server import McpServer  # noqa: PLC0415
        from app.mcp_server.workflows import WorkflowTools  # noqa: PLC0415

        options = self._options
        server = McpServer(Desk(service, self.calls, _base), WorkflowTools(options.exposed))
        manager = StreamableHTTPSessionManager(
            server.made(version=options.version),
            stateless=True,
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=options.hosts is not None,
                allowed_hosts=list(options.hosts or ()),
                allowed_origins=list(options.origins),
            ),
            max_request_body_size=services.limits.max_body_bytes,
        )
        return server, manager

    def _health(self) -> dict[str, Any]:
        told = {"loaded": self._manager is not None, "calls": self.calls.total}
        if self._fault is not None:
            return {"status": "degraded", "detail": f"it cannot be loaded: {self._fault}", **told}
        return {"status": "ready", **told}


def _base(request: Request) -> str:
    """Where the client of a request reaches the service: where it has sent the request."""
    return str(request.base_url).rstrip("/")
