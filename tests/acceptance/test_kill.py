"""kill -9 in the middle of the work: all completes, nothing that was reported completed is called again, nothing is lost.

DOSE=full makes it 20 kills during 200 workflows.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

from tests.acceptance import sse
from tests.acceptance.service import Service, chain, running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FULL = os.environ.get("DOSE") == "full"
KILLS, WORKFLOWS = (20, 200) if FULL else (4, 40)
STEPS = 6


class Reported:
    """What readers of the feed and of statuses were told to be completed, and the calls there were by then."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self.completed: set[str] = set()
        self._readers = [threading.Thread(target=self._feed), threading.Thread(target=self._look)]
        self.threads: list[str] = []

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for reader in self._readers:
            reader.join(30)

    def _feed(self) -> None:
        cursor = None
        while not self._stop.is_set():
            try:
                headers = {"Last-Event-ID": cursor} if cursor else {}
                with httpx.stream("GET", f"{self._service.url}/api/stream", headers=headers, timeout=5) as answer:
                    for message in sse.live(answer):
                        cursor = message.id or cursor
                        if message.event == "step_complete":
                            self.completed.add(f"{message.data['thread_id']} {message.data['step_id']}")
                        if self._stop.is_set():
                            return
            except httpx.TransportError:
                time.sleep(0.02)

    def _look(self) -> None:
        dice = random.Random(3)
        with httpx.Client(base_url=self._service.url, timeout=5) as http:
            while not self._stop.is_set():
                try:
                    thread = dice.choice(self.threads or ["none"])
                    found = http.get(f"/api/invoke/status/{thread}")
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if found.status_code == 200:
                    self.completed |= {f"{thread} {step}" for step in found.json()["completed_steps"]}
                time.sleep(0.01)


def branching(index: int) -> dict[str, object]:
    """A row, or a fan of steps side by side, of STEPS steps with small sleeps; every tenth is slow enough for any kill."""
    if index % 10 == 9:
        return chain("slow", STEPS, sleep=0.5)
    if index % 2:
        return chain("row", STEPS, sleep=0.08)
    steps = [
        {"id": f"s{number}", "needs": [], "agent": "worker", "input": {"sleep": 0.1 * number}}
        for number in range(1, STEPS)
    ]
    return {"name": "fan", "steps": [*steps, {"id": "last", "agent": "worker", "needs": [one["id"] for one in steps]}]}


def test_kills_lose_nothing_and_repeat_nothing_that_was_reported(tmp_path: Path) -> None:
    dice = random.Random(5)
    with running(tmp_path, SSE_HEARTBEAT_SECONDS=0.5) as service, Reported(service) as reported:
        at_kill: list[tuple[set[str], dict[str, int]]] = []
        for _ in range(KILLS):
            for index in range(WORKFLOWS // KILLS):
                reported.threads.append(service.start_thread(branching(index)))
            time.sleep(dice.uniform(0.05, 0.5))
            service.kill()
            at_kill.append((set(reported.completed), dict(service.calls())))
            service.start().ready()
        for thread in reported.threads:
            assert service.until(thread)["status"] == "completed"
        assert all(told for told, _ in at_kill)
        assert len(at_kill[-1][1]) < WORKFLOWS * STEPS
        for told, calls in at_kill:
            after = service.calls()
            again = {step for step in told if after[step] != calls[step]}
            assert not again
        judge(service, reported.threads)


def judge(service: Service, threads: list[str]) -> None:
    """Versions and events have no gap, over HTTP and in the tables; every step completed exactly once."""
    for thread in threads:
        found = sse.whole(service, thread)
        sse.without_gap(found)
        done = [one["step_id"] for one in found if one["event"] == "step_complete"]
        assert len(done) == len(set(done)) == STEPS
        assert [one["version"] for one in service.versions(thread)] == list(range(1, STEPS + 3))
    gaps = """
        SELECT t.thread_id FROM threads t
        WHERE (SELECT array_agg(version ORDER BY version) FROM checkpoints c WHERE c.thread_id = t.thread_id)
              IS DISTINCT FROM (SELECT array_agg(n) FROM generate_series(1, t.last_version) n)
           OR (SELECT array_agg(seq ORDER BY seq) FROM workflow_events e WHERE e.thread_id = t.thread_id)
              IS DISTINCT FROM (SELECT array_agg(n::bigint) FROM generate_series(1, t.last_seq) n)
    """
    assert service.sql(gaps) == []
    assert service.sql("SELECT id FROM workflow_steps WHERE status NOT IN ('completed')") == []
    assert service.sql("SELECT id FROM workflow_executions WHERE status <> 'completed'") == []
    assert service.sql("SELECT count(*) FROM threads")[0][0] == len(threads)


@dataclass
class Killed:
    """A service that was killed and started again; `threads` by what they were doing, `before` their statuses."""

    service: Service
    threads: dict[str, str]
    before: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Killed]:
    """One kill for many threads, each in a state of its own; the steps that wait are let go afterwards."""
    folder = tmp_path_factory.mktemp("killed")
    go = str(folder / "go")
    retry = {"max_attempts": 60, "initial_interval": "200ms", "max_interval": "200ms"}
    again = {"id": "again", "agent": "worker", "input": {"unless": go, "retryable": True}, "retry": retry}
    first = {"id": "a", "agent": "worker"}
    with running(folder) as service:
        service.register(chain("inner", 2, until=go))
        done = service.run(chain("steady", 2))["thread_id"]
        service.post(f"/api/invoke/rollback/{done}", {"to_version": 2, "resume": False})
        threads = {
            "paused": done,
            "cancelled": service.start_thread(chain("cancelled", 1, until=go)),
            "running": service.start_thread(
                {"name": "r", "steps": [first, {"id": "b", "agent": "worker", "input": {"until": go}}]}
            ),
            "sleeping": service.start_thread({"name": "naps", "steps": [{"id": "nap", "sleep": "3s"}]}),
            "retrying": service.start_thread({"name": "again", "steps": [again]}),
            "parent": service.start_thread(
                {"name": "outer", "steps": [first, {"id": "sub", "workflow": "inner", "input": {}}]}
            ),
        }
        service.post(f"/api/invoke/cancel/{threads['cancelled']}")
        for _ in waiting("all of them to be where they should"):
            calls = [service.calls(threads[name]) for name in ("running", "retrying")]
            child = service.get("/api/workflow/executions", workflow="inner")["executions"]
            if calls[0]["b"] and calls[1]["again"] > 1 and child and service.calls(child[0]["thread_id"]):
                break
        before = {name: service.status(thread) for name, thread in threads.items()}
        service.kill()
        (folder / "go").touch()
        yield Killed(service.start().ready(), threads, before)


def test_a_killed_step_runs_again_with_the_same_key_in_the_same_execution(killed: Killed) -> None:
    thread, before = killed.threads["running"], killed.before["running"]
    after = killed.service.until(thread)
    assert (after["status"], after["execution_id"]) == ("completed", before["execution_id"])
    assert killed.service.calls(thread) == {"a": 1, "b": 2}
    first, second = killed.service.keys(thread, "b")
    assert first == second
    assert after["steps"][0] == before["steps"][0]


def test_a_paused_thread_stays_so_over_a_kill_and_can_be_resumed(killed: Killed) -> None:
    service, thread = killed.service, killed.threads["paused"]
    assert service.status(thread) == killed.before["paused"]
    service.post(f"/api/invoke/resume/{thread}")
    assert service.until(thread)["status"] == "completed"
    assert service.calls(thread) == {"s1": 1, "s2": 2}


def test_a_cancelled_thread_stays_so_over_a_kill(killed: Killed) -> None:
    assert killed.service.status(killed.threads["cancelled"]) == killed.before["cancelled"]
    assert killed.before["cancelled"]["status"] == "cancelled"


@pytest.mark.parametrize("name", ["sleeping", "retrying"])
def test_a_thread_that_waits_for_a_time_goes_on_after_a_kill(killed: Killed, name: str) -> None:
    found = killed.service.until(killed.threads[name])
    assert found["status"] == "completed", found["error"]
    assert found["execution_id"] == killed.before[name]["execution_id"]
    sse.without_gap(sse.whole(killed.service, killed.threads[name]))


def test_a_parent_and_its_child_go_on_after_a_kill(killed: Killed) -> None:
    service, thread = killed.service, killed.threads["parent"]
    assert service.until(thread)["status"] == "completed"
    assert service.get("/api/workflow/executions", workflow="inner")["total"] == 1
    assert service.calls(thread) == {"a": 1}


def test_what_was_accepted_and_not_started_when_it_was_killed_is_run(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, MAX_CONCURRENT_THREADS=1) as service:
        threads = [service.start_thread(chain("queued", 1, until=str(go))) for _ in range(5)]
        assert service.status(threads[-1])["status"] == "pending"
        assert sum(service.calls().values()) <= 1
        service.kill()
        go.touch()
        service.start().ready()
        assert [service.until(thread)["status"] for thread in threads] == ["completed"] * 5
        assert max(service.calls().values()) <= 2


def test_a_start_that_the_kill_cut_off_is_repeated_with_its_key_and_starts_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        threads: dict[str, str] = {}

        def start(key: str) -> None:
            body = {"workflow": chain("keyed", 1), "triggered_by": key}
            with httpx.Client(base_url=service.url, timeout=10) as http:
                for _ in waiting(f"{key} to be accepted"):
                    try:
                        answer = http.post("/api/invoke/async", json=body, headers={"Idempotency-Key": key})
                    except httpx.TransportError:
                        continue
                    if answer.status_code == 202:
                        assert threads.setdefault(key, answer.json()["thread_id"]) == answer.json()["thread_id"]
                        return

        clients = [threading.Thread(target=start, args=(f"key-{number}",)) for number in range(60)]
        for number, client in enumerate(clients):
            client.start()
            if number == 30:
                service.kill()
                service.start()
        for client in clients:
            client.join(60)
        assert len(threads) == 60
        assert [service.until(thread)["status"] for thread in threads.values()] == ["completed"] * 60
        rows = service.sql("SELECT triggered_by, count(*) AS n FROM workflow_executions GROUP BY 1 HAVING count(*) > 1")
        assert rows == []
