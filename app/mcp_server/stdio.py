"""The MCP server over stdin and stdout: nothing but the protocol leaves by stdout, whatever else writes to it.

The pipe to the client is put aside before anything runs; what is printed by anybody goes to stderr.  stdin is read by a thread
that may be left behind, so that the process can end while the client says nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from app.mcp_server.counting import Calls
from app.mcp_server.workflows import WorkflowTools

if TYPE_CHECKING:
    from app.client import Backstitch

_WAITING: Final = 64
"""Lines that may wait until they are read."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The pipes from and to the client."""

    read: int
    write: int


def take_over() -> Wire:
    """Put the pipes aside: from now on stdin is empty for everybody else, and stdout is stderr."""
    wire = Wire(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return wire


class _Incoming:
    """The client's lines as an async iterator; it ends when the client closes the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        threading.Thread(target=self._read, name="mcp-stdin", daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError, RuntimeError), os.fdopen(self._descriptor, "rb", closefd=False) as pipe:
            for line in pipe:
                self._put(line)
        with suppress(RuntimeError):
            self._put(b"")

    def _put(self, line: bytes) -> None:
        """Wait for room.  Raises RuntimeError when the loop has gone."""
        asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class _Outgoing:
    """The pipe to the client; a client that has gone is told nothing more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def write(self, text: str) -> None:
        """Write a line, aside: the client may not read."""
        await asyncio.to_thread(self._write, text.encode())

    async def flush(self) -> None:
        """Nothing is kept back."""

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BrokenPipeError:
                return


async def serve(wire: Wire, service: Backstitch, *, version: str, exposed: frozenset[str] | None) -> None:
    """Serve the one client until it closes its pipe."""
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - half a second

    from app.mcp_server.desk import Desk  # noqa: PLC0415
    from app.mcp_server.server import McpServer  # noqa: PLC0415

    made = McpServer(Desk(service, Calls(), lambda _: service.url), WorkflowTools(exposed))
    server = made.made(version=version, one_client=True)
    incoming: Any = _Incoming(wire.read)
    outgoing: Any = _Outgoing(wire.write)
    from mcp.server.lowlevel.server import NotificationOptions  # noqa: PLC0415

    options = server.create_initialization_options(NotificationOptions(tools_changed=True, resources_changed=True))
    async with stdio_server(incoming, outgoing) as (read, write), asyncio.TaskGroup() as group:
        watch = group.create_task(made.watch())
        await server.run(read, write, options)
        watch.cancel()
