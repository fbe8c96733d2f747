"""What the rows share: a PostgreSQL that can be cut, services on it, work for them, and a judge that reads the tables."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import asyncpg
import httpx

from app.store.embedded import EmbeddedPostgres
from tests.acceptance.service import Service

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.chaos.frame import Outcome

MODULES = "tests.chaos.steps,tests.acceptance.functions"
_OPTIONS = {"max_connections": "200"}


class Database:
    """A PostgreSQL of its own on a folder, which outlives every service and can be stopped as by a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = EmbeddedPostgres(folder, options=_OPTIONS)
        self.dsn = self._server.start()

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, no good-bye; recovery on the next start."""
        pid = int((self._folder / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, signal.SIGQUIT)
        os.waitpid(pid, 0)

    def start(self) -> None:
        """Start it again at the same place."""
        self._server.start()

    def stop(self) -> None:
        """Stop it in good order."""
        self._server.stop()

    def sql(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What psql would show."""
        return asyncio.run(ask(self.dsn, query, *arguments))


async def ask(dsn: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
    """One query on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


@contextmanager
def database(folder: Path) -> Generator[Database]:
    """Until the block ends."""
    found = Database(folder / "pg")
    try:
        yield found
    finally:
        found.stop()


@contextmanager
def services(folder: Path, count: int, **settings: object) -> Generator[list[Service]]:
    """So many services, started together and ready; all write their calls into one file."""
    given = {"MODULES": MODULES, "CHAOS_CALLS": folder / "calls", "SSE_HEARTBEAT_SECONDS": 1, **settings}
    with ExitStack() as stack:
        found: list[Service] = []
        for number in range(count):
            service = Service(folder / f"service-{number + 1}", dict(given))
            stack.callback(service.close)
            found.append(service.start())
        yield [service.ready() for service in found]


def calls(folder: Path) -> dict[tuple[str, str], list[float]]:
    """When each step of each thread was called, in whichever process."""
    found: dict[tuple[str, str], list[float]] = {}
    for thread, step, _, _, at in _calls(folder):
        found.setdefault((thread, step), []).append(float(at))
    return found


def calls_by_key(folder: Path) -> dict[str, list[float]]:
    """When each idempotency key was called with: of a step, or of one of its parts."""
    found: dict[str, list[float]] = {}
    for _, _, key, _, at in _calls(folder):
        found.setdefault(key, []).append(float(at))
    return found


def _calls(folder: Path) -> list[list[str]]:
    file = folder / "calls"
    return [line.split() for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def row_of(steps: int, sleep: float, name: str = "row") -> dict[str, Any]:
    """A workflow of steps one after the other."""
    return {
        "name": name,
        "steps": [{"id": f"s{number}", "agent": "hand", "input": {"sleep": sleep}} for number in range(1, steps + 1)],
    }


def fan_of(steps: int, sleep: float) -> dict[str, Any]:
    """A workflow of steps side by side, and one after them all."""
    beside = [
        {"id": f"s{number}", "needs": [], "agent": "hand", "input": {"sleep": sleep * number}}
        for number in range(1, steps)
    ]
    return {"name": "fan", "steps": [*beside, {"id": "last", "agent": "hand", "needs": [one["id"] for one in beside]}]}


def parts_of(items: int, sleep: float) -> dict[str, Any]:
    """Items side by side, rounds one after the other, a gate that nobody answers in time, and a step after them."""
    hand = {"agent": "hand", "input": {"sleep": sleep}}
    return {
        "name": "parts",
        "steps": [
            {"id": "items", "for_each": list(range(items)), "concurrency": 2, **hand},
            {"id": "rounds", "repeat": {"until": "iteration >= 2", "max_iterations": 5}, **hand},
            {"id": "gate", "gate": {"timeout": f"{sleep}s", "on_timeout": True}},
            {"id": "last", **hand},
        ],
    }


def mixed(index: int, steps: int, sleep: float) -> str | dict[str, Any]:
    """Rows, fans, steps in parts and workflows in Python by turns."""
    shapes = (row_of(steps, sleep), fan_of(steps, sleep / 2), parts_of(steps, sleep / 3), "errand")
    return shapes[index % len(shapes)]


@dataclass
class Load:
    """Keeps starting workflows while a row does its worst; each with a key, sent until somebody accepts it."""

    services: list[Service]
    per_second: float
    steps: int = 4
    sleep: float = 0.2
    more: dict[str, Any] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    odd_answers: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    trouble: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._dice = random.Random(11)
        self._runner = threading.Thread(target=self._run)
        self._runner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """No more starts; those begun are seen through."""
        self._stop.set()
        self._runner.join(90)

    def _run(self) -> None:
        number = 0
        try:
            with httpx.Client(timeout=10, trust_env=False) as http:
                while not self._stop.is_set():
                    self.start(http, f"load-{number}", mixed(number, self.steps, self.sleep))
                    number += 1
                    self._stop.wait(self._dice.expovariate(self.per_second))
        except AssertionError as error:
            self.trouble.append(str(error))

    def start(self, http: httpx.Client, key: str, workflow: str | dict[str, Any]) -> str:
        """Send it to one after the other until it is accepted."""
        body = {"workflow": workflow, "input": {}, "triggered_by": key, **self.more}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            service = self._dice.choice(self.services)
            with suppress(httpx.TransportError):
                answer = http.post(f"{service.url}/api/invoke/async", json=body, headers={"Idempotency-Key": key})
                if answer.status_code == 202:
                    self.threads[key] = answer.json()["thread_id"]
                    return self.threads[key]
                self._refused(answer)
            time.sleep(0.05)
        raise AssertionError(f"nobody accepted {key} in a minute")

    def _refused(self, answer: httpx.Response) -> None:
        self.refusals[answer.status_code] += 1
        if answer.status_code in (429, 503):
            self.without_retry_after += "retry-after" not in answer.headers
        elif answer.status_code != 409:  # the same key in flight, in a process that was killed or cut meanwhile
            self.odd_answers[f"{answer.status_code} {answer.text[:200]}"] += 1


def settle(dsn: str, keys: int, patience: float) -> float:
    """Wait until every execution has ended; how long that took."""
    begun = time.monotonic()
    while time.monotonic() < begun + patience:
        with suppress(OSError, asyncpg.PostgresError):
            [[ended, there]] = asyncio.run(
                ask(dsn, "SELECT count(completed_at), count(*) FROM workflow_executions WHERE triggered_by IS NOT NULL")
            )
            if ended == there >= keys:
                break
        time.sleep(0.2)
    return time.monotonic() - begun


GAPS = """
    SELECT t.thread_id FROM threads t
    WHERE (SELECT array_agg(version ORDER BY version) FROM checkpoints c WHERE c.thread_id = t.thread_id)
          IS DISTINCT FROM (SELECT array_agg(n) FROM generate_series(1, t.last_version) n)
       OR (SELECT array_agg(seq ORDER BY seq) FROM workflow_events e WHERE e.thread_id = t.thread_id)
          IS DISTINCT FROM (SELECT array_agg(n::bigint) FROM generate_series(1, t.last_seq) n)
"""
TWICE = """
    SELECT thread_id FROM workflow_events WHERE name IN ('step_start', 'step_complete')
    GROUP BY thread_id, execution_id, step_name, name HAVING count(*) > 1
    UNION ALL
    SELECT thread_id FROM workflow_events WHERE name IN ('workflow_start', 'workflow_complete', 'workflow_failed')
    GROUP BY thread_id, execution_id, name HAVING count(*) > 1
    UNION ALL
    SELECT thread_id FROM workflow_executions WHERE triggered_by IS NOT NULL
    GROUP BY thread_id, triggered_by HAVING count(*) > 1
"""
OPEN = """
    SELECT thread_id FROM threads WHERE status <> 'completed'
    UNION ALL SELECT thread_id FROM workflow_executions WHERE status <> 'completed'
    UNION ALL SELECT thread_id FROM workflow_steps WHERE status NOT IN ('completed', 'skipped')
"""


COMPLETED_AT = """
    SELECT thread_id, step_name, extract(epoch FROM at)::float8 FROM workflow_events WHERE name = 'step_complete'
"""

PART_COMPLETED_AT = """
    SELECT concat_ws(':', thread_id, key_execution_id, step_name, item), extract(epoch FROM completed_at)::float8
    FROM workflow_items WHERE status = 'completed'
"""


def judge(dsn: str, outcome: Outcome, accepted: dict[str, str], folder: Path) -> None:
    """Everything that was accepted is there once and completed; nothing was written twice; no number is missing; no
    step was called once it had been committed.
    """

    async def look() -> None:
        found = await ask(dsn, "SELECT triggered_by, thread_id FROM workflow_executions WHERE triggered_by IS NOT NULL")
        keys = Counter(row[0] for row in found)
        lost = [key for key, thread in accepted.items() if (key, thread) not in {tuple(row) for row in found}]
        outcome.expect(not lost, f"{len(lost)} accepted workflows are lost: {lost[:5]}")
        outcome.expect(max(keys.values(), default=0) <= 1, "a key was started twice")
        for what, query in (("gaps in", GAPS), ("something twice in", TWICE), ("not completed:", OPEN)):
            rows = [row[0] for row in await ask(dsn, query)]
            outcome.expect(not rows, f"{what} {len(rows)} threads: {rows[:5]}")
            outcome.figures[{"gaps in": "gaps", "something twice in": "double"}.get(what, "unfinished")] = len(rows)
        outcome.figures["lost"] = len(lost)
        made = calls(folder)
        rows = await ask(dsn, COMPLETED_AT)
        again = [row for row in rows if max(made.get((row[0], row[1]), [0.0])) > row[2] + 0.002]
        outcome.expect(not again, f"{len(again)} steps were called again once committed: {again[:5]}")
        by_key, parts = calls_by_key(folder), await ask(dsn, PART_COMPLETED_AT)
        again = [row for row in parts if max(by_key.get(row[0], [0.0])) > row[1] + 0.002]
        outcome.expect(not again, f"{len(again)} items were called again once committed: {again[:5]}")
        outcome.figures |= {"workflows": len(found), "steps": len(rows), "items": len(parts)}
        outcome.figures["calls"] = sum(map(len, made.values()))

    asyncio.run(look())
