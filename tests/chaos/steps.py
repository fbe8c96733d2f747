"""The steps of the fault table, which the services load by MODULES. Each call leaves a line: thread step key pid time."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from app.domain.flow import WorkflowContext
from app.domain.runner import StepContext
from app.runners.registration import agent, function, workflow


def _note(ctx: StepContext) -> None:
    line = f"{ctx.thread_id} {ctx.step_id} {ctx.idempotency_key} {os.getpid()} {time.time():.3f}\n"
    file = os.open(os.environ["CHAOS_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@agent("hand")
async def hand(given: dict[str, Any], ctx: StepContext) -> Any:
    """Waits `sleep` seconds, then until the file `until` is there; gives its process and when it was called."""
    given, called = given or {}, time.time()
    _note(ctx)
    await asyncio.sleep(given.get("sleep", 0))
    while "until" in given and not Path(given["until"]).exists():  # noqa: ASYNC110, ASYNC240 - nothing tells of a file
        await asyncio.sleep(0.02)
    return {"pid": os.getpid(), "called": called}


@function("holds_on")
async def holds_on(given: dict[str, Any], ctx: StepContext) -> Any:
    """As `hand`, and takes no cancellation for an answer before its time has come."""
    _note(ctx)
    end = time.monotonic() + given["sleep"]
    while (left := end - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return {"pid": os.getpid()}


@function("holds_a_thread")
def holds_a_thread(given: dict[str, Any], ctx: StepContext) -> Any:
    """As a sync library would, for `sleep` seconds."""
    _note(ctx)
    time.sleep(given["sleep"])
    return {"pid": os.getpid()}


@workflow("errand")
async def errand(ctx: WorkflowContext, given: Any) -> Any:
    """A workflow in Python: one step, three side by side, a gate that nobody answers in time, a last step."""
    first = await ctx.step("first", agent="hand", input={"sleep": 0.1})
    beside = [ctx.step(f"beside_{n}", agent="hand", input={"sleep": 0.1 * n}) for n in range(3)]
    all_ = await ctx.gather(*beside)
    said = await ctx.wait_for("asked", timeout="100ms", on_timeout={"go": "on"})
    return [first, all_, said, await ctx.step("last", agent="hand", input={"sleep": 0.1})]


@function("ticker")
async def ticker(given: dict[str, Any], ctx: StepContext) -> int:
    """Streams `count` pieces of text, one each `every` seconds, each with the time at which it left."""
    _note(ctx)
    padding = "x" * given.get("bytes", 0)
    for _ in range(given["count"]):
        ctx.chunk(f"<{time.time():.6f}>{padding}")
        await asyncio.sleep(given["every"])
    return given["count"]
