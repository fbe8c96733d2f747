"""The work every peer does: N workflows of K trivial steps, C in flight, each step durable before the next.

A peer hands `run` one coroutine function that drives one whole workflow; what is timed is the same for all.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

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
    payload: str

    @classmethod
    def from_arguments(cls, job: str) -> Workload:
        """Read the command line that harness.peer() writes."""
        parser = argparse.ArgumentParser(description=job)
        parser.add_argument("--dsn", required=True)
        parser.add_argument("--steps", type=int, default=5)
        parser.add_argument("--workflows", type=int, default=300)
        parser.add_argument("--in-flight", type=int, default=100)
        parser.add_argument("--warmup", type=int, default=20)
        parser.add_argument("--step-bytes", type=int, default=200)
        given = parser.parse_args()
        # random letters: neither TOAST nor the WAL can compress them away
        noise = random.Random(7).randbytes(given.step_bytes)
        return cls(**vars(given), payload=base64.b64encode(noise)[: given.step_bytes].decode())


async def run(load: Workload, drive: Drive) -> None:
    """Warm up, drive the timed workflows and print the figures as one JSON line."""
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
