"""Ends the processes that a step has started, with all that they started: each carries the step's mark in its environment.

A mark is found wherever its process has gone: after its parent died, and after the service that started it was killed.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

VARIABLE: Final = "BACKSTITCH_STEP"
"""The environment variable that carries the mark: a step's idempotency key."""
_ROUNDS: Final = 40
_PAUSE: Final = 0.05
"""Seconds between two looks; two in all, after which a process that does not die is left to the system."""


def end_processes(mark: str) -> int:
    """Kill whatever carries `mark` on this machine, until nothing does; how many were killed.  Blocks: call it in a thread."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = marked(mark)
        if not found:
            break
        for process in found:
            _kill(process)
            killed.add(process.pid)
        time.sleep(_PAUSE)
    return len(killed)


def marked(mark: str) -> list[psutil.Process]:
    """The processes of this machine that carry `mark`, as far as one may look into them."""
    import psutil  # noqa: PLC0415 - only for what starts processes

    own = psutil.Process().pid
    return [each for each in psutil.process_iter() if each.pid != own and _mark(each) == mark]


def _mark(process: psutil.Process) -> str | None:
    import psutil  # noqa: PLC0415

    try:
        return process.environ().get(VARIABLE)
    except (psutil.Error, OSError):  # gone, or another user's
        return None


def _kill(process: psutil.Process) -> None:
    import psutil  # noqa: PLC0415

    with contextlib.suppress(psutil.Error):
        process.kill()
