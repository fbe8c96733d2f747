"""The MCP server itself, on the SDK's low-level server: which tools and resources there are is asked when they are listed.

One for the process; it keeps nothing of its clients, so that each request stands alone and outlives a restart of the service.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourcesListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ListToolsResult,
    NotificationParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from app.client import ClientError
from app.mcp_server import schemas, tasks, toolbox, workflows
from app.mcp_server.calling import Answer, Document, Refused
from app.mcp_server.hints import told
from app.mcp_server.reading import key_in, read, schema_of, sound
from app.mcp_server.resource_handlers import ResourceHandlers
from app.mcp_server.task_handlers import TaskHandlers, takes_tasks

if TYPE_CHECKING:
    from mcp.server.session import ServerSession
    from mcp_types import CallToolRequestParams, PaginatedRequestParams

    from app.mcp_server.desk import Context, Desk
    from app.mcp_server.workflows import WorkflowTools

_LOOK_EVERY: Final = 3.0
"""Seconds between two looks at which workflows there are, while anybody listens."""
_LONG_MS: Final = 300_000
_SHORT_MS: Final = 3_000
_log: Final = logging.getLogger(__name__)


class _Listeners(InMemorySubscriptionBus):
    """Those who want to be told of changes."""

    @property
    def some(self) -> bool:
        return bool(self._listeners)


class McpServer:
    """One for the process."""

    def __init__(self, desk: Desk, tools: WorkflowTools) -> None:
        self._desk = desk
        self._tools = tools
        self._listeners = _Listeners()
        self.listening = ListenHandler(self._listeners)
        self._sessions: list[ServerSession] = []
        self._known: list[workflows.WorkflowTool] | None = None

    def made(self, *, version: str, one_client: bool = False) -> Server[Any]:
        """The SDK's server; `one_client`: it serves one, over pipes, who can be told of changes in the older way too."""
        found = ResourceHandlers(self._desk)
        call: Any = self._call_tool  # its results may be those of an extension, of which the SDK's types do not know
        server: Server[Any] = Server(
            "backstitch",
            version=version,
            title="Backstitch",
            instructions=toolbox.INSTRUCTIONS,
            get_tool_input_schema=self._schema,
            on_list_tools=self._list_tools,
            on_call_tool=call,
            on_list_resources=found.list,
            on_list_resource_templates=found.templates,
            on_read_resource=found.read,
            on_subscriptions_listen=self.listening,
        )
        TaskHandlers(self._desk).add_to(server)
        if one_client:
            server.add_notification_handler("notifications/initialized", NotificationParams, self._initialized)
        return server

    async def watch(self) -> None:
        """Tell who listens when there are other workflows, until cancelled."""
        while self._tools.some:
            await asyncio.sleep(_LOOK_EVERY)
            if self._listeners.some or self._sessions:
                await self._look()

    async def _look(self) -> None:
        """Look which workflows there are; nothing that goes wrong with that ends the watch, nor the service with it."""
        try:
            await self._workflows()
        except ClientError:
            pass
        except Exception:  # noqa: BLE001 - the next look may go well
            _log.exception("MCP clients could not be told of changed workflows")

    async def _workflows(self) -> list[workflows.WorkflowTool]:
        """Those that are tools now; tells who listens when they are others than when they were last asked for."""
        before, self._known = self._known, await self._tools.listed(self._desk.service)
        if before is not None and before != self._known:
            await self._tell()
        return self._known

    async def _tell(self) -> None:
        await self._listeners.publish(ToolsListChanged())
        await self._listeners.publish(ResourcesListChanged())
        for session in self._sessions:
            await session.send_tool_list_changed()
            await session.send_resource_list_changed()

    async def _initialized(self, ctx: Context, _: NotificationParams) -> None:
        self._sessions.append(ctx.session)

    # ---- tools
    @staticmethod
    def _schema(name: str) -> Document | None:
        tool = toolbox.TOOLS.get(name)
        return None if tool is None else schema_of(tool.takes)

    async def _list_tools(self, _: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        found = [_tool(tool) for tool in toolbox.TOOLS.values()]
        try:
            found += [_workflow(tool) for tool in await self._workflows()]
        except ClientError as error:  # the others are there all the same, and say what is wrong
            self._known = []
            _log.warning("the workflows cannot be listed as tools: %s", error)
        return ListToolsResult(tools=found, ttl_ms=_SHORT_MS if self._tools.some else _LONG_MS)

    async def _call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | Document:
        try:
            found = await self._desk.counted(params.name, self._done(ctx, params))
        except Refused as error:
            return _refusal(error)
        if isinstance(found, Answer):
            text = TextContent(type="text", text=found.text)
            return CallToolResult(content=[text], structured_content=found.document)
        return found

    async def _done(self, ctx: Context, params: CallToolRequestParams) -> Answer | Document:
        call, tool, given = self._desk.call(ctx), toolbox.TOOLS.get(params.name), await sound(params.arguments)
        call.key = key_in(ctx.meta)
        if tool is not None:
            return await tool.do(call, read(tool.takes, given))
        workflow = await self._tools.find(self._desk.service, params.name)
        if workflow is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:200]}")
        if not takes_tasks(ctx):
            return await workflows.run(call, workflow, given)
        accepted = await workflows.start(call, workflow, given)
        status = await self._desk.service.status(accepted["thread_id"])
        return {"resultType": "task", **tasks.seed(status)}


def _tool(tool: toolbox.Tool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.takes),
        output_schema=tool.gives,
        annotations=ToolAnnotations(
            read_only_hint=tool.reads,
            destructive_hint=tool.destroys,
            idempotent_hint=tool.repeats,
            open_world_hint=not tool.reads,
        ),
    )


def _workflow(tool: workflows.WorkflowTool) -> Tool:
    return Tool(
        name=tool.name,
        title=f"Run {tool.workflow}",
        description=tool.description,
        input_schema=tool.schema,
        output_schema=schemas.RAN,
        annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=False, open_world_hint=True),
    )


def _refusal(error: Refused) -> CallToolResult:
    """A tool's error: what is wrong and what to do as text, and for programs in `_meta`."""
    problem = {"code": error.code, "detail": error.detail, "hint": error.hint, **error.more}
    text = TextContent(type="text", text=told(error))
    return CallToolResult(content=[text], is_error=True, _meta={"dev.backstitch/problem": problem})
