"""Processes of the command line that need not import it: forked off one that has, a tenth of a second instead of a second.

What is forked is `python -m app.cli` in all but its birth: arguments, environment, folder, signals, exit. Run as a program
this is the one that forks; it is asked over a socket, which is its stdin, and ends when that is closed.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED: Final = (
    "anyio._backends._asyncio",
    "app.bootstrap",
    "app.cli.serve",
    "app.mcp_server.annex",
    "app.mcp_server.inside",
    "app.store.migration_run",
    "cel",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
_WANTED: Final = ("openai.resources", "anthropic.resources")  # seconds of work for each service with such agents
_DIED: Final = 70
_FAILED: Final = 1


class Zygote:
    """The one that forks, from this side; it comes with the first process that is asked for."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        here, there = socket.socketpair()
        self._socket = here
        command = [sys.executable, str(Path(__file__).resolve())]
        with there:
            self._process = subprocess.Popen(command, cwd=root, env=environment, stdin=there.fileno())

    def start(
        self, arguments: Sequence[str], *, cwd: Path, env: dict[str, str], stdout: IO[bytes], stderr: IO[bytes]
    ) -> Forked:
        """A process with nothing on its stdin."""
        told, tells = os.pipe()
        request = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": env}).encode()
        try:
            socket.send_fds(self._socket, [len(request).to_bytes(4)], [tells, stdout.fileno(), stderr.fileno()])
            self._socket.sendall(request)
        finally:
            os.close(tells)
        return Forked(told)

    def close(self) -> None:
        """No more processes; those that run go on."""
        self._socket.close()
        self._process.wait()


class Forked:
    """As much of subprocess.Popen as the tests use."""

    def __init__(self, told: int) -> None:
        self._told = open(told, encoding="ascii")  # noqa: SIM115 - closed when the exit code has come
        self.pid = int(self._told.readline() or "0")
        assert self.pid, "the zygote has died"
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended.  Raises subprocess.TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("app.cli", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int(self._told.readline() or _DIED)
            self._told.close()
        return self.returncode


def main() -> None:
    """Fork whatever is asked for, and tell each one's process id and exit code."""
    asked = socket.socket(fileno=0)
    _prepare()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(children)
        if asked not in ready:
            continue
        request = _receive(asked)
        if request is None:
            return
        given, tells, *outputs = request
        child = os.fork()
        if child == 0:
            asked.detach()
            _become(given, outputs, close=[tells, woken, wakes, *children.values()])
            _run()
        os.write(tells, f"{child}\n".encode())
        for output in outputs:
            os.close(output)
        children[child] = tells


def _run() -> NoReturn:
    """The program to its end, without taking apart what the fork has inherited: that would copy all of it first."""
    code: object = None
    try:
        runpy.run_module("app.cli", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = _FAILED
    # As multiprocessing ends its forks.
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else _FAILED)


def _prepare() -> None:
    for name in _NEEDED:
        importlib.import_module(name)
    for example in ("content_strategy.agents", "release_notes.doers"):
        module, loads = example.split(".")
        getattr(importlib.import_module(f"app.examples.{module}"), loads)()
    for name in _WANTED:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that no child copies what none of them changes


def _receive(asked: socket.socket) -> tuple[dict[str, Any], int, int, int] | None:
    length, ancillary, _, _ = asked.recvmsg(4, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    if not length:
        return None
    descriptors = array.array("i")
    descriptors.frombytes(ancillary[0][2])
    text = b""
    while len(text) < int.from_bytes(length):
        text += asked.recv(int.from_bytes(length) - len(text))
    tells, stdout, stderr = descriptors
    return json.loads(text), tells, stdout, stderr


def _reap(children: dict[int, int]) -> None:
    for child in list(children):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            tells = children.pop(child)
            with suppress(BrokenPipeError):  # nobody wants to know any more
                os.write(tells, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(tells)


def _become(given: dict[str, Any], outputs: list[int], close: list[int]) -> None:
    """The process that was asked for, in place of a fork of this one."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for there, here in enumerate((nothing, *outputs)):
        os.dup2(here, there)
    for descriptor in (nothing, *outputs, *close):
        os.close(descriptor)
    os.chdir(given["cwd"])
    os.environ.clear()
    os.environ.update(given["env"])
    sys.argv = ["app.cli", *given["arguments"]]
    sys.path[:1] = [given["cwd"], *given["env"].get("PYTHONPATH", "").split(os.pathsep)]


if __name__ == "__main__":
    main()
