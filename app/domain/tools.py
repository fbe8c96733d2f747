"""Tools of MCP servers, as steps and agents use them: what there is, and a call of one."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


class McpTools(Protocol):
    """The tools of the configured servers.

    Both methods raise StepFailure: kind `configuration` for a server that is not configured, `mcp.disconnected` (retryable)
    for one that cannot be reached or is lost meanwhile, `mcp.unknown_tool`, `mcp.protocol`, `validation` for arguments that
    do not match the tool's schema.  What a tool itself complains of is no failure here: see ToolResult.
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
