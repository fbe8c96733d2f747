"""The configured MCP servers: one shared session for each, opened when it is first wanted, reopened when it is lost.

A server that dies is started again at once; one that keeps dying, or cannot be opened, after a pause that grows.  Who calls
meanwhile is told so, and when to come back.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.retry import CONFIGURATION, INVALID_OUTPUT, OUTPUT_TOO_LARGE
from app.domain.runner import StepFailure
from app.domain.tools import DISCONNECTED, ServerReport
from app.runners.aside import BIG, aside
from app.runners.mcp_session import Session

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping

    from app.domain.tools import Tool, ToolResult
    from app.runners.mcp_config import ServerConfig

    Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

STEADY: Final = 10.0
"""Seconds after which a session that ends counts as one that was well."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
_CLOSE: Final = 2.5
_log: Final = logging.getLogger(__name__)


class Server:
    """One configured server."""

    def __init__(self, config: ServerConfig, *, limit: int, spawn: Spawn) -> None:
        self.config = config
        self._limit = limit
        self._spawn = spawn
        self._session: Session | None = None
        self._tools: list[Tool] = []
        self._tasks: dict[Session, asyncio.Task[None]] = {}
        self._failures = 0
        self._opened_at = self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def tools(self) -> list[Tool]:
        """Those it has, or had when it was last there; none before it was."""
        if self._session is not None and self._session.connected:
            self._tools = list(self._session.tools)
        return self._tools

    def report(self) -> ServerReport:
        """How it stands."""
        session = self._session
        if session is None:
            status, error = "idle", None
        elif not session.usable:
            status, error = "failed", session.reason or "the connection was lost"
        else:
            status, error = ("connected" if session.connected else "connecting"), None
        return ServerReport(
            name=self.config.name,
            kind=self.config.kind,
            status=status,
            error=error,
            tools=tuple(self.tools),
            configured=self.config.only is None,
        )

    async def session(self) -> Session:
        """The open session, once it is.  Raises StepFailure."""
        session = self._session
        if session is None or not session.usable:
            pause = self._next_at - asyncio.get_running_loop().time()
            if self._closed or pause > 0:
                raise self._unreachable(pause)
            session = self.start()
        await session.settled.wait()
        if not session.connected:
            raise self._unreachable(None)
        return session

    def start(self) -> Session:
        """Open a session, if there is none and none is being opened."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._session is None or not self._session.usable:
            _ = self.tools
            session = self._session = Session(self.config, limit=self._limit, unusable=self._lost)
            self._opened_at = asyncio.get_running_loop().time()
            # In a context of its own: it outlives the step that happens to be the first to want it.
            task = self._tasks[session] = Context().run(self._spawn, session.run())
            task.add_done_callback(lambda _: self._tasks.pop(session, None))
        return self._session

    def close(self) -> builtins.list[asyncio.Task[None]]:
        """End all sessions; the tasks that are still at it."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for session, task in list(self._tasks.items()):
            if session.connected:
                session.end()
            else:
                task.cancel()
        return list(self._tasks.values())

    def _lost(self, session: Session) -> None:
        """Come back later."""
        if self._closed or session is not self._session:
            return
        loop = asyncio.get_running_loop()
        _ = self.tools
        if session.connected and loop.time() - self._opened_at >= STEADY:
            self._failures = 0
        self._failures += 1
        seconds = pause_after(self._failures, connected=session.connected)
        self._next_at = loop.time() + seconds
        level = logging.WARNING if self._failures <= 1 else logging.INFO
        reason = session.reason or "the connection was lost"
        _log.log(level, "mcp server %s: %s; trying again in %g s", self.config.name, reason, seconds)
        self._timer = loop.call_later(seconds, self.start)

    def _unreachable(self, pause: float | None) -> StepFailure:
        reason = (self._session.reason if self._session is not None else None) or "the service is closing"
        message = f"the MCP server {self.config.name!r} cannot be reached: {reason}"
        return StepFailure(message, kind=DISCONNECTED, retry_after=pause)


def pause_after(failures: int, *, connected: bool) -> float:
    """Seconds until a session is opened again after so many in a row were lost; one that was open is given a chance at once."""
    if connected:
        failures -= 1
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16)) if failures > 0 else 0.0


class McpServers:
    """Implements domain.tools.McpTools.  `max_bytes` of JSON are kept of what a call gives."""

    def __init__(self, configs: Mapping[str, ServerConfig], *, max_bytes: int) -> None:
        self._configs = configs
        self._max_bytes = max_bytes
        self._servers: dict[str, Server] = {}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[McpServers]:
        """Be there until the block ends; then all sessions are closed and all processes ended."""
        async with asyncio.TaskGroup() as group:
            for name, config in self._configs.items():
                self._servers[name] = Server(config, limit=self._max_bytes, spawn=group.create_task)
            try:
                yield self
            finally:
                await self._close()

    def warm_up(self) -> None:
        """Begin to open all that the operator has configured, so that their tools are known when documents are checked."""
        for server in self._servers.values():
            if server.config.only is None:
                server.start()

    @property
    def names(self) -> builtins.list[str]:
        """The configured servers, sorted."""
        return sorted(self._configs)

    def config(self, server: str) -> ServerConfig | None:
        """What the operator's file says of a server."""
        found = self._configs.get(server)
        return found if found is not None and found.only is None else None

    def known_tools(self, server: str) -> builtins.list[Tool] | None:
        """The tools that a server has told of so far; None while it has not."""
        found = self._servers.get(server)
        return (found.tools or None) if found is not None else None

    def reports(self) -> builtins.list[ServerReport]:
        """How all of them stand, by name; those that come with the code once they are used."""
        found = [self._servers[name].report() for name in sorted(self._servers)]
        return [report for report in found if report.configured or report.status != "idle"]

    async def list(self, server: str) -> builtins.list[Tool]:
        """See McpTools."""
        session = await self._find(server).session()
        return [*session.tools]

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        progress: Callable[[float | None, str], None] | None = None,
    ) -> ToolResult:
        """See McpTools."""
        session = await self._find(server).session()
        result = await session.call(tool, arguments, key=key, progress=progress)
        try:
            text = await aside(lambda: jsontext.dumps(result.value), jsontext.weight(result.value, BIG))
            size = max(len(result.text), len(text))
        except JsonError as error:
            raise StepFailure(f"what {tool!r} gave is {error}", kind=INVALID_OUTPUT, retryable=False) from None
        if size > self._max_bytes:
            message = f"the tool {tool!r} gave {size:,} characters; at most {self._max_bytes:,} are kept"
            raise StepFailure(message, kind=OUTPUT_TOO_LARGE, retryable=False)
        return result

    def unknown(self, server: str) -> str:
        """A sentence for a server that is not configured."""
        known = [name for name in self.names if self.config(name) is not None]
        return f"no MCP server is configured as {server!r}; known: {', '.join(known) or 'none'} (see MCP_SERVERS)"

    def _find(self, server: str) -> Server:
        found = self._servers.get(server)
        if found is None:
            raise StepFailure(self.unknown(server), kind=CONFIGURATION, retryable=False)
        return found

    async def _close(self) -> None:
        late = {task for server in self._servers.values() for task in server.close()}
        if late:
            _, late = await asyncio.wait(late, timeout=_CLOSE)
        for task in late:
            task.cancel()
