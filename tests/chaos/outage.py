"""PostgreSQL stopped as by a crash and started again under load, at once or after half a minute."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx

from tests.chaos.frame import Outcome, Row, percentile
from tests.chaos.world import Load, calls_by_key, database, judge, row_of, services, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service
    from tests.chaos.world import Database

LONG = 30.0
EVERY = 40
SHORT = (0.0, 1.0, 3.0)
_FAILED = (
    "SELECT count(*) FROM workflow_events WHERE name IN ('workflow_failed', 'workflow_interrupted', 'step_failed')"
)
_RETRIED = "SELECT count(*) FROM workflow_steps WHERE retry_count > 0 OR attempt > 1"


def run(outages: int, folder: Path) -> Outcome:
    """One of them, and then every fortieth, is a long one."""
    outcome, back = Outcome(), list[float]()
    with (
        database(folder) as base,
        services(folder, 1, DATABASE_URL=base.dsn, LEASE_SECONDS=2) as [service],
    ):
        with Load([service], per_second=6, steps=4, sleep=0.4) as load:
            for number in range(outages):
                time.sleep(1.0)
                seconds = LONG if number % EVERY == 1 else SHORT[number % 3]
                base.crash()
                _away(service, seconds, outcome)
                base.start()
                back.append(_back(service))
        settle(base.dsn, len(load.threads), 60)
        judge(base.dsn, outcome, load.threads, folder)
        _judge(base, load, folder, outcome)
    outcome.figures = {"outages": outages, "ready again p99": f"{percentile(back, 0.99):.2f} s"} | outcome.figures
    return outcome


def _away(service: Service, seconds: float, outcome: Outcome) -> None:
    """What people are told meanwhile: 503, and when to come again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        answers = [
            service.http.post("/api/invoke/async", json={"workflow": row_of(1, 0), "input": {}}),
            service.http.get("/api/workflow/executions"),
        ]
        if seconds > 1:  # a short one may be over before they are answered
            outcome.expect([a.status_code for a in answers] == [503, 503], f"answers: {[a.text[:90] for a in answers]}")
            outcome.expect(all(a.headers.get("retry-after") for a in answers), "a 503 without Retry-After")
            took = time.monotonic() - begun
            outcome.figures["slowest refusal"] = max(outcome.figures.get("slowest refusal", 0), round(took, 2))
        time.sleep(min(1.0, max(0.0, end - time.monotonic())))


def _back(service: Service) -> float:
    begun = time.monotonic()
    while time.monotonic() < begun + 30:
        try:
            if service.http.get("/api/health").status_code == 200:
                break
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    return time.monotonic() - begun


def _judge(base: Database, load: Load, folder: Path, outcome: Outcome) -> None:
    figures: dict[str, Any] = outcome.figures
    figures["failed"], figures["retried"] = base.sql(_FAILED)[0][0], base.sql(_RETRIED)[0][0]
    figures["refused"] = load.refusals[503]
    outcome.expect(figures["failed"] == 0, f"{figures['failed']} workflows or steps failed")
    outcome.expect(figures["retried"] == 0, f"{figures['retried']} steps had an attempt spent")
    twice = [key for key, times in calls_by_key(folder).items() if len(times) > 1]
    outcome.expect(not twice, f"{len(twice)} steps ran again in the process that survived: {twice[:5]}")
    outcome.expect(load.without_retry_after == 0, f"{load.without_retry_after} refusals without Retry-After")
    outcome.expect(not load.odd_answers, f"odd answers: {dict(load.odd_answers)}")
    outcome.failures += load.trouble


ROWS = (
    Row(
        name="outage",
        fault="PostgreSQL `-m immediate` stop and start; one outage of 30 s",
        passes="0 failed, 0 manual actions, 0 steps run again, no attempt spent; 503 with Retry-After meanwhile",
        unit="outages",
        doses=(5, 200),
        bounds=(150, 3_600),
        run=run,
    ),
)
