"""What the MCP server answers about resources: those there are, their templates, and one of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from app.domain import jsontext
from app.mcp_server import resources
from app.mcp_server.calling import Refused

if TYPE_CHECKING:
    from mcp_types import PaginatedRequestParams, ReadResourceRequestParams

    from app.mcp_server.desk import Context, Desk

_JSON: Final = "application/json"
_READ: Final = "resources/read"
_LONG_MS: Final = 300_000


class ResourceHandlers:
    """Of one server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self, _: Context, __: PaginatedRequestParams | None) -> ListResourcesResult:
        """The lists, and the newest of what they hold."""
        entries = await self._desk.asked(_READ, resources.listed(self._desk.service))
        return ListResourcesResult(
            resources=[
                Resource(uri=one.uri, name=one.name, description=one.description, mime_type=_JSON) for one in entries
            ]
        )

    async def templates(self, _: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """What can be asked for by name."""
        return ListResourceTemplatesResult(
            resource_templates=[
                ResourceTemplate(uri_template=one.uri, name=one.name, description=one.description, mime_type=_JSON)
                for one in resources.TEMPLATES
            ],
            ttl_ms=_LONG_MS,
        )

    async def read(self, _: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """One of them, as JSON."""
        document = await self._desk.asked(_READ, resources.read(self._desk.service, params.uri))
        text = await asyncio.to_thread(jsontext.dumps, document)
        try:
            kept = resources.bounded(text, params.uri)
        except Refused as error:
            raise MCPError(INVALID_PARAMS, error.detail) from None
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, mime_type=_JSON, text=kept)])
