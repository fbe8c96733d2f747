"""Tools of MCP servers, as steps and agents use them: what there is, and a call of one."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DISCONNECTED: Final = "mcp.disconnected"
"""The server cannot be started or reached, or was lost before it answered."""
UNKNOWN_TOOL: Final = "mcp.unknown_tool"
TOOL_ERROR: Final = "mcp.tool_error"
"""The tool itself says that it failed."""
SERVER_ERROR: Final = "mcp.server_error"
"""The server answered with an error that may pass."""
PROTOCOL: Final = "mcp.protocol"
"""The server and this client do not understand each other; trying again does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of a server; `input_schema` is the JSON Schema of its arguments, always that of an object."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a call gave.

    `text` is what a model is shown, `value` the same as JSON (see runners/mcp_results.py); `is_error`: the tool itself says
    that it failed, and `text` says why.
    """

    text: str
    value: Any
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """How a configured server stands: `kind` is stdio or http, `status` idle, connecting, connected or failed.

    `error` says why it failed, without secrets; `tools` are those it had when it was last asked; `configured`: by the
    operator, it does not come with the code.
    """

    name: str
    kind: str
    status: str
    error: str | None
    tools: Sequence[Tool]
    configured: bool = True


class McpTools(Protocol):
    """The tools of the configured servers.

    Both methods raise StepFailure: kind `configuration` for a server that is not configured, `mcp.disconnected` (retryable)
    for one that cannot be reached or is lost meanwhile, `http.503` and the like, `mcp.server_error` (retryable),
    `mcp.unknown_tool`, `mcp.protocol`, `validation` for arguments that do not match the tool's schema, `output_too_large`.
    What a tool itself complains of is no failure here: see ToolResult.
    """

    async def list(self, server: str) -> builtins.list[Tool]:
        """The tools of a server, in its order; the server is connected first if need be."""
        ...

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        progress: Callable[[float | None, str], None] | None = None,
    ) -> ToolResult:
        """Call a tool.  `key` is the attempt's idempotency key, which the server is told; `progress` gets what it reports.

        Cancelling this cancels the request, and the server is told.
        """
        ...
