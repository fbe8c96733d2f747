"""Serves the application: takes the port, opens the services, listens, and goes in good order.

The server ends the streams before it waits for open connections, since it would wait for them for ever.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import AsyncExitStack, closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from sse_starlette.sse import AppStatus

from app.api.app import create_app
from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

    from app.api.annex import Annex
    from app.api.services import Services
    from app.bootstrap import Settings

    Beside = Callable[[str], Coroutine[Any, Any, None]]

_log: Final = logging.getLogger(__name__)

_BACKLOG: Final = 2048
_SEND_BUFFER: Final = 256 * 1024
_KEEP_ALIVE: Final = 75
"""Seconds that an idle connection stays open: longer than clients (5) and proxies (60) keep theirs, so that they are the ones
who close it, and none sends a request into a connection that is being closed.
"""
_LAST_SECONDS: Final = 1.8
"""How long the process may live after the grace."""
_DRAIN_SECONDS: Final = 1.5
"""How long open requests may take once the streams have been told to end."""


class Server(uvicorn.Server):
    """uvicorn's server, that tells the streams first and does not raise the signal again that ended it."""

    def __init__(self, config: uvicorn.Config, services: Services, deadline: Deadline | None = None) -> None:
        super().__init__(config)
        self._services = services
        self._deadline = deadline
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.answers.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then wait for what is still being answered."""
        self._services.shutting_down.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """As uvicorn's, without raising SIGTERM again: the services close after the server, within this process."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._stop) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: Any) -> None:
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True
        if self._deadline is not None:
            self._deadline.set()


class Deadline:
    """Ends the process so long after it is set, whatever still runs, unless it is lifted before.

    A step may refuse to stop, and all that matters is in the database.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def set(self) -> None:
        """From now on; the first call holds."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """All has ended in good order."""
        if self._timer is not None:
            self._timer.cancel()

    @staticmethod
    def _end() -> None:
        _log.warning("something does not stop: ending without it")
        logging.shutdown()
        os._exit(0)


def run_server(settings: Settings, annexes: Sequence[Annex] = (), beside: Beside | None = None) -> None:
    """Serve until SIGINT or SIGTERM, or until the work `beside` it ends, which is given the address once it is served.

    Raises StartupError with one line, KeyboardInterrupt when cut while starting.
    """
    deadline = Deadline(settings.shutdown_grace_seconds + _LAST_SECONDS)
    with (
        closing(deadline),
        listener(settings.host, settings.port) as taken,
        suppress(asyncio.CancelledError),  # SIGTERM while it was starting
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(settings, taken, deadline, annexes, beside))


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet.  Raises StartupError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartupError(f"the host {host} cannot be resolved: {error.strerror}") from None
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What a reader that takes nothing may keep in the kernel; left to itself that grows to megabytes a connection.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise _cannot_listen(error, host, port) from None
    return taken


def _cannot_listen(error: OSError, host: str, port: int) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8000  # noqa: PLR2004 - the highest port there is
        return StartupError(f"port {port} is taken: choose another with --port {other} (make run PORT={other})")
    return StartupError(f"cannot listen on {host}:{port}: {error.strerror}")


def configure(app: Any, log_level: str) -> uvicorn.Config:
    """How uvicorn runs: its own log is quiet, requests are logged at LOG_LEVEL=debug only."""
    # Ours ends the streams; sse-starlette's own watch would cut them without a word.
    AppStatus.disable_automatic_graceful_drain()
    debug = log_level.lower() == "debug"
    return uvicorn.Config(
        app,
        access_log=debug,
        log_config=None,
        log_level="debug" if debug else "warning",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_DRAIN_SECONDS,  # pyright: ignore[reportArgumentType] - asyncio takes fractions
        server_header=False,
        lifespan="on",
        ws="none",
    )


async def _serve(
    settings: Settings,
    taken: socket.socket,
    deadline: Deadline,
    annexes: Sequence[Annex],
    beside: Beside | None,
) -> None:
    # The port is tried before the engine is even loaded.
    from app.bootstrap import open_services, tune_garbage_collector  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        with _sigterm_cancels():
            services = await stack.enter_async_context(open_services(settings))
        tune_garbage_collector()
        app = create_app(lambda: nullcontext(services), annexes, origins=settings.cors_allow_origins)
        server = Server(configure(app, settings.log_level), services, deadline)
        _reload_on_sighup(services.config.hint)
        host, port = taken.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _log.info("listening on %s", address)
        try:
            await (server.serve(sockets=[taken]) if beside is None else _together(server, taken, beside(address)))
        except OSError as error:
            raise _cannot_listen(error, settings.host, port) from None


async def _together(server: Server, taken: socket.socket, work: Coroutine[Any, Any, None]) -> None:
    """Serve, do the work once the server answers, and end both when one of them does."""

    async def along() -> None:
        try:
            await server.answers.wait()
            await work
        finally:
            work.close()
            server.should_exit = True

    refused: OSError | None = None
    async with asyncio.TaskGroup() as group:
        helper = group.create_task(along())
        try:
            await server.serve(sockets=[taken])
        except OSError as error:  # out of the group it would come in one
            refused = error
        helper.cancel()
    if refused is not None:
        raise refused


def _reload_on_sighup(reload: Callable[[], None]) -> None:
    """SIGHUP makes .env be read again; on a terminal it means as ever that the terminal has gone."""
    if hasattr(signal, "SIGHUP") and not sys.stdout.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


@contextmanager
def _sigterm_cancels() -> Generator[None]:
    """SIGTERM ends a start that takes long in good order, as Ctrl-C does."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
