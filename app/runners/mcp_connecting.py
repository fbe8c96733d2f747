"""Opening a session with an MCP server, over its pipes or over HTTP, and following its tools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from app.runners import mcp_results

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack

    from mcp import Client
    from mcp.client.session import LoggingFnT, MessageHandlerFnT

    from app.domain.tools import Tool
    from app.runners.mcp_config import ServerConfig
    from app.runners.mcp_stdio import Child

_MAX_PAGES: Final = 100
_LISTEN_AGAIN: Final = 5.0


class Connecting:
    """One server's transport; `limit` in bytes is for one message, `ended` is called when a process says nothing more."""

    def __init__(self, config: ServerConfig, *, limit: int, ended: Callable[[], None]) -> None:
        self._config = config
        self._limit = limit
        self._ended = ended
        self.child = self._new_child()
        """Its process, if it is one."""
        self.opened: Callable[[], None] = lambda: None
        """To be called once the session stands."""

    def _new_child(self) -> Child | None:
        if self._config.kind == "http":
            return None
        from app.runners.mcp_stdio import Child  # noqa: PLC0415 - with the SDK, which takes long to import

        return Child(self._config)

    async def open(self, stack: AsyncExitStack, *, logged: LoggingFnT, heard: MessageHandlerFnT) -> Client:
        """Shake hands; the session ends with the stack.  Raises whatever the transport does, in groups."""
        from mcp import Client  # noqa: PLC0415
        from mcp_types import Implementation  # noqa: PLC0415

        client = Client(
            await self._streams(stack),
            client_info=Implementation(name="backstitch", version="0.1.0"),
            cache=None,
            log_level="info",
            logging_callback=logged,
            message_handler=heard,
        )
        return await stack.enter_async_context(client)

    async def _streams(self, stack: AsyncExitStack) -> Any:
        if self.child is not None:
            from app.runners.mcp_stdio import stdio_streams  # noqa: PLC0415

            return stdio_streams(self.child, limit=self._limit, ended=self._ended)
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        from app.runners.mcp_http import IsolatingTransport, http_client  # noqa: PLC0415

        transport = IsolatingTransport(limit=self._limit)
        client = await stack.enter_async_context(http_client(self._config, transport))
        self.opened = transport.isolate
        return streamable_http_client(str(self._config.url), http_client=client, max_sse_event_size=self._limit)


async def all_tools(client: Client) -> Sequence[Tool]:
    """The tools of a server, page by page."""
    if client.server_capabilities.tools is None:
        return ()
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += [mcp_results.to_tool(tool) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    return tuple(tools)


async def follow_changes(client: Client, refresh: Callable[[], Awaitable[None]]) -> None:
    """Since 2026-07-28 a server tells of changes only to who listens for them; whoever listens again asks again."""
    from mcp import MCPError  # noqa: PLC0415
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS  # noqa: PLC0415

    tools = client.server_capabilities.tools
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
        return
    while True:
        try:
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    await refresh()
        except MCPError as error:
            if not mcp_results.may_pass(error):
                return
        except (RuntimeError, TimeoutError):
            pass  # the stream was lost
        await asyncio.sleep(_LISTEN_AGAIN)
        await refresh()
