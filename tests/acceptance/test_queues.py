"""Queues over two processes on one data folder: the limit holds over both, and what a killed one held comes back."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

import asyncpg

from tests.acceptance.service import Service, chain, waiting

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[Service, Service]
SETTINGS_OF_PAIR = {"LEASE_SECONDS": 2, "SHUTDOWN_GRACE_SECONDS": 2}
_RUNNING = "SELECT count(*) FROM threads WHERE queue = $1 AND incarnation_id IS NOT NULL"


class Samples:
    """How many threads of the queue have a driver, again and again, as the database says."""

    def __init__(self, dsn: str, queue: str) -> None:
        self._dsn, self._queue = dsn, queue
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()))
        self.seen: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _look(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        while not self._over.is_set():
            self.seen.append(await connection.fetchval(_RUNNING, self._queue))
            await asyncio.sleep(0.002)
        await connection.close()


def calls(pair: Pair, threads: list[str]) -> list[int]:
    """How many steps of these threads each of the two was called for."""
    return [sum(one.calls(thread).total() for thread in threads) for one in pair]


def test_the_limit_holds_over_both_and_all_complete(pair: Pair) -> None:
    with Samples(pair[0].dsn, "both") as samples:
        threads = [pair[n % 2].start_thread(chain("mail", 2, sleep=0.05), queue="both") for n in range(40)]
        assert {pair[0].until(thread)["status"] for thread in threads} == {"completed"}
    assert max(samples.seen) == 5
    assert all(called > 0 for called in calls(pair, threads))


def test_the_slots_of_a_killed_process_come_back(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    held = str(tmp_path / "go")
    threads = [first.start_thread(chain("mail", 2, until=held), queue="killed") for _ in range(8)]
    for _ in waiting("the slots to be taken"):
        if sum(calls(pair, threads)) == 5:
            break
    with Samples(first.dsn, "killed") as samples:
        first.kill()
        (tmp_path / "go").touch()
        assert {second.until(thread)["status"] for thread in threads} == {"completed"}
    assert max(samples.seen) <= 5
    assert second.get("/api/queue/killed")["running"] == 0


def test_a_full_queue_turns_starts_away_until_there_is_room(pair: Pair, tmp_path: Path) -> None:
    first, second = pair
    answer = first.http.put("/api/queue/full", json={"limit": 1, "max_depth": 3})
    assert (answer.status_code, answer.json()["limit"]) == (200, 1)
    document = {"workflow": chain("mail", 1, until=str(tmp_path / "go")), "queue": "full"}
    threads = [first.post("/api/invoke/async", document)["thread_id"] for _ in range(4)]
    for one in pair:
        refused = one.http.post("/api/invoke/async", json=document)
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert int(refused.headers["Retry-After"]) >= 1
    for _ in waiting("the first to run"):
        if second.get("/api/queue/full")["depth"] == 3:
            break
    (tmp_path / "go").touch()
    assert {second.until(thread)["status"] for thread in threads} == {"completed"}
    second.post("/api/invoke/async", document)


def test_priority_delay_and_rate_decide_who_goes_first(pair: Pair) -> None:
    first, second = pair
    first.http.put("/api/queue/first", json={"limit": 0})
    late = first.start_thread(chain("late", 1), queue="first", delay="24h", priority=9)
    low, high, usual = (
        first.start_thread(chain("place", 1), queue="first", priority=priority) for priority in (-1, 5, None)
    )
    second.http.put("/api/queue/first", json={"limit": 1, "rate_limit": {"count": 2, "per": "24h"}})
    assert [first.until(thread)["status"] for thread in (high, usual)] == ["completed"] * 2
    found = first.get("/api/queue/first")
    assert (found["depth"], found["delayed"], found["running"]) == (1, 1, 0)
    assert [first.status(thread)["status"] for thread in (low, late)] == ["pending"] * 2
    first.http.put("/api/queue/first", json={})
    assert first.until(low)["status"] == "completed"
