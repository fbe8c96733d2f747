"""kill -9 of serving processes while they work: of the only one on a data folder, and of any of three on one database."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from tests.chaos.frame import Outcome, Row
from tests.chaos.recoveries import Recoveries
from tests.chaos.world import Load, database, judge, services, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

LEASE = 2
SLACK = 5.0


def one(kills: int, folder: Path) -> Outcome:
    """One process on one data folder, killed and started again."""
    outcome, dice = Outcome(), random.Random(5)
    with (
        services(folder, 1, LEASE_SECONDS=LEASE) as [service],
        Recoveries(service.dsn) as recoveries,
    ):
        with Load([service], per_second=8, steps=5, sleep=0.15) as load:
            for _ in range(kills):
                time.sleep(dice.uniform(0.05, 1.0))
                _kill(service, recoveries)
                service.start().ready()
        settle(service.dsn, len(load.threads), 60)
        _tell(outcome, load, recoveries, folder, service.dsn)
    outcome.figures = {"kills": kills} | outcome.figures
    return outcome


def three(seconds: int, folder: Path) -> Outcome:
    """Three processes on one database, any of them killed at random and started again at once."""
    outcome, dice, kills = Outcome(), random.Random(7), 0
    with (
        database(folder) as base,
        services(folder, 3, DATABASE_URL=base.dsn, LEASE_SECONDS=LEASE) as trio,
        Recoveries(base.dsn) as recoveries,
    ):
        with Load(trio, per_second=12, steps=5, sleep=0.3) as load:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(dice.uniform(0.5, 3.0))
                victim = dice.choice(trio)
                _kill(victim, recoveries)
                victim.start()
                kills += 1
        settle(base.dsn, len(load.threads), 60)
        _tell(outcome, load, recoveries, folder, base.dsn)
    outcome.figures = {"kills": kills} | outcome.figures
    return outcome


def _kill(service: Service, recoveries: Recoveries) -> None:
    assert service.process is not None
    service.kill()
    recoveries.killed(service.process.pid)


def _tell(outcome: Outcome, load: Load, recoveries: Recoveries, folder: Path, dsn: str) -> None:
    judge(dsn, outcome, load.threads, folder)
    recoveries.tell(outcome, LEASE + SLACK)
    outcome.failures += load.trouble
    outcome.expect(not load.odd_answers, f"odd answers: {dict(load.odd_answers)}")


PASSES = "0 lost, 0 double, no gap, no committed step called again; recovery p99 <= lease + 5 s"
ROWS = (
    Row(
        name="kill",
        fault="kill -9 of the serving process, workflows in flight",
        passes=PASSES,
        unit="kills",
        doses=(10, 1_000),
        bounds=(150, 5_400),
        run=one,
    ),
    Row(
        name="kill3",
        fault="kill -9 of any of three processes on one PostgreSQL",
        passes=PASSES,
        unit="seconds",
        doses=(30, 300),
        bounds=(180, 600),
        run=three,
    ),
)
