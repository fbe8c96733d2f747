"""From MCP to here: tools, what a call gave, what went wrong, and whether arguments match a tool's schema.

The value of a call is its `structuredContent`; without one it is the text of a single text block, parsed where that is a JSON
object or array; else the list of blocks as MCP writes them.  No block at all is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import input_schema, jsontext, retry
from app.domain.errors import JsonError, Problem
from app.domain.runner import StepFailure
from app.domain.tools import DISCONNECTED, PROTOCOL, SERVER_ERROR, UNKNOWN_TOOL, Tool, ToolResult
from app.runners.aside import BIG

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mcp_types
    from mcp import MCPError

_CLOSED: Final = -32000
_CODES: Final[Mapping[int, tuple[str, bool]]] = {
    _CLOSED: (DISCONNECTED, True),
    -32001: (retry.TIMEOUT, True),
    -32602: (retry.VALIDATION, False),
    -32600: (PROTOCOL, False),
    -32601: (PROTOCOL, False),
    -32700: (PROTOCOL, False),
}
"""JSON-RPC codes of errors: kind, and whether trying again can help; all others may pass."""
_SERVER_ERRORS: Final = 500
_RETRYABLE: Final = frozenset({408, 425, 429})
LOST: Final = "disconnected"
"""The `data` of an error that stands for a connection that could not be made, or was lost."""
SILENT: Final = "timeout"
"""The `data` of one that stands for a server that said nothing for too long."""
HTTP_STATUS: Final = "httpStatus"
"""In the `data` of an error that stands for an answer with that status; `retryAfter` may stand beside it, in seconds."""
LONGER: Final = "the answer is longer than"
_EVENT_TOO_LONG: Final = "Server-sent event exceeded"
LOST_ON_THE_WAY: Final = "the connection was lost"
"""What the message of an error holds that the SDK makes of an answer which could not be read to its end."""
_OF_THE_OBJECT: Final = frozenset({"required", "additionalProperties", "unevaluatedProperties"})
_SHOWN: Final = 5


def to_tool(tool: mcp_types.Tool) -> Tool:
    """A tool as a server lists it."""
    return Tool(name=tool.name, description=tool.description or "", input_schema=tool.input_schema)


def to_result(result: mcp_types.CallToolResult) -> ToolResult:
    """What a call gave."""
    blocks = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
    structured: Any = result.structured_content
    text = "\n".join(_shown(block) for block in blocks)
    if structured is not None or (not blocks and "structured_content" in result.model_fields_set):
        value, text = structured, text or jsontext.dumps(structured)
    else:
        value = _value(blocks)
    return ToolResult(text=text, value=value, is_error=result.is_error)


def size_of(result: mcp_types.CallToolResult) -> int:
    """About how many characters `to_result` reads."""
    texts = sum(len(getattr(block, "text", "")) for block in result.content)
    return texts + jsontext.weight(result.structured_content, BIG)


def _value(blocks: list[dict[str, Any]]) -> Any:
    if len(blocks) != 1 or blocks[0]["type"] != "text":
        return blocks or None
    text: str = blocks[0]["text"]
    if text.lstrip()[:1] in ("{", "["):
        try:
            return jsontext.loads(text)
        except JsonError:
            pass
    return text


def _shown(block: dict[str, Any]) -> str:
    """A block as text: what is none is named by its type."""
    match block["type"]:
        case "text":
            return str(block["text"])
        case "resource" if "text" in block["resource"]:
            return str(block["resource"]["text"])
        case "resource_link":
            return f"[resource {block['uri']}]"
        case other:
            return f"[{other} {block.get('mimeType', '')}".rstrip() + "]"


def to_failure(error: MCPError, message: str) -> StepFailure:
    """What an error answer means for a step; `message` is what to tell."""
    data: Any = error.data
    if isinstance(data, dict) and HTTP_STATUS in data:
        told = cast("dict[str, Any]", data)
        status = int(told[HTTP_STATUS])
        retryable = status >= _SERVER_ERRORS or status in _RETRYABLE
        pause = told.get("retryAfter")
        return StepFailure(message, kind=f"{retry.HTTP}.{status}", retryable=retryable, retry_after=pause)
    kind, retryable = _CODES.get(error.code, (SERVER_ERROR, True))
    if LONGER in error.message or _EVENT_TOO_LONG in error.message:
        kind, retryable = retry.OUTPUT_TOO_LARGE, False
    elif is_lost(error) or LOST_ON_THE_WAY in error.message:
        kind, retryable = DISCONNECTED, True
    elif data == SILENT:
        kind, retryable = retry.TIMEOUT, True
    return StepFailure(message, kind=kind, retryable=retryable)


def is_lost(error: MCPError) -> bool:
    """Whether the session itself is over: nobody is there, or the server has forgotten it."""
    return error.data == LOST or error.message == "Session terminated"


def is_closed(error: MCPError) -> bool:
    """Whether the connection ended while the answer was waited for: what the SDK tells all who wait then."""
    return error.code == _CLOSED and error.message == "Connection closed"


def may_pass(error: MCPError) -> bool:
    """Whether the same request may be answered another time."""
    return _CODES.get(error.code, (SERVER_ERROR, True))[1]


def unknown_tool(server: str, tool: str, tools: Sequence[Tool]) -> StepFailure:
    """The failure of a call of what is not there."""
    return StepFailure(no_such_tool(server, tool, tools), kind=UNKNOWN_TOOL, retryable=False)


def no_such_tool(server: str, tool: str, tools: Sequence[Tool]) -> str:
    """A sentence that names what there is."""
    known = ", ".join(sorted(one.name for one in tools)) or "none"
    return f"the MCP server {server!r} has no tool {tool!r}; it has: {known}"


def argument_problems(tool: Tool, arguments: Mapping[str, Any]) -> list[Problem]:
    """Where arguments do not match the tool's schema; a schema that is none is left to the server."""
    if input_schema.check_schema(tool.input_schema):
        return []
    return input_schema.validate(tool.input_schema, arguments)


def written_problems(tool: Tool, arguments: Any) -> list[Problem]:
    """What is wrong with arguments as a document has them, whatever their templates will give."""
    if not isinstance(arguments, dict) or input_schema.check_schema(tool.input_schema):
        return []
    found = input_schema.errors(tool.input_schema, arguments, input_schema.MAX_PROBLEMS)
    return [
        Problem(input_schema.to_pointer(error.instance_path), input_schema.worded(error))
        for error in found
        if error.kind.name in _OF_THE_OBJECT or not _has_template(_at(arguments, error.instance_path))
    ]


def worded(problems: Sequence[Problem]) -> str:
    """Some problems in one line."""
    return "; ".join(f"{problem.pointer or '(arguments)'}: {problem.message}" for problem in problems[:_SHOWN])


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for key in path:
        value = value[key]
    return value


def _has_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{" in value or "}" in value
    if isinstance(value, dict):
        return any(_has_template(item) for item in cast("dict[str, Any]", value).values())
    return isinstance(value, list) and any(_has_template(item) for item in cast("list[Any]", value))
