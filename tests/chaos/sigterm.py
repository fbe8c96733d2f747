"""SIGTERM while streams are open and steps run: some that end soon, some that hear nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.readers import Faithful
from tests.chaos.world import ask, judge, services, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

GRACE = 1.5
SLACK = 2.0
READERS = 4
_LAST = "SELECT last_seq FROM threads WHERE thread_id = $1"


def _work(number: int) -> dict[str, dict[str, Any]]:
    """By key: steps that end within the grace, steps that do not, and a thread that sleeps."""
    quick = {"id": "a", "agent": "hand", "input": {"sleep": 0.4}}
    more = [{**quick, "id": name} for name in "bcd"]
    kinds: dict[str, list[dict[str, Any]]] = {f"row-{index}": [quick, *more] for index in range(8)}
    kinds |= {
        "long": [quick, {"id": "b", "agent": "hand", "input": {"sleep": 2.5}}],
        "deaf": [quick, {"id": "b", "python": "holds_on", "input": {"sleep": 2.5}}],
        "blocked": [quick, {"id": "b", "python": "holds_a_thread", "input": {"sleep": 2.5}}],
        "asleep": [quick, {"id": "nap", "sleep": "3s"}, *more],
    }
    return {f"{number}-{name}": {"name": "leaving", "steps": steps} for name, steps in kinds.items()}


class Rounds:
    """The same service, again and again."""

    def __init__(self, service: Service, outcome: Outcome) -> None:
        self._service = service
        self._outcome = outcome
        self.accepted: dict[str, str] = {}
        self.took: list[float] = []
        self.streams = self.told = 0

    async def play(self, number: int) -> None:
        """Start work, watch it, SIGTERM; then start again and see it through."""
        new = await asyncio.to_thread(self._start, number)
        readers = [Faithful(self._service.port, f"/api/invoke/stream/{thread}") for thread in new * READERS]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.go_on())
            await asyncio.sleep(0.8)
            await asyncio.to_thread(self._terminate)
        self._look_at(readers)
        await asyncio.to_thread(lambda: self._service.start().ready())
        await asyncio.gather(*(self._see_through(reader) for reader in readers))
        for thread in new:
            [[last]] = await ask(self._service.dsn, _LAST, thread)
            wanted = [str(seq) for seq in range(1, last + 1)]
            wrong = [reader.seen for reader, of in zip(readers, new * READERS, strict=True) if of == thread]
            wrong = [seen for seen in wrong if seen != wanted]
            self._outcome.expect(not wrong, f"{thread}: {len(wrong)} readers saw {wrong[:1]} instead of 1..{last}")

    def _start(self, number: int) -> list[str]:
        found = {
            key: self._service.start_thread(document, {}, triggered_by=key) for key, document in _work(number).items()
        }
        self.accepted |= found
        return list(found.values())

    def _terminate(self) -> None:
        assert self._service.process is not None
        begun = time.monotonic()
        code = self._service.stop()
        self.took.append(time.monotonic() - begun)
        self._outcome.expect(code == 0, f"the exit code is {code}")

    def _look_at(self, readers: list[Faithful]) -> None:
        parts = [reader.parts[-1] for reader in readers]
        self.streams += len(parts)
        fine = [part for part in parts if part.clean and (part.goodbye or part.ended)]
        self.told += len(fine)
        self._outcome.expect(len(fine) == len(parts), f"{len(parts) - len(fine)} streams were cut without a word")

    @staticmethod
    async def _see_through(reader: Faithful) -> None:
        for _ in range(4):
            if reader.ended:
                return
            await reader.go_on(seconds=30)


def run(rounds: int, folder: Path) -> Outcome:
    """So many times."""
    outcome = Outcome()
    with services(folder, 1, SHUTDOWN_GRACE_SECONDS=GRACE, LEASE_SECONDS=3) as [service]:
        leaving = Rounds(service, outcome)
        for number in range(rounds):
            asyncio.run(leaving.play(number))
        settle(service.dsn, len(leaving.accepted), 30)
        judge(service.dsn, outcome, leaving.accepted, folder)
    slowest = max(leaving.took)
    outcome.expect(slowest <= GRACE + SLACK, f"it took {slowest:.2f} s to end, grace {GRACE} s")
    outcome.figures = {
        "rounds": rounds,
        "ended in p50": f"{percentile(leaving.took, 0.5):.2f} s",
        "slowest": f"{slowest:.2f} s",
        "streams told": f"{leaving.told} of {leaving.streams}",
    } | outcome.figures
    return outcome


ROWS = (
    Row(
        name="sigterm",
        fault="SIGTERM with streams and steps open",
        passes="ends within grace + 2 s, exit code 0, every stream is told, nothing lost, no event missed over the restart",
        unit="times",
        doses=(3, 100),
        bounds=(90, 1_800),
        run=run,
    ),
)
