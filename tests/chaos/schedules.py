"""Two processes, schedules that fire each second, and kill -9 of each process in turn, so that one is always up."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.acceptance.service import waiting
from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.world import GAPS, TWICE, ask, database, services

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service
    from tests.chaos.world import Database

LEASE = 2
LATE = LEASE + 5.0
_DOCUMENT = {"name": "tick", "steps": [{"id": "s1", "agent": "hand", "input": {"sleep": 0.02}}]}
_GIVEN = {"at": "{schedule.fire_time}"}
_SCHEDULES: tuple[dict[str, Any], ...] = (
    {"name": "allow", "every": "1s", "overlap": "allow"},
    {"name": "buffer", "cron": "* * * * * *", "timezone": "Europe/Vienna", "overlap": "buffer_all"},
)
_FIRINGS = """
    SELECT f.fire_time, f.outcome, f.thread FROM schedule_firings AS f JOIN schedules AS s ON s.id = f.schedule_id
    WHERE s.name = $1 ORDER BY f.fire_time
"""
_THREADS = """
    SELECT x.thread_id, x.input ->> 'at' AS at, x.status, extract(epoch FROM e.at)::float8 AS started
    FROM workflow_executions AS x JOIN workflow_events AS e ON e.thread_id = x.thread_id AND e.seq = 1
    WHERE x.triggered_by = $1
"""
_UNSETTLED = """
    SELECT (SELECT count(*) FROM schedule_firings WHERE outcome IN ('starting', 'buffered'))
        + (SELECT count(*) FROM workflow_executions WHERE completed_at IS NULL)
"""


def run(seconds: int, folder: Path) -> Outcome:
    """For so many seconds."""
    outcome, dice, kills = Outcome(), random.Random(13), 0
    with (
        database(folder) as base,
        services(folder, 2, DATABASE_URL=base.dsn, LEASE_SECONDS=LEASE, SCHEDULE_FIRINGS_KEPT=100_000) as pair,
    ):
        pair[0].register(_DOCUMENT)
        for one in _SCHEDULES:
            pair[0].post("/api/schedules", {"workflow": "tick", "input": _GIVEN, **one}, 201)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            victim = pair[kills % 2]
            victim.kill()
            kills += 1
            victim.start().ready()
            _until_it_fires(dice)
        _settle(pair[0], base)
        for one in _SCHEDULES:
            _judge(base.dsn, one["name"], seconds, outcome)
        for what, query in (("gaps in", GAPS), ("something twice in", TWICE)):
            found = base.sql(query)
            outcome.expect(not found, f"{what} {len(found)} threads")
    outcome.figures = {"kills": kills} | outcome.figures
    return outcome


def _until_it_fires(dice: random.Random) -> None:
    """Until a moment in which a firing is being made, mostly: the database's clock is this machine's."""
    time.sleep(dice.choice((0.0, 1.0)) + 1.0 - time.time() % 1.0)
    time.sleep(dice.choice((dice.uniform(0.0, 0.03), dice.uniform(0.0, 1.0))))


def _settle(service: Service, base: Database) -> None:
    for one in _SCHEDULES:
        service.post(f"/api/schedules/{one['name']}/pause", expect=200)
    for _ in waiting("the last firings to end", 60):
        if base.sql(_UNSETTLED)[0][0] == 0:
            return


def _judge(dsn: str, name: str, seconds: int, outcome: Outcome) -> None:
    """Each second from the first to the last has one firing, which has started one thread, which has completed."""

    async def look() -> tuple[list[Any], list[Any]]:
        return await ask(dsn, _FIRINGS, name), await ask(dsn, _THREADS, f"schedule:{name}")

    firings, threads = asyncio.run(look())
    times = [row["fire_time"] for row in firings]
    count = round((times[-1] - times[0]).total_seconds()) + 1
    wanted = {times[0] + timedelta(seconds=number) for number in range(count)}
    started = Counter(datetime.fromisoformat(row["at"]) for row in threads)
    late = [row["started"] - datetime.fromisoformat(row["at"]).timestamp() for row in threads]
    odd = Counter(row["outcome"] for row in firings if row["outcome"] != "started")
    twice = [at for at, number in started.items() if number > 1]
    outcome.expect(count >= seconds, f"{name}: {count} s from the first to the last firing")
    outcome.expect(wanted == set(times), f"{name}: {len(wanted - set(times))} times without a firing")
    outcome.expect(wanted == started.keys(), f"{name}: {len(wanted - started.keys())} times without a thread")
    outcome.expect(not twice, f"{name}: {len(twice)} times with two threads: {twice[:3]}")
    outcome.expect(not odd, f"{name}: {dict(odd)}")
    outcome.expect(
        {row["thread"] for row in firings} == {row["thread_id"] for row in threads}, f"{name}: other threads"
    )
    outcome.expect(all(row["status"] == "completed" for row in threads), f"{name}: not all completed")
    worst = percentile(late, 0.99)
    outcome.expect(worst <= LATE, f"{name}: p99 of the lateness is {worst:.2f} s")
    told = f"{percentile(late, 0.5) * 1000:.0f} ms, p99 {worst:.2f} s, at most {max(late):.2f} s"
    outcome.figures |= {f"{name}: firings": len(firings), f"{name}: late p50": told}


ROWS = (
    Row(
        name="schedules",
        fault="kill -9 of each of two processes in turn, two schedules that fire each second",
        passes="each second fired once by each schedule, none missed; p99 of the lateness <= lease + 5 s",
        unit="seconds",
        doses=(30, 300),
        bounds=(150, 600),
        run=run,
    ),
)
