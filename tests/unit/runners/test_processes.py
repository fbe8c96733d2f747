"""Ending what a step has started, wherever it has gone."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from app.runners.processes import VARIABLE, end_processes, marked

QUIET = {"PATH": os.defpath}


async def test_children_of_children_end_too_and_nobody_else() -> None:
    script = "(trap '' TERM HUP; exec sleep 1000 >/dev/null) & echo ready; exec sleep 1000"
    first = await asyncio.create_subprocess_exec(
        "sh", "-c", script, env={VARIABLE: "t:e:s", **QUIET}, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    other = await asyncio.create_subprocess_exec("sleep", "1000", env={VARIABLE: "t:e:s:1", **QUIET})
    assert first.stdout is not None
    assert await first.stdout.readline() == b"ready\n"
    os.kill(first.pid, signal.SIGKILL)  # its child is an orphan now
    async with asyncio.timeout(30):
        await first.wait()
    assert await asyncio.to_thread(end_processes, "t:e:s") > 0
    assert await asyncio.to_thread(marked, "t:e:s") == []
    assert other.returncode is None
    other.kill()
    await other.wait()


def test_this_process_is_never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runners.processes._mark", lambda process: "me" if process.pid == os.getpid() else None)
    assert end_processes("me") == 0
