"""One connection to an MCP server, in a task of its own: opened, shared by all calls, followed, and closed.

It becomes unusable once, and says so: when it could not be opened, when the server is gone, when the service ends.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from app.domain import jsontext, retry
from app.domain.errors import JsonError
from app.domain.runner import StepFailure
from app.domain.tools import DISCONNECTED, PROTOCOL
from app.runners import mcp_results
from app.runners.aside import aside
from app.runners.mcp_connecting import Connecting, all_tools, follow_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import mcp_types
    from mcp import Client, MCPError
    from mcp.client.session import IncomingMessage

    from app.domain.tools import Tool, ToolResult
    from app.runners.mcp_config import ServerConfig
    from app.runners.mcp_stdio import Child

    Progress = Callable[[float | None, str], None]

OPEN_SECONDS: Final = 60.0
"""How long a server may take to start and to tell its tools: a package runner may have to fetch it first."""
KEY: Final = "backstitch/idempotencyKey"
"""Under which a request's `_meta` carries the attempt's key."""
_REASON_SECONDS: Final = 2.5
_WIRE: Final = 4
"""How many times its value an answer may be long on the wire: as text and as structure, and escaped."""
_log: Final = logging.getLogger(__name__)


class Session:
    """One connection.  `unusable` is called with it, once; `limit` is how many bytes a value may have."""

    def __init__(self, config: ServerConfig, *, limit: int, unusable: Callable[[Session], None]) -> None:
        self.config = config
        self.tools: Sequence[Tool] = ()
        self.settled = asyncio.Event()
        """Whether it could be opened is known: see `connected`."""
        self.finished = asyncio.Event()
        """All of it is gone: `reason` is as good as it gets."""
        self.connected = False
        self.usable = True
        self.reason: str | None = None
        self._limit = limit
        self._unusable = unusable
        self._over = asyncio.Event()
        self._calls = 0
        self._client: Client | None = None
        self._child: Child | None = None
        self._listing = asyncio.Lock()
        self._asked = self._answered = 0

    async def run(self) -> None:
        """Its life.  Raises nothing but CancelledError."""
        try:
            # The import takes a second, in which the loop has other things to do.
            await asyncio.to_thread(__import__, "mcp")
            await self._live()
        except Exception as error:  # noqa: BLE001 - whatever it dies of, the other servers live
            self._tell(_leaf(error))
        finally:
            if self._child is not None and self.reason is None:
                self.reason = self._child.epitaph()
            self.retire(None)
            self.settled.set()
            self.finished.set()

    def end(self) -> None:
        """Close it now; calls in flight fail."""
        self.retire("closed")
        self._over.set()

    def retire(self, reason: str | None) -> None:
        """Take no more calls, and close it when the last one is over."""
        self.reason = self.reason or reason
        if not self._calls:
            self._over.set()
        if self.usable:
            self.usable = False
            self._unusable(self)

    async def call(
        self, tool: str, arguments: Mapping[str, Any], *, key: str, progress: Progress | None = None
    ) -> ToolResult:
        """Call a tool.  Raises StepFailure."""
        await self._check(tool, arguments)
        given: dict[str, Any] = dict(arguments)
        return await self._result(
            await self._request(
                lambda client: client.call_tool(
                    tool,
                    given,
                    progress_callback=_reporter(progress) if progress is not None else None,
                    meta={KEY: key},  # pyright: ignore[reportArgumentType] - a TypedDict that allows for more
                )
            )
        )

    async def refresh(self) -> None:
        """Ask for the tools again; who asks while others wait for the answer shares the next one.  Raises StepFailure."""
        self._asked += 1
        mine = self._asked
        async with self._listing:
            if self._answered >= mine:
                return
            self._answered = self._asked
            only = self.config.only
            found = await self._request(all_tools)
            self.tools = [tool for tool in found if only is None or tool.name in only]

    async def _check(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Raise StepFailure for what the server need not be asked; its tools are asked for again before it is refused."""
        try:
            jsontext.dumps(arguments)
        except JsonError as error:
            raise StepFailure(f"the arguments are {error}", kind=retry.VALIDATION, retryable=False) from None
        if self._failure(tool, arguments) is not None:
            await self.refresh()
        failure = self._failure(tool, arguments)
        if failure is not None:
            raise failure

    def _failure(self, name: str, arguments: Mapping[str, Any]) -> StepFailure | None:
        tool = next((tool for tool in self.tools if tool.name == name), None)
        if tool is None:
            return mcp_results.unknown_tool(self.config.name, name, self.tools)
        problems = mcp_results.argument_problems(tool, arguments)
        if not problems:
            return None
        message = f"the arguments of {name!r} do not match its schema: {mcp_results.worded(problems)}"
        return StepFailure(message, kind=retry.VALIDATION, retryable=False)

    async def _result(self, given: mcp_types.CallToolResult) -> ToolResult:
        """What a call gave; a complaint may repeat what the operator has put into the call."""
        result = await aside(lambda: mcp_results.to_result(given), mcp_results.size_of(given))
        return replace(result, text=self.config.redact(result.text)) if result.is_error else result

    async def _request(self, ask: Callable[[Client], Any]) -> Any:
        from mcp import MCPError  # noqa: PLC0415 - imported by now

        if self._client is None:
            raise await self._lost()
        self._calls += 1
        try:
            return await ask(self._client)
        except MCPError as error:
            raise await self._told(error) from None
        except Exception as error:
            if not self.usable:
                raise await self._lost() from None
            message = f"the MCP server {self.config.name!r}: {type(error).__name__}: {error}"
            raise StepFailure(self.config.redact(message), kind=PROTOCOL, retryable=False) from error
        finally:
            self._calls -= 1
            if not self.usable and not self._calls:
                self._over.set()

    async def _told(self, error: MCPError) -> StepFailure:
        if mcp_results.is_closed(error):
            self.retire(None)
            return await self._lost()
        if mcp_results.is_lost(error):
            self.retire(self.config.redact(error.message))
        message = f"the MCP server {self.config.name!r}: {error.message}"
        return mcp_results.to_failure(error, self.config.redact(message))

    async def _lost(self) -> StepFailure:
        """The failure of whoever waited when it went; what it died of is known a moment later."""
        if self.connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REASON_SECONDS):
                    await self.finished.wait()
        return StepFailure(f"the MCP server {self.config.name!r} was lost: {self.reason}", kind=DISCONNECTED)

    def _tell(self, error: BaseException) -> None:
        """Keep what it died of."""
        told = f"not there after {OPEN_SECONDS:g} s" if isinstance(error, TimeoutError) else str(error)
        told = told or type(error).__name__
        if self._child is not None and self._child.started and not self.connected:
            told = f"{told} ({self._child.epitaph()})"
        self.reason = self.reason or self.config.redact(told)

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            connecting = Connecting(self.config, limit=self._limit * _WIRE, ended=self._gone)
            self._child = connecting.child
            async with asyncio.timeout(OPEN_SECONDS):
                self._client = await connecting.open(stack, logged=self._logged, heard=self._heard)
                await self.refresh()
            connecting.opened()
            self.connected = True
            self.settled.set()
            _log.info("mcp server %s: connected, %d tools", self.config.name, len(self.tools))
            stack.callback(self.retire, None)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow_changes, self._client, self._try_refresh)
                await self._over.wait()
                tasks.cancel_scope.cancel()

    def _gone(self) -> None:
        """The server's output has ended; while it is being opened the opening fails of it."""
        if self.connected:
            self.retire(None)
            self._over.set()

    async def _logged(self, params: mcp_types.LoggingMessageNotificationParams) -> None:
        level = logging.DEBUG if params.level == "debug" else logging.INFO
        _log.log(level, "mcp server %s: %s: %s", self.config.name, params.level, self.config.redact(str(params.data)))

    async def _heard(self, message: IncomingMessage) -> None:
        from mcp_types import ToolListChangedNotification  # noqa: PLC0415

        if isinstance(message, ToolListChangedNotification):
            await self._try_refresh()

    async def _try_refresh(self) -> None:
        try:
            await self.refresh()
        except StepFailure as error:
            _log.warning("mcp server %s: its tools could not be asked for again: %s", self.config.name, error)


def _reporter(progress: Progress) -> Any:
    async def report(done: float, total: float | None, message: str | None) -> None:
        progress(done / total if total else None, message or "")

    return report


def _leaf(error: BaseException) -> BaseException:
    """The first cause in nested groups: the SDK's task groups wrap all that is raised in them."""
    while isinstance(error, BaseExceptionGroup):
        inner: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        error = inner[0]
    return error
