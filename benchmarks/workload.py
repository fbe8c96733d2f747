"""The work that every library does: N workflows of K trivial steps, C in flight, each step durable before the next.

A library's module hands `run` one coroutine function that drives one whole workflow; what is timed is the same for all.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, fields
from typing import Any

import uvloop

from benchmarks.payload import payload_of_step
from benchmarks.stats import latencies_ms, own_cpu_s, own_peak_rss_mb, say

Drive = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What to run: `warmup` untimed workflows, then `workflows` timed ones, `in_flight` at a time."""

    dsn: str
    steps: int
    workflows: int
    in_flight: int
    warmup: int
    step_bytes: int
    loop: str

    @classmethod
    def of(cls, given: argparse.Namespace) -> Workload:
        """From what `parser` has parsed."""
        return cls(**{each.name: getattr(given, each.name) for each in fields(cls)})

    def data(self, index: int) -> str:
        """What the step at a place returns."""
        return payload_of_step(index, self.step_bytes)


def parser(job: str) -> argparse.ArgumentParser:
    """The command line of every such process."""
    words = argparse.ArgumentParser(description=job)
    words.add_argument("--dsn", required=True)
    words.add_argument("--steps", type=int, default=5)
    words.add_argument("--workflows", type=int, default=300)
    words.add_argument("--in-flight", type=int, default=100)
    words.add_argument("--warmup", type=int, default=20)
    words.add_argument("--step-bytes", type=int, default=200)
    words.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    return words


def start(job: str, main: Callable[[Workload], Coroutine[None, None, None]]) -> None:
    """Read the command line and run `main` on the event loop that it names."""
    load = Workload.of(parser(job).parse_args())
    if load.loop == "asyncio":
        asyncio.run(main(load))
    else:
        uvloop.run(main(load))


async def run(load: Workload, drive: Drive, more: Callable[[], Mapping[str, Any]] = dict) -> None:
    """Warm up, drive the timed workflows and print the figures, and what `more` gives then, as one JSON line."""
    await _drive_all(drive, load.warmup, load.in_flight, "warm")
    cpu_before, begin = own_cpu_s(), time.perf_counter()
    took = await _drive_all(drive, load.workflows, load.in_flight, "timed")
    seconds, cpu = time.perf_counter() - begin, own_cpu_s() - cpu_before
    say(
        workflows=load.workflows,
        seconds=round(seconds, 3),
        workflows_per_s=round(load.workflows / seconds, 1),
        steps_per_s=round(load.workflows * load.steps / seconds, 1),
        cpu_s=round(cpu, 3),
        cpu_ms_per_step=round(cpu * 1000 / (load.workflows * load.steps), 3),
        rss_mb=round(own_peak_rss_mb(), 1),
        # what the database's counters saw: the warm-up too
        steps_with_warmup=(load.workflows + load.warmup) * load.steps,
        **latencies_ms(took),
        **more(),
    )


async def _drive_all(drive: Drive, count: int, in_flight: int, prefix: str) -> list[float]:
    """Drive `count` workflows in a closed loop of `in_flight` clients; the seconds that each one took."""
    numbers = iter(range(count))
    stamp = time.time_ns()
    took: list[float] = []

    async def client() -> None:
        for number in numbers:
            begin = time.perf_counter()
            await drive(f"{prefix}-{stamp}-{number}")
            took.append(time.perf_counter() - begin)

    async with asyncio.TaskGroup() as clients:
        for _ in range(min(in_flight, count)):
            clients.create_task(client())
    return took
