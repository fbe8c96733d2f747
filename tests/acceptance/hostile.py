"""Steps that do what no step should: keep the processor busy, block the event loop, kill their process."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from app.domain.runner import StepContext
from app.runners.registration import function
from tests.acceptance.functions import _is_there, _note

MODULES = "tests.acceptance.functions,tests.acceptance.hostile"


@function("busy")
def busy(given: dict[str, float], ctx: StepContext) -> int:
    """Computes in pure Python for `sleep` seconds, in a thread."""
    _note(ctx)
    end, turns = time.monotonic() + given["sleep"], 0
    while time.monotonic() < end and not ctx.cancelled:
        turns += sum(range(50))
    return turns


@function("hang")
async def hang(given: dict[str, Any], ctx: StepContext) -> str:
    """Blocks the event loop for `sleep` seconds the first time that it is called."""
    first = not _is_there("hung")
    _note(ctx)
    if first:
        with open("hung", "w"):  # noqa: ASYNC230, PTH123 - blocking is what it is for
            pass
        time.sleep(given["sleep"])  # noqa: ASYNC251
    return "first" if first else "again"


@function("killer")
async def killer(given: Any, ctx: StepContext) -> None:
    """Ends its process, as one that runs out of memory would."""
    _note(ctx)
    os.kill(os.getpid(), signal.SIGKILL)
