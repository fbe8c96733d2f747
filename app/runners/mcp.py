"""The kind `mcp`: one call of a tool of a configured MCP server; its output is what the tool gives (see mcp_results).

The attempt's idempotency key goes along in the request's `_meta`, the tool's progress becomes the step's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from app.domain.records import ErrorInfo
from app.domain.retry import VALIDATION
from app.domain.runner import Completed, Failed
from app.domain.tools import TOOL_ERROR, McpTools
from app.runners import mcp_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.domain.runner import Attempt, Outcome
    from app.domain.spec import StepSpec
    from app.domain.tools import Tool


class KnownTools(McpTools, Protocol):
    """The servers, with what is known of them without asking."""

    @property
    def names(self) -> Sequence[str]:
        """The configured servers."""
        ...

    def known_tools(self, server: str) -> Sequence[Tool] | None:
        """The tools that a server has told of so far; None while it has not."""
        ...

    def unknown(self, server: str) -> str:
        """A sentence for a server that is not configured."""
        ...


class McpRunner:
    """Calls tools.  A retry of what a tool complained of is up to the step: such an error may pass or not."""

    def __init__(self, servers: KnownTools) -> None:
        self._servers = servers

    async def perform(self, attempt: Attempt) -> Outcome:
        """Call the tool.  Raises StepFailure."""
        target = cast("dict[str, Any]", attempt.target)
        return await perform_call(
            self._servers, str(target["server"]), str(target["tool"]), target.get("arguments"), attempt
        )

    def check(self, step: StepSpec) -> list[str]:
        """What is wrong with a step as far as it is known now: the server always, the tool once the server has been there."""
        target: Any = step.target.source
        if not isinstance(target, dict):
            return []
        written = cast("dict[str, Any]", target)
        return check_call(
            self._servers, str(written.get("server")), str(written.get("tool")), written.get("arguments", {})
        )


async def perform_call(servers: McpTools, server: str, tool: str, arguments: Any, attempt: Attempt) -> Outcome:
    """Call a tool for an attempt; what the tool complains of is a failure of the kind `mcp.tool_error`.

    Raises StepFailure for all else that goes wrong.
    """
    given: Any = {} if arguments is None else arguments
    if not isinstance(given, dict):
        message = f"the arguments of a tool are an object, not {type(given).__name__}"
        return Failed(error=ErrorInfo(kind=VALIDATION, message=message))
    context = attempt.context
    result = await servers.call(
        server,
        tool,
        cast("Mapping[str, Any]", given),
        key=context.idempotency_key,
        progress=context.progress,
    )
    if result.is_error:
        message = result.text.strip() or "the tool failed and did not say why"
        return Failed(error=ErrorInfo(kind=TOOL_ERROR, message=message[:4_000], retryable=True))
    return Completed(output=result.value)


def check_call(servers: KnownTools, server: str, tool: str, arguments: Any) -> list[str]:
    """What is wrong with a call as it is written, templates and all, as far as is known now."""
    if server not in servers.names:
        return [servers.unknown(server)]
    if isinstance(arguments, str) and "{" not in arguments:
        return ["the arguments of a tool are an object, or a template that gives one"]
    tools = servers.known_tools(server)
    if tools is None:
        return []
    found = next((one for one in tools if one.name == tool), None)
    if found is None:
        return [mcp_results.no_such_tool(server, tool, tools)]
    problems = mcp_results.written_problems(found, {} if arguments is None else arguments)
    return [f"the arguments of {tool!r}: {mcp_results.worded(problems)}"] if problems else []
