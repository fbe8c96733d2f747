"""The engine in process: workflows of K small async steps through bootstrap and control, C in flight, as production runs.

With --record it also writes what the journal sent to a file, for benchmarks.ours.replay; such a run is not timed.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from app.bootstrap import Services, open_services, tune_garbage_collector
from app.domain.commands import StartCommand
from app.domain.events import TERMINAL, WORKFLOW_COMPLETE, Event
from app.settings import load_settings
from benchmarks.ours.documents import sequence
from benchmarks.ours.functions import Shared
from benchmarks.ours.recording import Recording, record
from benchmarks.stats import percentile
from benchmarks.workload import Workload, parser, run

# slots beyond those in flight: the worker holds up to 200 for a moment whenever it looks for due threads
SPARE = 1000
INPUT = {"topic": "AI in Education", "note": "x" * 100}


class Driver:
    """Starts workflows and hears of their ends on the bus."""

    def __init__(
        self,
        services: Services,
        load: Workload,
        recording: Recording | None,
        *,
        workflow: str | None = None,
        value: Any = INPUT,
    ) -> None:
        self._control = services.control
        self._load = load
        self._command = StartCommand(workflow=workflow or f"bench-{load.steps}", input=value, has_input=True)
        self.begun: Callable[[], None] = lambda: None
        self._recording = recording
        self._timed = False
        self._waiting: dict[str, asyncio.Future[str]] = {}
        services.bus.listen(self._heard)

    def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.name in TERMINAL and (waiting := self._waiting.pop(event.thread_id, None)) is not None:
                waiting.set_result(event.name)

    async def drive(self, name: str) -> str:
        """One whole workflow.  The engine gives the thread its id: one of our own would cost a look whether it exists."""
        if not self._timed and name.startswith("timed"):
            self._begin()
        accepted = await self._control.start(self._command)
        # its first steps are committed by the same loop, so it cannot have ended yet
        ended = self._waiting[accepted.thread.thread_id] = asyncio.get_running_loop().create_future()
        assert await ended == WORKFLOW_COMPLETE
        return accepted.thread.thread_id

    def _begin(self) -> None:
        self._timed = True
        self.begun()
        if self._load.in_flight == 1:
            Shared.calls, Shared.returns = [], []
        if self._recording is not None:
            self._recording.warmup = len(self._recording.batches)


def step_commit(load: Workload) -> dict[str, Any]:
    """Of one workflow at a time: from a step's return to the call of the next step, the commit in between."""
    if Shared.calls is None or Shared.returns is None:
        return {}
    gaps = [
        called - returned
        for place, (called, returned) in enumerate(zip(Shared.calls[1:], Shared.returns, strict=False), 1)
        if place % load.steps
    ]
    return {"step_commit_p50_ms": round(percentile(gaps, 50) * 1000, 4)}


async def _at_rest(services: Services) -> None:
    """Wait until the worker has looked for due threads once: before that it leaves new ones to its next look."""
    async with asyncio.timeout(10):
        while services.worker._claims.backlog:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(load: Workload, document: dict[str, Any]) -> AsyncGenerator[Services]:
    """The services as production wires them, with the workflow registered, at rest."""
    with tempfile.TemporaryDirectory(prefix="backstitch-bench-") as folder:
        settings = load_settings(
            database_url=load.dsn,
            data_dir=Path(folder),
            modules=("benchmarks.ours.functions",),
            max_concurrent_threads=load.in_flight + SPARE,
        )
        async with open_services(settings) as services:
            await services.control.register(document)
            tune_garbage_collector()
            await _at_rest(services)
            yield services


async def main(load: Workload, to: Path | None) -> None:
    """Open the services, register the workflow, drive it."""
    recording = record() if to else None
    Shared.step_bytes = load.step_bytes
    async with opened(load, sequence(load.steps)) as services:
        await run(load, Driver(services, load, recording).drive, lambda: step_commit(load))
    if recording is not None and to is not None:
        recording.workflows, recording.all_workflows = load.workflows, load.workflows + load.warmup
        recording.steps = load.steps
        recording.save(to)


if __name__ == "__main__":
    words = parser(__doc__ or "")
    words.add_argument("--record", type=Path)
    given = words.parse_args()
    uvloop.run(main(Workload.of(given), given.record))
