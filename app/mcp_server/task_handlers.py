"""What the MCP server answers about tasks, to clients that know the extension (see tasks)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from app.client import ApiError
from app.mcp_server import tasks
from app.mcp_server.arguments import Thread

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from app.mcp_server.calling import Document
    from app.mcp_server.desk import Context, Desk


class TaskParams(RequestParams):
    """What tasks/get and tasks/cancel take."""

    task_id: Thread


class UpdateParams(TaskParams):
    """What tasks/update takes."""

    input_responses: dict[str, Any]


class TaskHandlers:
    """Of one server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, server: Server[Any]) -> None:
        """Serve the methods of the extension, and say so."""
        server.extensions[tasks.EXTENSION] = {}
        server.add_request_handler("tasks/get", TaskParams, self._get)
        server.add_request_handler("tasks/update", UpdateParams, self._update)
        server.add_request_handler("tasks/cancel", TaskParams, self._cancel)

    async def _get(self, ctx: Context, params: TaskParams) -> Document:
        _check(ctx)
        capabilities = ctx.session.client_capabilities
        asks = capabilities is not None and capabilities.elicitation is not None
        return await self._desk.asked("tasks/get", tasks.task_of(self._desk.call(ctx), params.task_id, may_ask=asks))

    async def _update(self, ctx: Context, params: UpdateParams) -> Document:
        _check(ctx)
        await self._desk.asked(
            "tasks/update", tasks.update(self._desk.call(ctx), params.task_id, params.input_responses)
        )
        return {}

    async def _cancel(self, ctx: Context, params: TaskParams) -> Document:
        _check(ctx)
        await self._desk.asked("tasks/cancel", self._cancelled(params.task_id))
        return {}

    async def _cancelled(self, thread_id: str) -> None:
        try:
            await self._desk.service.cancel(thread_id, reason="tasks/cancel")
        except ApiError as error:
            if error.code != "thread_ended":  # it has ended before it could be
                raise


def takes_tasks(ctx: Context) -> bool:
    """Whether this request may be answered with a task."""
    capabilities = ctx.session.client_capabilities
    declared = capabilities is not None and tasks.EXTENSION in (capabilities.extensions or {})
    return declared and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def _check(ctx: Context) -> None:
    """Raises MCPError where there are no tasks in this revision of the protocol, or for this client."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
    if not takes_tasks(ctx):
        data: Document = {"requiredCapabilities": {"extensions": {tasks.EXTENSION: {}}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", data)
