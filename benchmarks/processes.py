"""Child processes of the benchmark: start one, read its JSON lines, meter the CPU and memory of its whole tree."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness import Unavailable

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 15
PROBE = """
import importlib.util, sys
for name in sys.argv[1:]:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # its parent is absent
        found = None
    if found is None:
        print(name)
"""


@dataclass(slots=True, kw_only=True)
class Usage:
    """What a process tree used while it was metered: CPU seconds, and the highest resident memory seen in MB."""

    cpu_s: float = 0.0
    rss_mb: float = 0.0


def tree_cpu_s(pid: int | None) -> float:
    """CPU seconds used so far by `pid`, its living descendants and those it has waited for; 0 when it is gone."""
    total = 0.0
    for process in _tree(pid):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_rss_mb(pid: int) -> float:
    """Resident memory of `pid` and its living descendants in MB (shared pages count in each)."""
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def _tree(pid: int | None) -> list[psutil.Process]:
    if pid is None:
        return []
    with suppress(psutil.Error):
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    return []


@asynccontextmanager
async def metered(pid: int, interval: float = 0.1) -> AsyncIterator[Usage]:
    """Meter the tree of `pid` inside the block; the Usage is complete when the block ends (before the process does)."""
    usage, before = Usage(rss_mb=tree_rss_mb(pid)), tree_cpu_s(pid)

    async def watch() -> None:
        while True:
            await asyncio.sleep(interval)
            usage.rss_mb = max(usage.rss_mb, tree_rss_mb(pid))

    async with asyncio.TaskGroup() as watching:
        watcher = watching.create_task(watch())
        try:
            yield usage
        finally:
            watcher.cancel()
            usage.rss_mb = max(usage.rss_mb, tree_rss_mb(pid))
            usage.cpu_s = tree_cpu_s(pid) - before


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running child process that prints JSON lines on its standard output."""

    process: asyncio.subprocess.Process
    job: str

    @property
    def pid(self) -> int:
        """Its process id, for metered()."""
        return self.process.pid

    async def line(self, seconds: float = START_SECONDS) -> dict[str, Any]:
        """Its next JSON line, other output skipped; RuntimeError when it ends first, TimeoutError when it is late."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            async for line in self.process.stdout:
                if line.startswith(b"{"):
                    return json.loads(line)
            code = await self.process.wait()
        raise RuntimeError(f"{self.job} ended with {code} before it answered; its errors are above")


@asynccontextmanager
async def child(*arguments: object, env: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """A child process `arguments[0]` ... in the project's folder, ended when the block ends (SIGTERM, then SIGKILL)."""
    words: Sequence[str] = [str(each) for each in arguments]
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=2**22
    )
    try:
        yield Child(process=process, job=" ".join(words[:3]))
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        # communicate, not wait: what it still prints must not block its exit
        await asyncio.wait_for(process.communicate(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def module(name: str, *arguments: object, python: str = sys.executable) -> AsyncIterator[Child]:
    """`python -m name arguments...` as a child."""
    async with child(python, "-m", name, *arguments) as started:
        yield started


async def measure(name: str, *arguments: object, python: str = sys.executable, seconds: float = 300) -> dict[str, Any]:
    """Run `python -m name arguments...` to its end and return the JSON line that it prints."""
    async with module(name, *arguments, python=python) as started:
        answer = await started.line(seconds)
        await asyncio.wait_for(started.process.wait(), STOP_SECONDS)
        return answer


async def need(*modules: str, python: str = sys.executable) -> None:
    """Raise Unavailable unless `python` finds all `modules`."""
    async with child(python, "-c", PROBE, *modules) as started:
        output, _ = await started.process.communicate()
    if absent := output.decode().split():
        raise Unavailable(f"{', '.join(absent)} not installed (the extra `bench` brings it)")
