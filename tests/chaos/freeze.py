"""SIGSTOP of a serving process for longer than its lease, while another takes its threads over, then SIGCONT."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.acceptance.service import waiting
from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.world import ask, calls, database, judge, services, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service
    from tests.chaos.world import Database

LEASE = 1
THREADS = 6
_REFUSED = "the database refused a write"
_TAKEN = """
    SELECT count(*) FROM threads WHERE thread_id = ANY($1) AND incarnation_id IS NOT NULL AND incarnation_id NOT IN (
        SELECT id FROM incarnations WHERE process LIKE $2)
"""
_BY = """
    SELECT thread_id, (output ->> 'pid')::int FROM workflow_steps
    WHERE thread_id = ANY($1) AND step_name = 's1' AND status = 'completed'
"""


class Rounds:
    """Two processes; each round freezes one of them in the middle of its steps."""

    def __init__(self, base: Database, pair: list[Service], folder: Path, outcome: Outcome) -> None:
        self._base = base
        self._pair = pair
        self._folder = folder
        self._outcome = outcome
        self.accepted: dict[str, str] = {}
        self.taken: list[float] = []
        self.zombies = 0

    def play(self, number: int) -> None:
        """Each process has a file of its own that its steps wait for: those of the frozen one end as it is thawed,
        by turns before and after the new owner's.
        """
        victim, other = self._pair[number % 2], self._pair[1 - number % 2]
        assert victim.process is not None
        frozen = self._start(victim, number)
        for _ in waiting("its steps to run"):
            made = calls(self._folder)
            if all((thread, "s1") in made for thread in frozen):
                break
        victim.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        try:
            self._until_taken(frozen, victim.process.pid)
            self.taken.append(time.monotonic() - begun)
            for service in (victim, other)[: 1 + number // 2 % 2]:
                (service.folder / f"go-{number}").touch()
        finally:
            victim.process.send_signal(signal.SIGCONT)
        victim.run({"name": "awake", "steps": [{"id": "a", "agent": "hand"}]}, {})
        for service in (victim, other):
            (service.folder / f"go-{number}").touch()
            (service.folder / f"after-{number}").touch()
        settle(self._base.dsn, len(self.accepted), 30)
        by = {row[0]: row[1] for row in self._base.sql(_BY, frozen)}
        self.zombies += sum(pid == victim.process.pid for pid in by.values())

    def _start(self, victim: Service, number: int) -> list[str]:
        steps: list[dict[str, Any]] = [
            {"id": "s1", "agent": "hand", "input": {"until": f"go-{number}"}},
            {"id": "s2", "agent": "hand", "input": {"until": f"after-{number}"}},
            {"id": "s3", "agent": "hand"},
        ]
        keys = [f"freeze-{number}-{index}" for index in range(THREADS)]
        new = {key: victim.start_thread({"name": "frozen", "steps": steps}, {}, triggered_by=key) for key in keys}
        self.accepted |= new
        return list(new.values())

    def _until_taken(self, frozen: list[str], pid: int) -> None:
        async def taken() -> bool:
            [[count]] = await ask(self._base.dsn, _TAKEN, frozen, f"{pid}@%")
            return count == len(frozen)

        for _ in waiting("the other to take over", 30):
            made = calls(self._folder)
            if all(len(made[thread, "s1"]) > 1 for thread in frozen) and asyncio.run(taken()):
                return


def run(freezes: int, folder: Path) -> Outcome:
    """So many freezes, of one process and the other by turns."""
    outcome = Outcome()
    with (
        database(folder) as base,
        services(folder, 2, DATABASE_URL=base.dsn, LEASE_SECONDS=LEASE) as pair,
    ):
        rounds = Rounds(base, pair, folder, outcome)
        for number in range(freezes):
            rounds.play(number)
        judge(base.dsn, outcome, rounds.accepted, folder)
        refused = sum(service.log.read_text(encoding="utf-8").count(_REFUSED) for service in pair)
        # The unique keys would have held a zombie's write up, but it is for the epoch to do so, before them.
        outcome.expect(refused == 0, f"{refused} writes came as far as the unique keys")
    outcome.expect(
        rounds.zombies == 0, f"{rounds.zombies} results of a frozen process were written over the new owner's"
    )
    takeover = f"{percentile(rounds.taken, 0.99):.2f} s"
    outcome.figures = {
        "freezes": freezes,
        "zombie writes": rounds.zombies,
        "taken over p99": takeover,
    } | outcome.figures
    return outcome


ROWS = (
    Row(
        name="freeze",
        fault="SIGSTOP past the lease, then SIGCONT",
        passes="0 zombie writes, 0 lost, 0 double, no gap",
        unit="freezes",
        doses=(5, 500),
        bounds=(120, 5_400),
        run=run,
    ),
)
