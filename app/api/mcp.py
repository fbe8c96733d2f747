"""The configured MCP servers: how each stands, and the tools that steps can call."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import answer
from app.api.openapi import example, problems
from app.api.services import services_of
from app.domain.known_secrets import KNOWN

router: Final = APIRouter(tags=["mcp"])

_GIT: Final[dict[str, Any]] = {
    "name": "git",
    "kind": "stdio",
    "status": "connected",
    "error": None,
    "tools": [
        {
            "name": "git_status",
            "description": "Shows the working tree status",
            "input_schema": {
                "type": "object",
                "required": ["repo_path"],
                "properties": {"repo_path": {"type": "string"}},
            },
        }
    ],
}
_WEB: Final[dict[str, Any]] = {
    "name": "web",
    "kind": "http",
    "status": "failed",
    "error": "All connection attempts failed",
    "tools": [],
}


class ToolAnswer(BaseModel):
    """A tool; `input_schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    input_schema: dict[str, Any]


class McpServerAnswer(BaseModel):
    """A server of MCP_SERVERS. `error` says why it failed; `tools` are those it had when it was last asked."""

    name: str
    kind: Literal["stdio", "http"]
    status: Literal["idle", "connecting", "connected", "failed"]
    error: str | None
    tools: list[ToolAnswer]


class McpServersAnswer(BaseModel):
    """All servers, by name."""

    servers: list[McpServerAnswer]


@router.get(
    "/mcp/servers",
    operation_id="list_mcp_servers",
    response_model=McpServersAnswer,
    responses={**problems(), 200: example({"servers": [_GIT, _WEB]})},
)
async def listed(request: Request) -> Response:
    """The MCP servers of this process, with their tools; commands, addresses and headers are not shown."""
    servers = [
        {
            "name": report.name,
            "kind": report.kind,
            "status": report.status,
            "error": report.error,
            "tools": [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}
                for tool in report.tools
            ],
        }
        for report in services_of(request).mcp.reports()
    ]
    return answer({"servers": KNOWN.value(servers)})  # what tools say of themselves comes from outside
