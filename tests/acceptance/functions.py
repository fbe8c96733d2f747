"""The steps of the acceptance tests, which the services load by MODULES. Each call leaves a line in a file."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from app.domain.runner import StepContext, StepFailure, Usage
from app.runners.registration import agent, function


def _note(ctx: StepContext) -> None:
    """One write of one line: whole or not at all, whatever kills the process."""
    line = f"{ctx.thread_id} {ctx.step_id} {ctx.attempt} {ctx.idempotency_key}\n"
    file = os.open(os.environ["ACCEPTANCE_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _is_there(name: str | None) -> bool:
    return name is None or Path(name).exists()


async def _until(name: str | None) -> None:
    """Wait for a file: the test that makes it is in another process."""
    while not _is_there(name):  # noqa: ASYNC110 - nothing tells of a file
        await asyncio.sleep(0.01)


@function("deaf")
async def deaf(given: Any, ctx: StepContext) -> None:
    """Never ends, and takes no cancellation for an answer."""
    _note(ctx)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@agent("worker")
async def worker(given: dict[str, Any], ctx: StepContext) -> Any:
    """Waits `sleep` seconds, then until the file `until` is there; fails unless the file `unless` is; gives `give`."""
    given = given or {}
    _note(ctx)
    await asyncio.sleep(given.get("sleep", 0))
    await _until(given.get("until"))
    if not _is_there(given.get("unless")):
        raise StepFailure("not yet", kind="refused", retryable=given.get("retryable", False))
    return given.get("give", {"by": ctx.step_id})


@agent("spender")
async def spender(given: dict[str, Any], ctx: StepContext) -> Any:
    """As worker, and costs a dollar."""
    ctx.spend(Usage(input_tokens=100, output_tokens=50, cost_usd=1.0))
    return await worker(given, ctx)


@agent("worker-v2")
async def worker_v2(given: dict[str, Any], ctx: StepContext) -> Any:
    """As worker, and says which of the two it was."""
    return {"v2": await worker(given, ctx)}


@function("blocking")
def blocking(given: dict[str, Any], ctx: StepContext) -> Any:
    """As a sync library would: holds a thread for `sleep` seconds."""
    _note(ctx)
    time.sleep(given.get("sleep", 0))
    return given.get("give", {"by": ctx.step_id})


@function("echo")
def echo(given: Any) -> Any:
    """Its input."""
    return given


@function("crunch", run_in="process")
def crunch(given: dict[str, int]) -> int:
    """The sum of the squares below `n`, in a process of its own."""
    return sum(number * number for number in range(given["n"]))


@function("talk")
async def talk(given: dict[str, Any], ctx: StepContext) -> str:
    """Tells how far it is, and streams the words of `text`; waits for the file `until` first, so that readers are there."""
    await _until(given.get("until"))
    ctx.progress(0.5, "half way")
    for word in given["text"].split():
        ctx.chunk(word + " ")
    return given["text"]


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ODD: dict[str, Any] = {
    "nul": {"text": "a\x00b", "key\x00": "\\u0000"},
    "big": 10**30,
    "emoji": "👩‍👩‍👧‍👦 \u2028 \u202e",
    "deep": _deep(150),
}
HOPELESS: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": [float("-inf")],
    "surrogate": "\ud800",
    "too_deep": _deep(5_000),
    "digits": 10**5_000,
    "object": object(),
    "numbered": {1: "a key that is no text"},
}


@function("odd")
def odd(given: dict[str, str]) -> Any:
    """A value that breaks careless code, by name."""
    return {**ODD, **HOPELESS}[given["what"]]


@function("fill")
def fill(given: dict[str, int]) -> str:
    """So many bytes of text."""
    return "x" * given["bytes"]
