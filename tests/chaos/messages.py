"""Two processes, killed and frozen, while messages are published and acted on: each message starts each workflow once."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx

from tests.chaos.frame import Outcome, Row
from tests.chaos.world import database, services

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service
    from tests.chaos.world import Database

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
FOLLOWER = """
    SELECT i.process FROM followers AS f JOIN incarnations AS i ON i.id::text = f.owner WHERE f.name = 'triggers_messages'
"""
FIRED = "SELECT count(*), count(*) FILTER (WHERE outcome = 'started') FROM trigger_firings"


class Publishers:
    """Publish all messages over HTTP, each with its key and again until somebody accepts it."""

    def __init__(self, pair: list[Service], number: int) -> None:
        self._pair = pair
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
                url = f"{self._pair[(number + self.again) % 2].url}/api/messages/load.here"
                answer = http.post(url, json={"number": number}, headers=headers)
                if answer.status_code == 202:
                    self.ids.add(answer.json()["id"])
                    return
                if answer.status_code not in (429, 503):
                    self.odd.add(f"{answer.status_code} {answer.text[:200]}")
            self.again += 1
            time.sleep(0.05)


def run(messages: int, folder: Path) -> Outcome:
    """Whoever acts on the messages is killed, and once frozen past its lease, while they come in and are acted on."""
    outcome, dice, kills = Outcome(), random.Random(3), 5 if messages > 1_000 else 2
    with (
        database(folder) as base,
        services(folder, 2, DATABASE_URL=base.dsn, LEASE_SECONDS=LEASE, LOG_LEVEL="warning") as pair,
    ):
        pair[0].register({"name": "handle", "steps": [{"id": "only", "agent": "hand", "input": {}}]})
        for trigger in TRIGGERS:
            pair[0].post("/api/triggers", {"workflow": "handle", **trigger}, expect=201)
        publishers, began = Publishers(pair, messages), time.monotonic()
        publishers.start()
        marks = sorted(dice.sample(range(1, 10), kills + 1))
        for number, mark in enumerate(marks):  # the tenths of all starts after which one is killed, or frozen
            _reach(base, 3 * messages * mark // 10)
            victim = _follower(base, pair)
            if number == 1:
                _freeze(victim)
            else:
                victim.kill()
                victim.start().ready()
        publishers.join()
        published = time.monotonic() - began
        _reach(base, 3 * messages)
        acted = time.monotonic() - began
        _settle(base, 3 * messages, outcome)
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


def _freeze(service: Service) -> None:
    """It stops in the middle of whatever it does, until the other has gone on for it."""
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(2 * LEASE)
    service.process.send_signal(signal.SIGCONT)


def _follower(base: Database, pair: list[Service]) -> Service:
    """Who acts on the messages."""
    told = str(base.sql(FOLLOWER))
    return next((one for one in pair if one.process is not None and str(one.process.pid) in told), pair[0])


def _reach(base: Database, started: int) -> None:
    while base.sql(STARTED)[0]["started"] < started:
        time.sleep(0.2)


def _settle(base: Database, threads: int, outcome: Outcome) -> None:
    """Wait for the end of all, see that the triggers come to rest, and count."""
    while (found := base.sql(STARTED)[0])["completed"] < threads:
        time.sleep(0.5)
    rest = "SELECT min(f.xact) > max(m.xact) FROM followers AS f, messages AS m WHERE f.name = 'triggers_messages'"
    while not base.sql(rest)[0][0]:
        time.sleep(0.1)
    found, (firings, done) = base.sql(STARTED)[0], tuple(base.sql(FIRED)[0])
    for name, number in (("threads", found["started"]), ("different", found["different"])):
        outcome.expect(number == threads, f"{number} {name} and not {threads}")
    outcome.expect(firings == done == threads, f"{firings} firings, {done} of them started a thread, and not {threads}")
    outcome.figures |= {"threads": found["started"], "firings": firings}


ROWS = (
    Row(
        name="messages",
        fault="kill -9 of the one of two processes that acts on messages, and a freeze past its lease, with three triggers",
        passes="each message starts each of its three workflows exactly once",
        unit="messages",
        doses=(500, 10_000),
        bounds=(240, 3_600),
        run=run,
    ),
)
