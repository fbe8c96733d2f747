"""MCP over the pipes of a child process: started, read line by line, and ended for sure.

The end follows the specification: stdin is closed, then SIGTERM, then SIGKILL, each to the whole group and each after a bounded
wait.  A service that is killed outright closes the pipes too, and a server ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from app.domain.known_secrets import KNOWN
from app.runners.aside import aside
from app.runners.mcp_lines import Lines, LongLine, to_message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

    from app.runners.mcp_config import ServerConfig

    Arriving = MemoryObjectSendStream[SessionMessage | Exception]
    Leaving = MemoryObjectReceiveStream[SessionMessage]

END_SECONDS: Final = 0.75
"""How long a server may take to end after its stdin was closed, and a third of that after SIGTERM."""
_LAST_WORDS: Final = 0.2
_CHUNK: Final = 1 << 16
_SAID: Final = 5
_LINE: Final = 2_000
_log: Final = logging.getLogger(__name__)


class Child:
    """A server's process."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._transport: asyncio.SubprocessTransport | None = None
        self._process: Process | None = None
        self._said: deque[str] = deque(maxlen=_SAID)

    @property
    def process(self) -> Process:
        """The process that was started."""
        assert self._process is not None
        return self._process

    @property
    def started(self) -> bool:
        """Whether there ever was one."""
        return self._process is not None

    async def start(self) -> None:
        """Start it in a group of its own.  Raises OSError, which says what to do."""
        from mcp.client.stdio import get_default_environment  # noqa: PLC0415

        environment = {**get_default_environment(), **self._config.env}
        try:
            await self._start(environment)
        except OSError as error:
            raise OSError(not_started(self._config, error, environment.get("PATH"))) from error

    async def _start(self, environment: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        config = self._config
        # As asyncio.create_subprocess_exec does it, which keeps the transport to itself: only it can let go of the pipes.
        self._transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=_CHUNK, loop=loop),
            str(config.command),
            *config.args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd=config.cwd,
            start_new_session=True,
        )
        self._process = Process(self._transport, protocol, loop)

    async def listen(self) -> None:
        """Log what it says on stderr, until that ends."""
        assert self.process.stderr is not None
        lines = Lines(_LINE)
        while data := await self.process.stderr.read(_CHUNK):
            for line in lines.feed(data):
                text = (line.head if isinstance(line, LongLine) else line).decode("utf-8", "replace").strip()
                if text:
                    text = self._config.redact(text)
                    self._said.append(text)
                    _log.info("mcp server %s: %s", self._config.name, text)

    def epitaph(self) -> str:
        """How it ended, with its last words, without secrets."""
        code = self._process.returncode if self._process is not None else None
        how = "its output ended" if code is None else f"exited with code {code}" if code >= 0 else f"killed by {-code}"
        return f"{how}: {self._said[-1]}" if self._said else how

    async def end(self) -> None:
        """End it and all that it started, whatever it does; SIGKILL goes out even when this is cancelled."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.close()
            if not await self._gone(END_SECONDS):
                self._signal(signal.SIGTERM)
                await self._gone(END_SECONDS / 3)
        finally:
            self._signal(signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                await self._gone(END_SECONDS / 3)
            if self._transport is not None:
                self._transport.close()

    async def _gone(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.process.wait()
        return self.process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        """To the group, which outlives its leader as long as it has a member."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def not_started(config: ServerConfig, error: OSError, path: str | None) -> str:
    """Why a server's command cannot be run, and what to do about it."""
    command, where = str(config.command), f"the server {config.name!r} in the file that MCP_SERVERS names"
    if config.cwd is not None and str(error.filename) == config.cwd:
        return f"its folder {config.cwd} cannot be entered: {error.strerror}; correct `cwd` of {where}"
    if isinstance(error, FileNotFoundError) and shutil.which(command, path=path) is None:
        looked = "there is no such file" if os.sep in command else "it is not on the PATH of the service"
        mend = "" if config.only is not None else f", or correct `command` of {where}"
        return f"the command {command!r} was not found, {looked}: install it{mend}"
    return f"the command {command!r} cannot be run: {error.strerror or error}; correct `command` of {where}"


@asynccontextmanager
async def stdio_streams(child: Child, *, limit: int, ended: Callable[[], None]) -> AsyncGenerator[TransportStreams]:
    """Start a server, and have its pipes as the session's streams; it ends with the block.  Raises OSError.

    A line may have `limit` bytes; `ended` is called when nothing more will come.
    """
    await child.start()
    arriving, read_stream = anyio.create_memory_object_stream[Any](0)
    write_stream, leaving = anyio.create_memory_object_stream[Any](0)
    try:
        async with asyncio.TaskGroup() as tasks:
            receiving = tasks.create_task(_receive(child.process, arriving, limit))
            receiving.add_done_callback(lambda _: ended())
            sending = tasks.create_task(_send(child.process, leaving, arriving))
            listening = tasks.create_task(child.listen())
            try:
                yield read_stream, write_stream
            finally:
                with anyio.CancelScope(shield=True):
                    read_stream.close()
                    await child.end()
                    await asyncio.wait([listening], timeout=_LAST_WORDS)
                for task in (receiving, sending, listening):
                    task.cancel()
    finally:
        for stream in (arriving, read_stream, write_stream, leaving):
            stream.close()


async def _receive(process: Process, arriving: Arriving, limit: int) -> None:
    """What the server writes, to the session; once nobody reads it any more it is read to the end all the same."""
    assert process.stdout is not None
    lines = Lines(limit)
    wanted = True
    async with arriving:
        while data := await process.stdout.read(_CHUNK):
            for line in lines.feed(data) if wanted else ():
                size = 0 if isinstance(line, LongLine) else len(line)
                message = await aside(partial(to_message, line, limit), size)
                if message is None:
                    if isinstance(line, LongLine):
                        return  # whose answer it was cannot be told: all that wait are told that the connection is lost
                    _log.debug("not a message: %r", KNOWN.excerpt(line[:200].decode("utf-8", "replace")))
                    continue
                try:
                    await arriving.send(message)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    wanted = False
                    break


async def _send(process: Process, leaving: Leaving, arriving: Arriving) -> None:
    assert process.stdin is not None
    async with leaving:
        async for item in leaving:
            try:
                process.stdin.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await process.stdin.drain()
            except (ConnectionError, RuntimeError):
                arriving.close()  # the session sees the connection end, rather than wait for an answer for ever
                return
