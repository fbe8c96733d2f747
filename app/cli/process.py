"""A service run as a child process: started, waited for, stopped, and for the demonstration killed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from app.client import ApiError, UnreachableError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Coroutine, Mapping

    from app.client import Backstitch

T = TypeVar("T")

_START: Final = 120.0  # a first start makes a database; a long crash recovery takes its time too
_STOP: Final = 30.0
_POLL: Final = 0.2
_ORDERLY: Final = frozenset({0, -signal.SIGTERM})


class ServerError(Exception):
    """The child process cannot start or has ended on its own; the message is one line."""


def url_of(host: str, port: int) -> str:
    """Where a service that listens on `host` is reached from this machine."""
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on the port already.  Raises ServerError when this machine cannot listen there at all."""
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        why = error.strerror or type(error).__name__
        raise ServerError(f"port {port} of {host} cannot be listened on: {why}") from error
    return False


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with _bound(host, 0) as listener:
        return int(listener.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


class Server:
    """`backstitch serve` as a child; what it writes goes to the file `log`, which a clean stop removes."""

    def __init__(
        self, *, host: str, port: int, data_dir: Path | None, environment: Mapping[str, str] | None = None
    ) -> None:
        handle, name = tempfile.mkstemp(prefix="backstitch-serve-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        self.url = url_of(host, port)
        self._process: Process | None = None
        self._killed = False
        self._environment = environment
        self._arguments = ["serve", "--host", host, "--port", str(port)]
        if data_dir is not None:
            self._arguments += ["--data-dir", str(data_dir)]

    @property
    def returncode(self) -> int | None:
        """How the process ended; None while it lives."""
        return self._running().returncode

    @property
    def pid(self) -> int:
        """The process id of the one that was started last."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def ends_within(self, seconds: float) -> bool:
        """Whether the process has ended, or does in this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._running().wait()
        return not self.alive

    async def start(self, more: Mapping[str, str] | None = None) -> None:
        """Start the process, with `more` in its environment; `ready` tells when it can work."""
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches this process first, which then stops the child in order.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "app.cli", *self._arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=None if self._environment is None else {**self._environment, **(more or {})},
            )  # fmt: skip
        self._killed = False

    async def ready(self, service: Backstitch) -> None:
        """Wait until the service can work. Raises ServerError when it has ended, or does not answer in two minutes."""
        try:
            async with asyncio.timeout(_START):
                while not await is_healthy(service):
                    self._check()
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise ServerError(f"the service was not ready after {_START:.0f} s: see {self.log}") from None

    async def kill(self) -> int:
        """End the process with SIGKILL, as a crash would; its process id."""
        process = self._running()
        self._killed = True
        process.send_signal(signal.SIGKILL)
        await process.wait()
        return process.pid

    async def stop(self) -> None:
        """Ask the process to stop, and kill it only when it does not within half a minute."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._killed = True
        with suppress(ProcessLookupError):
            process.terminate()
            try:
                async with asyncio.timeout(_STOP):
                    code = await process.wait()
            except TimeoutError:
                process.kill()
                code = await process.wait()
            if code in _ORDERLY:
                self.log.unlink(missing_ok=True)

    async def wait(self) -> None:
        """Wait for the process to end on its own, which is an error. Raises ServerError."""
        await self._running().wait()
        self._check()

    async def during(self, work: Coroutine[None, None, T]) -> T:
        """The result of `work`, which must not outlive the process. Raises ServerError when the process ends first."""
        try:
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(self._guard())
                result = await group.create_task(work)
                guard.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return result

    async def _guard(self) -> None:
        while True:
            self._check()
            await asyncio.sleep(_POLL)

    def _running(self) -> Process:
        if self._process is None:
            raise ServerError("the service was not started")
        return self._process

    def _check(self) -> None:
        code = self._running().returncode
        if code is None or self._killed:
            return
        if code < 0:
            raise ServerError(f"the service was ended by {signal.Signals(-code).name} (its log: {self.log})")
        lines = self.log.read_text("utf-8", "replace").splitlines()
        said = [line.strip(" |") for line in lines if any(map(str.isalnum, line))]
        told = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        why = (told or said or [f"exit code {code}"])[-1]
        raise ServerError(f"the service ended: {why} (its log: {self.log})")


async def is_healthy(service: Backstitch) -> bool:
    """Whether the service can work now. Raises ApiError when another program answers there."""
    try:
        await service.health()
    except UnreachableError:
        return False
    except ApiError as error:
        if error.status != 503:  # noqa: PLR2004
            raise
        return False
    return True
