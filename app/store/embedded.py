"""The embedded PostgreSQL of a data folder: made on first use, shared by the folder's processes, stopped by the last.

DATA_DIR/postgres is the cluster, DATA_DIR/postgres.log what the server says. It outlives a service that is killed; the
next one on the folder takes it as it is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import signal
import tempfile
import threading
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import psutil

from app.domain.errors import StartupError
from app.store.data_dir import DataDirLock, make_data_dir, usable
from app.store.postgres_process import (
    Account,
    Postmaster,
    choose_account,
    find_postmaster,
    has_leftovers,
    run,
    spawn_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

START_SECONDS = 300.0  # the recovery of a large write-ahead log takes minutes
STOP_SECONDS = 60.0
_NEWS_SECONDS = 5.0
_POLL_SECONDS = 0.01
_LOOK_SECONDS = 1.0
_LONGEST_SOCKET_DIR = 80  # a socket's path may have 103 bytes on macOS, 107 on Linux
_LARGEST_LOG = 10_000_000

T = TypeVar("T")
log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """The server of one data folder, and this process's use of it. The methods block: call them in a thread.

    `options` are settings of PostgreSQL that go before ours, for a server that this process starts.
    """

    def __init__(
        self, data_dir: Path, lock: DataDirLock | None = None, *, options: Mapping[str, str] | None = None
    ) -> None:
        self._data_dir = make_data_dir(data_dir)
        self._cluster = self._data_dir / "postgres"
        self._log = self._data_dir / "postgres.log"
        self._options = dict(options or {})
        self._place = self._data_dir / "server.place"
        self._spawned: int | None = None  # a server that has yet to become ready
        self._child: int | None = None  # the server that this process started last: a zombie until it is reaped
        self._socket: Path | None = None
        self._given_up = threading.Event()
        self.lock = lock or DataDirLock(self._data_dir)

    def start(self) -> str:
        """Starts the server, or finds it running; returns its DSN.

        Raises StartupError with one line when it cannot.
        """
        with usable():
            self.lock.acquire()
            try:
                with self.lock.turn():
                    return _dsn(self._ready(time.monotonic() + START_SECONDS))
            except BaseException:
                self.stop()
                raise

    def revive(self) -> bool:
        """Starts the server again, at the same place, if it has died; whether it had. Raises StartupError."""
        if find_postmaster(self._cluster) is not None:
            return False
        with self.lock.turn():
            self._ready(time.monotonic() + START_SECONDS)
        return True

    def give_up(self) -> None:
        """Makes a `start` that waits in another thread fail soon."""
        self._given_up.set()

    def stop(self) -> None:
        """Ends this process's use; the last one stops the server. Harmless when it was not started."""
        with self.lock.turn():
            try:
                if self.lock.is_alone_in_turn():
                    self._shut_down()
            finally:
                self.lock.release()

    def _ready(self, deadline: float) -> Postmaster:
        news = time.monotonic() + _NEWS_SECONDS
        while time.monotonic() < deadline and not self._given_up.is_set():
            server = find_postmaster(self._cluster)
            if server is not None and server.status == "ready":
                self._spawned, self._socket = None, Path(server.socket_dir)
                return server
            if server is None and (self._spawned is None or _has_ended(self._spawned)):
                self._spawned = self._spawn(again=self._spawned is not None)
            if time.monotonic() > news:
                log.warning("the embedded PostgreSQL is not ready yet (recovering?), see %s", self._log)
                news += _NEWS_SECONDS
            time.sleep(_POLL_SECONDS)
        message = f"the embedded PostgreSQL was not ready in {START_SECONDS:.0f} s, see {self._log}"
        raise StartupError(message)

    def _spawn(self, *, again: bool) -> int | None:
        """Starts the server where the folder is free of a former one; None means: try again."""
        if again and "pre-existing shared memory block" not in self._last_words():
            message = f"the embedded PostgreSQL does not start: {self._last_words()} (see {self._log})"
            raise StartupError(message)
        if self._child is not None:
            _has_ended(self._child)
        if (self._cluster / "postmaster.pid").exists():
            if has_leftovers(self._cluster):
                return None
            if not (self.lock.is_alone_in_turn() or self._is_of_this_place()):
                message = f"another container or machine uses the data folder {self._data_dir}"
                raise StartupError(message)
            # Its pid may be another program's by now, which PostgreSQL would take for a living server.
            # So it does with one that was killed and that nobody has reaped yet, as in containers with a slow first process.
            for folder in {self._cluster, self._socket or self._cluster}:
                for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
                    (folder / name).unlink(missing_ok=True)
        account = self._make_cluster()
        self._rotate_log()
        self._place.write_text(_place(), encoding="utf-8")
        self._child = spawn_server(account, self._cluster, self._socket_dir(account), self._log, self._options)
        return self._child

    def _make_cluster(self) -> Account:
        if (self._cluster / "PG_VERSION").exists():
            return choose_account(self._cluster)
        # Under another name until it is whole: a first start that was cut leaves no half cluster behind.
        unfinished = self._data_dir / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        account = choose_account(unfinished)
        options = ["-U", "postgres", "--auth=trust", "--locale=C", "--encoding=UTF8"]
        made = run(account, unfinished, "initdb", "-D", str(unfinished), *options)
        if made.returncode != 0:
            message = f"the embedded PostgreSQL cannot be made in {self._data_dir}: {_last_line(made.stdout)}"
            raise StartupError(message)
        unfinished.rename(self._cluster)
        return account

    def _is_of_this_place(self) -> bool:
        with suppress(OSError):
            return self._place.read_text(encoding="utf-8") == _place()
        return False

    def _socket_dir(self, account: Account) -> Path:
        if len(os.fsencode(self._cluster)) <= _LONGEST_SOCKET_DIR:
            return self._cluster
        if self._socket is not None and self._socket.is_dir():
            return self._socket
        # Made with mode 0700; unlike $TMPDIR, every user reaches it.
        short = Path(tempfile.mkdtemp(prefix="backstitch-", dir="/tmp"))
        if os.geteuid() == 0:
            os.chown(short, *account.owner)
        return short

    def _rotate_log(self) -> None:
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > _LARGEST_LOG:
                self._log.replace(self._log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
            return next((line for line in reversed(lines) if "FATAL:" in line), _last_line("\n".join(lines)))
        return "no log"

    def _shut_down(self) -> None:
        server = find_postmaster(self._cluster)
        pid = server.pid if server is not None else self._spawned
        if pid is None or _has_ended(pid):
            return
        os.kill(pid, signal.SIGINT)  # "fast": sessions are ended, a checkpoint is written
        deadline = time.monotonic() + STOP_SECONDS
        while not _has_ended(pid):
            if time.monotonic() > deadline:
                log.warning("the embedded PostgreSQL (pid %d) takes long to stop and is left to itself", pid)
                return
            time.sleep(_POLL_SECONDS)
        self._spawned = None
        if server is not None and server.socket_dir and Path(server.socket_dir) != self._cluster:
            shutil.rmtree(server.socket_dir, ignore_errors=True)


def running_dsn(data_dir: Path) -> str | None:
    """Where the server of a data folder is reached, if one is ready there; nothing is started, made or changed."""
    server = find_postmaster(data_dir.expanduser().resolve() / "postgres")
    return _dsn(server) if server is not None and server.status == "ready" else None


@asynccontextmanager
async def embedded_postgres(data_dir: Path, lock: DataDirLock | None = None) -> AsyncGenerator[str]:
    """Yields the DSN of the data folder's server, for asyncpg over a unix socket. Raises StartupError with one line.

    Pass a `lock` of the same folder to ask it later whether this process is alone there.
    """
    server = EmbeddedPostgres(data_dir, lock)
    try:
        dsn = await _to_the_end(server.start, on_cancel=server.give_up)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_keep_alive(server))
            try:
                yield dsn
            finally:
                watch.cancel()
    finally:
        await _to_the_end(server.stop)


async def _keep_alive(server: EmbeddedPostgres) -> None:
    """A server that dies (of the OOM killer, say) is started again; its clients reconnect by themselves."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            if await _to_the_end(server.revive, on_cancel=server.give_up):
                log.warning("the embedded PostgreSQL had died and was started again")
        except StartupError as error:
            log.error("the embedded PostgreSQL died: %s", error)  # noqa: TRY400 - the line says it all


async def _to_the_end(work: Callable[[], T], on_cancel: Callable[[], None] | None = None) -> T:
    """Runs `work` in a thread and never leaves it running behind: a cancellation is passed on when it has ended."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        await asyncio.wait([future])
        raise


def _place() -> str:
    """Names what shares its process ids with us: elsewhere, a living server looks like a dead one."""
    with suppress(OSError):
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _dsn(server: Postmaster) -> str:
    return f"postgresql://postgres@/postgres?host={quote(server.socket_dir, safe='')}"


def _has_ended(pid: int) -> bool:
    """Whether `pid` has ended, reaping it if it was our child."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no output")
