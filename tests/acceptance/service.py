"""`backstitch serve` as a process of its own: started, waited for, killed, asked over HTTP, and its database by SQL."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
import httpx

from app.store.data_dir import DataDirLock
from app.store.embedded import EmbeddedPostgres
from app.store.migrate import upgrade
from tests.acceptance.zygote import Forked, Zygote
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ROOT = Path(__file__).parents[2]
How = Literal["new", "empty", "measured"]
ENDED = {"completed", "failed", "cancelled", "interrupted"}
PATIENCE = 60.0
# A data folder with a migrated, stopped server: what a service finds in a new folder unless it is to make its own.
_prepared: list[Path] = []
# Forks the services of this run, if there is one.
_zygotes: list[Zygote] = []


def prepare_data(folder: Path) -> None:
    """Make a data folder that services begin with from now on; whoever else prepares the same folder waits and takes it."""
    made = folder / "made"
    folder.mkdir(parents=True, exist_ok=True)
    with DataDirLock(folder).turn():
        if not made.exists():
            server = EmbeddedPostgres(folder / "data")
            asyncio.run(_make_slim(server.start()))
            server.stop()
            made.touch()
    _prepared.append(folder / "data")


async def _make_slim(dsn: str) -> None:
    """Migrate, and drop the databases that others would be made from: half of the files that each service has to copy."""
    await upgrade(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        for name in ("template0", "template1"):
            await connection.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
            await connection.execute(f"DROP DATABASE {name}")
    finally:
        await connection.close()


@contextmanager
def forked_services() -> Generator[None]:
    """Meanwhile services are forked, which saves a second each; a "new" or "measured" one starts as a program all the same."""
    zygote = Zygote(ROOT, environment())
    _zygotes.append(zygote)
    yield
    _zygotes.remove(zygote)
    zygote.close()


def environment(how: How | None = None, /, **settings: object) -> dict[str, str]:
    """What a service is given: nothing of the settings of whoever runs the tests.

    Only a "measured" one tells what it covers: that doubles its time, and tests in this process cover most.
    """
    measured = ("COVERAGE_PROCESS_CONFIG",) if how == "measured" else ()
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", *measured)
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {
        **found,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **{name: str(value) for name, value in settings.items()},
    }


def run_cli(*arguments: str, cwd: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """A command of `backstitch`, to its end."""
    command, env = [sys.executable, "-m", "app.cli", *arguments], environment(**settings)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if _zygotes:
            code = _zygotes[-1].start(arguments, cwd=cwd, env=env, stdout=out, stderr=err).wait(120)
        else:
            ended = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=120, cwd=cwd, env=env
            )
            code = ended.returncode
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read().decode(), err.read().decode())


@dataclass
class Service:
    """One process on one port, again and again on the same data folder; `http` talks to whichever runs.

    A "new" one makes its PostgreSQL itself, as on a fresh machine; the others begin with a copy of one, for time's sake,
    but for an "empty" one, which is to need none.
    """

    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    data: Path | None = None
    how: How | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | Forked | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        # The server closes what has been idle for five seconds: a request that goes out just then would be lost.
        idle = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False, limits=idle)
        self.calls_file = self.folder / "calls"
        self.log = self.folder / "serve.log"
        self.data = self.data or self.folder / "data"

    def start(self) -> Service:
        """Start the process; it may take a moment until it is `ready`."""
        given = {"MODULES": "tests.acceptance.functions", "ACCEPTANCE_CALLS": self.calls_file, **self.settings}
        command = ["serve", "--port", str(self.port), "--data-dir", str(self.data)]
        if _prepared and self.how not in ("new", "empty") and self.data is not None and not self.data.exists():
            # cp keeps the owner: as root the server's files belong to another account.
            subprocess.run(["cp", "-a", _prepared[-1], self.data], check=True)
        env = environment(self.how, **given)
        with self.log.open("ab") as log:
            if _zygotes and self.how in (None, "empty"):
                self.process = _zygotes[-1].start(command, cwd=self.folder, env=env, stdout=log, stderr=log)
                return self
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=env,
            )
        return self

    def ready(self) -> Service:
        """Wait for /api/health to say 200."""
        for _ in waiting("the service is ready"):
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if self.http.get("/api/health").status_code == 200:
                    return self
            except httpx.TransportError:
                continue
        return self

    def up(self) -> Service:
        """Ready: started again if whoever had it before left it killed or stopped."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        return self.ready()

    def kill(self) -> None:
        """SIGKILL, as a crash or an out-of-memory killer would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self) -> None:
        """Stop the process and drop what was open to it; a service that was killed leaves its database to be stopped."""
        self.stop()
        self.http.close()
        pid_file = self.data / "postgres" / "postmaster.pid" if self.data else None
        if pid_file is not None and pid_file.exists():
            lines = pid_file.read_text().splitlines()
            os.kill(int(lines[0]), signal.SIGINT)
            for _ in waiting("the database to stop"):
                if not pid_file.exists():
                    break
            if Path(lines[4]).name.startswith("backstitch-"):
                shutil.rmtree(lines[4], ignore_errors=True)

    # ---- what people ask of it
    def register(self, document: dict[str, Any]) -> None:
        """Make a workflow known."""
        answer = self.http.post("/api/workflows", json=document)
        assert answer.status_code in (200, 201), answer.text

    def start_thread(self, workflow: str | dict[str, Any], given: Any = None, **more: Any) -> str:
        """The id of a new thread."""
        answer = self.http.post("/api/invoke/async", json={"workflow": workflow, "input": given, **more})
        assert answer.status_code == 202, answer.text
        return answer.json()["thread_id"]

    def status(self, thread: str) -> dict[str, Any]:
        """The status document."""
        answer = self.http.get(f"/api/invoke/status/{thread}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, thread: str, *statuses: str) -> dict[str, Any]:
        """Wait for one of these statuses, or for an end."""
        for _ in waiting(f"{thread} to be {statuses or 'ended'}"):
            found = self.status(thread)
            if found["status"] in (statuses or ENDED):
                return found
            assert found["status"] not in ENDED, found
        raise AssertionError

    def run(self, workflow: str | dict[str, Any], given: Any = None, **more: Any) -> dict[str, Any]:
        """Start, and wait for the end."""
        return self.until(self.start_thread(workflow, given, **more))

    def post(self, path: str, body: Any = None, expect: int = 202) -> dict[str, Any]:
        """A POST that must give `expect`."""
        answer = self.http.post(path, json=body) if body is not None else self.http.post(path)
        assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
        return answer.json()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """A GET that must give 200."""
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return answer.json()

    def versions(self, thread: str) -> list[dict[str, Any]]:
        """The whole history, page by page."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(f"/api/invoke/history/{thread}", limit=1000, **({"cursor": cursor} if cursor else {}))
            found += page["history"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def calls(self, thread: str | None = None) -> Counter[str]:
        """How often each step was called, by `thread step`, or by step for one thread."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        words = [line.split() for line in lines]
        if thread is None:
            return Counter(f"{one[0]} {one[1]}" for one in words)
        return Counter(one[1] for one in words if one[0] == thread)

    def keys(self, thread: str, step: str) -> list[str]:
        """The idempotency keys that a step was called with, in order."""
        words = [line.split() for line in self.calls_file.read_text().splitlines()]
        return [one[3] for one in words if one[0] == thread and one[1] == step]

    # ---- what the database says
    @property
    def dsn(self) -> str:
        """The embedded server, as PostgreSQL's own pid file tells where it listens."""
        assert self.data is not None
        lines = (self.data / "postgres" / "postmaster.pid").read_text().splitlines()
        return f"postgresql://postgres@/postgres?host={lines[4]}"

    def sql(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What psql would show."""
        return asyncio.run(_ask(self.dsn, query, arguments))


async def _ask(dsn: str, query: str, arguments: tuple[Any, ...]) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


def waiting(what: str, patience: float = PATIENCE) -> Iterator[None]:
    """Turns of a loop that looks until it sees; an AssertionError when it takes too long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        yield
        time.sleep(0.03)
    raise AssertionError(f"waited in vain for: {what}")


@contextmanager
def running(folder: Path, how: How | None = None, /, **settings: object) -> Generator[Service]:
    """A service of one's own, ready."""
    service = Service(folder, dict(settings), how=how)
    try:
        yield service.start().ready()
    finally:
        service.close()


@contextmanager
def two_running(folder: Path, how: How | None = None, /, **settings: object) -> Generator[tuple[Service, Service]]:
    """Two services on one new data folder, started at the same moment, ready."""
    both = (Service(folder / name, dict(settings), folder / "data", how) for name in ("one", "two"))
    first, second = both
    try:
        first.start()
        second.start()
        yield first.ready(), second.ready()
    finally:
        first.close()
        second.close()


def chain(name: str, steps: int, **given: Any) -> dict[str, Any]:
    """A workflow of so many worker steps in a row: s1, s2, ..."""
    listed = [{"id": f"s{number}", "agent": "worker", "input": given} for number in range(1, steps + 1)]
    return {"name": name, "steps": listed}


def digest(document: Any) -> str:
    """JSON text to compare values by: 1 and True are not the same, nor 1 and 1.0."""
    return json.dumps(document, sort_keys=True)
