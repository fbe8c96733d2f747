"""kill -9 of the only process while messages are published and triggers act on them: each message starts each workflow once."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from tests.chaos.frame import Outcome, Row
from tests.chaos.world import ask, services

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

LEASE = 2
PUBLISHERS = 32
TRIGGERS: tuple[dict[str, Any], ...] = (
    {"name": "all", "topic": "load.>"},
    {"name": "some", "topic": "load.*", "condition": "message.data.number >= 0"},
    {"name": "these", "topic": "load.here", "input": {"number": "{message.data.number}", "of": "{message.topic}"}},
)
STARTED = """
    SELECT count(*) AS started, count(DISTINCT (triggered_by, (input::jsonb ->> 'number')::int)) AS different,
        count(completed_at) AS completed
    FROM workflow_executions WHERE triggered_by LIKE 'trigger:%'
"""
FIRED = "SELECT count(*), count(*) FILTER (WHERE outcome = 'started') FROM trigger_firings"


class Publishers:
    """Publish all messages over HTTP, each with its key and again until somebody accepts it."""

    def __init__(self, service: Service, number: int) -> None:
        self._service = service
        self._left = list(range(number))[::-1]
        self._lock = threading.Lock()
        self.ids: set[str] = set()
        self.again = 0
        self.odd: set[str] = set()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(PUBLISHERS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def left(self) -> int:
        """Messages that nobody has accepted yet, beside those under way."""
        return len(self._left)

    def join(self) -> None:
        """Until all are accepted."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as http:
            while True:
                with self._lock:
                    if not self._left:
                        return
                    number = self._left.pop()
                self._publish(http, number)

    def _publish(self, http: httpx.Client, number: int) -> None:
        headers = {"Idempotency-Key": f"load-{number}"}
        while True:
            with suppress(httpx.TransportError):
                url = f"{self._service.url}/api/messages/load.here"
                answer = http.post(url, json={"number": number}, headers=headers)
                if answer.status_code == 202:
                    self.ids.add(answer.json()["id"])
                    return
                if answer.status_code not in (429, 503):
                    self.odd.add(f"{answer.status_code} {answer.text[:200]}")
            self.again += 1
            time.sleep(0.05)


def run(messages: int, folder: Path) -> Outcome:
    """One process, killed while messages come in and while what is left of them is acted on."""
    outcome, dice, kills = Outcome(), random.Random(3), 5 if messages > 1_000 else 2
    with services(folder, 1, LEASE_SECONDS=LEASE, LOG_LEVEL="warning") as [service]:
        service.register({"name": "handle", "steps": [{"id": "only", "agent": "hand", "input": {}}]})
        for trigger in TRIGGERS:
            service.post("/api/triggers", {"workflow": "handle", **trigger}, expect=201)
        publishers, began = Publishers(service, messages), time.monotonic()
        publishers.start()
        marks = sorted(dice.sample(range(1, 10), kills))
        for mark in marks:  # the tenths of all starts after which it is killed
            _reach(service, 3 * messages * mark // 10)
            service.kill()
            service.start().ready()
        publishers.join()
        published = time.monotonic() - began
        _reach(service, 3 * messages)
        acted = time.monotonic() - began
        _settle(service, 3 * messages, outcome)
        outcome.figures |= {
            "kills": kills,
            "messages": messages,
            "sent again": publishers.again,
            "messages/s": round(messages / published),
            "threads/s": round(3 * messages / acted),
        }
        outcome.expect(len(publishers.ids) == messages, f"{len(publishers.ids)} messages have an id of their own")
        outcome.expect(not publishers.odd, f"odd answers: {publishers.odd}")
    return outcome


def _look(service: Service, query: str) -> asyncpg.Record:
    while True:
        with suppress(OSError, asyncpg.PostgresError):
            return asyncio.run(ask(service.dsn, query))[0]
        time.sleep(0.1)


def _reach(service: Service, started: int) -> None:
    while _look(service, STARTED)["started"] < started:
        time.sleep(0.2)


def _settle(service: Service, threads: int, outcome: Outcome) -> None:
    """Wait for the end of all, see that the triggers come to rest, and count."""
    while (found := _look(service, STARTED))["completed"] < threads:
        time.sleep(0.5)
    rest = "SELECT min(f.xact) > max(m.xact) FROM followers AS f, messages AS m WHERE f.name = 'triggers_messages'"
    while not _look(service, rest)[0]:
        time.sleep(0.1)
    found, (firings, done) = _look(service, STARTED), tuple(_look(service, FIRED))
    for name, number in (("threads", found["started"]), ("different", found["different"])):
        outcome.expect(number == threads, f"{number} {name} and not {threads}")
    outcome.expect(firings == done == threads, f"{firings} firings, {done} of them started a thread, and not {threads}")
    outcome.figures |= {"threads": found["started"], "firings": firings}


ROWS = (
    Row(
        name="messages",
        fault="kill -9 while messages are published and three triggers act on them",
        passes="each message starts each of its three workflows exactly once",
        unit="messages",
        doses=(500, 10_000),
        bounds=(240, 3_600),
        run=run,
    ),
)
