"""The steps of the benchmark's workflows: a module for MODULES, in the engine's process and in the service's."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from app.domain.runner import StepContext
from app.runners.registration import function
from benchmarks.payload import payload, payload_of_step

PERIOD = 0.4
READERS = 200
FILLER = "x" * 100
LARGE = 90_000
"""Characters that the first step of `bench_state` returns."""
SMALL = 900
"""And each later one."""


class Shared:
    """What the driver in the same process sets and reads."""

    step_bytes = 200
    # seconds that a step of `bench_state` takes on average
    pause = 0.0
    # the times of a step's call and return, kept while this is a list
    calls: list[float] | None = None
    returns: list[float] | None = None
    # paced steps wait for the gate; its time is the beginning of their schedule
    gate = asyncio.Event()
    opened = 0.0


@function("bench_small")
async def small(given: dict[str, Any]) -> dict[str, Any]:
    """A trivial step that returns the payload."""
    if Shared.calls is not None:
        Shared.calls.append(time.perf_counter())
    output = {"step": given["step"], "data": payload_of_step(given["step"], given.get("bytes", Shared.step_bytes))}
    if Shared.returns is not None:
        Shared.returns.append(time.perf_counter())
    return output


@function("bench_fail")
async def fail(given: Any) -> None:
    """Never succeeds."""
    raise ValueError(str(given)[:20])


@function("bench_state")
async def large_first(given: dict[str, Any]) -> dict[str, Any]:
    """The first returns most of the state, a later one about a kilobyte; each takes its own time, so that no two keep step."""
    if Shared.pause:
        await asyncio.sleep(Shared.pause * random.uniform(0.5, 1.5))
    return {"step": given["step"], "data": payload(LARGE) if given["step"] == 0 else payload(SMALL)}


@function("bench_hold")
async def hold(given: Any) -> None:
    """Never ends: its thread keeps its slot."""
    del given
    await asyncio.Event().wait()


@function("bench_paced")
async def paced(given: dict[str, Any], context: StepContext) -> dict[str, Any]:
    """Step k of thread n ends at its place in the schedule, so that all threads together end steps evenly."""
    await Shared.gate.wait()
    due = Shared.opened + (int(context.step_id[1:]) + given["n"] / READERS) * PERIOD
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    return {"t_ns": time.time_ns(), "data": FILLER}


@function("bench_open")
async def open_gate(given: Any) -> None:
    """Let the paced steps begin."""
    del given
    Shared.opened = time.monotonic()
    Shared.gate.set()
