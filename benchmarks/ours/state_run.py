"""The engine with large states: workflows of 100 KB each, 100 in flight; how long a checkpoint takes to save, and to load.

The first step returns most of it, each later one adds a little.  A save is what the engine waits for: the journal's `start`
or `commit` with a version in it, from the call to the answer.  A load is what taking up a thread costs: `load_thread`, from
manifests, step runs and values to the state in memory; each client loads its workflow when it has ended, while the others run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from app.bootstrap import Services
from app.domain.transition import Start, Transition
from app.engine.load import load_thread
from app.store.journal import PostgresJournal
from benchmarks.ours import functions
from benchmarks.ours.engine_run import Driver, opened
from benchmarks.payload import payload
from benchmarks.stats import percentile
from benchmarks.workload import Workload, parser, run

INPUT = 8_000
"""Characters of the input; with the large step's output it makes 98 KB, which the small steps bring above 100."""
NAME = "bench-state"


class Saves:
    """The seconds of every save since `clear`; those that hold the large value apart too."""

    def __init__(self) -> None:
        self.all: list[float] = []
        self.big: list[float] = []

    def clear(self) -> None:
        """The warm-up is over."""
        self.all, self.big = [], []

    def listen(self) -> None:
        """From now on to every journal of this process."""
        start, commit = PostgresJournal.start, PostgresJournal.commit

        async def timed_start(journal: PostgresJournal, what: Start) -> Any:
            return await self._timed(start(journal, what), big=False)

        async def timed_commit(journal: PostgresJournal, what: Transition) -> Any:
            if not what.checkpoints:
                return await commit(journal, what)
            big = any(len(update.output or "") > functions.LARGE / 2 for update in what.step_updates)
            return await self._timed(commit(journal, what), big=big)

        setattr(PostgresJournal, "start", timed_start)  # noqa: B010 - for this process alone
        setattr(PostgresJournal, "commit", timed_commit)  # noqa: B010

    async def _timed(self, work: Awaitable[Any], *, big: bool) -> Any:
        begin = time.perf_counter()
        found = await work
        took = time.perf_counter() - begin
        self.all.append(took)
        if big:
            self.big.append(took)
        return found


def document(steps: int) -> dict[str, Any]:
    """A large step, then small ones."""
    made = [{"id": f"s{place}", "python": "bench_state", "input": {"step": place}} for place in range(steps)]
    return {"name": NAME, "steps": made}


def loader(
    services: Services, load: Workload, loads: list[float], sizes: list[int], cleared: Callable[[], None]
) -> Callable[[str], Awaitable[None]]:
    """Drives one workflow and then loads it; `cleared` is called when the warm-up is over."""
    driver = Driver(services, load, None, workflow=NAME, value={"text": payload(INPUT)})
    driver.begun = cleared

    async def drive(name: str) -> None:
        if (
            int(name.rpartition("-")[2]) < load.in_flight
        ):  # they begin spread over the time of a workflow, as they go on
            await asyncio.sleep(random.uniform(0, functions.Shared.pause * load.steps))
        thread_id = await driver.drive(name)
        thread = await services.reads.thread(thread_id)
        assert thread is not None
        spec = await services.control._catalog.spec(thread.definition_id)
        begin = time.perf_counter()
        loaded = await load_thread(services.reads, thread, spec)
        took = time.perf_counter() - begin
        if name.startswith("timed"):
            loads.append(took)
            sizes.append(loaded.state.size_bytes)

    return drive


async def main(load: Workload, pause: float) -> None:
    """Open the services, drive, print."""
    functions.Shared.pause = pause
    saves, loads, sizes = Saves(), list[float](), list[int]()
    saves.listen()
    async with opened(load, document(load.steps)) as services:
        drive = loader(services, load, loads, sizes, saves.clear)
        await run(load, drive, lambda: figures(saves, loads, sizes))


def figures(saves: Saves, loads: list[float], sizes: list[int]) -> dict[str, Any]:
    """What the harness gets."""
    named = {"save": saves.all, "large_save": saves.big, "load": loads}
    found = {f"{name}_p{q}_ms": percentile(took, q) * 1000 for name, took in named.items() for q in (50, 95)}
    return {**found, "state_kb": sum(sizes) / len(sizes) / 1000, "saves": len(saves.all), "loads": len(loads)}


if __name__ == "__main__":
    words = parser(__doc__ or "")
    words.add_argument("--pause", type=float, default=0.0, help="seconds that a step takes on average")
    given = words.parse_args()
    uvloop.run(main(Workload.of(given), given.pause))
