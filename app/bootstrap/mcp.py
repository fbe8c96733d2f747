"""Wires the MCP servers of MCP_SERVERS, and the one that an example brings: their sessions live as long as the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.examples.release_notes import COMMAND, SERVER, TOOLS
from app.runners.mcp_config import ServerConfig, load_servers
from app.runners.mcp_servers import McpServers

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from app.settings import Settings


async def open_mcp(settings: Settings, stack: AsyncExitStack) -> McpServers:
    """The servers, until the stack closes; they begin to be opened, and nobody waits for that.  Raises StartupError."""
    path = settings.mcp_servers
    configs = _of_examples() | (load_servers(path, settings.secret) if path is not None else {})
    servers = await stack.enter_async_context(McpServers(configs, max_bytes=settings.max_value_bytes).open())
    servers.warm_up()
    return servers


def _of_examples() -> dict[str, ServerConfig]:
    """Servers that need no configuration; an operator's own of the same name takes their place."""
    command, *args = COMMAND
    return {SERVER: ServerConfig(name=SERVER, command=command, args=tuple(args), only=TOOLS)}
